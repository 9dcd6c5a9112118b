"""Audio out and in on tracks of the SDK: see `voice` and `hearing`."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import numpy as np
from livekit import rtc

from exporter.rtc.hearing import Hearing
from exporter.rtc.levels import RATE, Pcm
from exporter.rtc.sample_clock import FRAME_MS
from exporter.rtc.voice import CHUNK_MS, QUEUE_MS, Voice


class Microphone(Voice):
    """A microphone track that goes on sending silence between what it is told to play.

    Args:
        chunk_ms: As of `Voice`.
        queue_ms: As of `Voice`.
    """

    def __init__(self, chunk_ms: int = CHUNK_MS, queue_ms: int = QUEUE_MS) -> None:
        self._source = rtc.AudioSource(RATE, 1, queue_ms)
        super().__init__(self._to_source, chunk_ms, queue_ms)

    async def publish(self, participant: rtc.LocalParticipant, name: str = "microphone") -> None:
        """Publish the track as SOURCE_MICROPHONE with DTX off, and begin to send silence.

        Its encoding is that of `sending`.
        """
        track = rtc.LocalAudioTrack.create_audio_track(name, self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False)
        if not self.sending.red:
            options.red = False
        if self.sending.bitrate_kbps is not None:
            options.audio_encoding.max_bitrate = round(self.sending.bitrate_kbps * 1000)
        await participant.publish_track(track, options)
        self.begin()

    async def aclose(self) -> None:
        """Stop sending and free the source."""
        await super().aclose()
        await self._source.aclose()

    async def _to_source(self, pcm: Pcm) -> None:
        await self._source.capture_frame(rtc.AudioFrame(pcm.tobytes(), RATE, 1, len(pcm)))


class Ear(Hearing):
    """Listens to one remote track from the moment it is made until `aclose`.

    Args:
        track: Of somebody else.
        frame_ms: As of `Hearing`: a sound is known so much later.
    """

    def __init__(self, track: rtc.Track, frame_ms: int = FRAME_MS) -> None:
        self._stream = rtc.AudioStream(
            track, sample_rate=RATE, num_channels=1, frame_size_ms=frame_ms
        )
        super().__init__(self._audio(), frame_ms)

    async def aclose(self) -> None:
        """Stop listening and free the stream."""
        await super().aclose()
        await self._stream.aclose()

    async def _audio(self) -> AsyncIterator[Pcm]:
        async for event in self._stream:
            yield np.frombuffer(event.frame.data, np.int16)


@dataclass(frozen=True, slots=True)
class Devices:
    """How a caller gets a room, a microphone and an ear: of the SDK, unless a test has others."""

    room: Callable[[], rtc.Room] = rtc.Room
    microphone: Callable[[], Microphone] = Microphone
    ear: Callable[[rtc.RemoteAudioTrack], Hearing] = Ear
