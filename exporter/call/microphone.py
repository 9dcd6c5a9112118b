"""Audio out: a track of the SDK on which a voice speaks."""

from livekit import rtc

from exporter.call.levels import RATE, Pcm
from exporter.call.voice import Voice


class Microphone(Voice):
    """A microphone track that goes on sending silence between what it is told to play.

    Args:
        chunk_ms: As of `Voice`.
        queue_ms: As of `Voice`.
    """

    def __init__(self, chunk_ms: int = 40, queue_ms: int = 100) -> None:
        self._source = rtc.AudioSource(RATE, 1, queue_ms)
        super().__init__(self._to_source, chunk_ms, queue_ms)

    async def publish(self, participant: rtc.LocalParticipant, name: str = "microphone") -> None:
        """Publish the track as SOURCE_MICROPHONE with DTX off, and begin to send silence."""
        track = rtc.LocalAudioTrack.create_audio_track(name, self._source)
        options = rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE, dtx=False)
        await participant.publish_track(track, options)
        self.begin()

    async def aclose(self) -> None:
        """Stop sending and free the source."""
        await super().aclose()
        await self._source.aclose()

    async def _to_source(self, pcm: Pcm) -> None:
        await self._source.capture_frame(rtc.AudioFrame(pcm.tobytes(), RATE, 1, len(pcm)))
