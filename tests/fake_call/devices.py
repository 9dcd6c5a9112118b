"""Microphone, track and ear as the SDK would show them to a caller."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import numpy as np
from livekit import rtc
from livekit.rtc._proto.stats_pb2 import RtcStats

from exporter.rtc.hearing import Hearing
from exporter.rtc.levels import RATE, Pcm
from exporter.rtc.sample_clock import FRAME_MS, PIECE
from exporter.rtc.tracks import Microphone
from exporter.rtc.voice import Voice

QUEUE_S = 0.1
FRAME = RATE * FRAME_MS // 1000
FRAME_S = FRAME / RATE
WAIT_S = (FRAME - PIECE) / RATE
"""How long the first sample of a frame waits for its last piece."""
PACKET_S = 0.02
SILENCE = np.zeros(FRAME, np.int16)


class FakeMicrophone(Microphone):
    """A queue that the clock empties: it knows when each sample leaves it.

    Args:
        on_audio: Called with audio that was captured, and when its first sample leaves.
    """

    def __init__(self, on_audio: Callable[[float, Pcm], None]) -> None:
        Voice.__init__(self, self._take_in)
        self._on_audio = on_audio
        self._empty_at = 0.0

    async def publish(self, participant: rtc.LocalParticipant, name: str = "microphone") -> None:
        """Begin to send; nobody needs to be asked."""
        assert participant is not None
        assert name == "microphone"
        self.begin()

    async def aclose(self) -> None:
        """Stop sending."""
        await Voice.aclose(self)

    async def _take_in(self, pcm: Pcm) -> None:
        now = time.monotonic()
        leaves = max(self._empty_at, now)
        self._empty_at = leaves + len(pcm) / RATE
        self._on_audio(leaves, pcm)
        await asyncio.sleep(max(0.0, self._empty_at - QUEUE_S - now))


class FakeTrack(rtc.RemoteAudioTrack):
    """A track whose every sample has its time, from the moment it was made.

    Attributes:
        broken_off: No frame comes any more.
        is_lost: What is not fetched in time is lost, as for a process that is stopped.
    """

    def __init__(self) -> None:
        self._sounds: list[tuple[float, Pcm]] = []
        self._noise: Pcm | None = None
        self._made = time.monotonic()
        self._stalled_at: float | None = None
        self.broken_off = False
        self.is_lost = False

    def play(self, pcm: Pcm, at: float) -> None:
        """Sound from that time on."""
        self._sounds.append((at, pcm))

    def cut(self, at: float) -> None:
        """Let everything that sounds end at that time."""
        self._sounds = [
            (begin, pcm[: max(0, round((at - begin) * RATE))]) for begin, pcm in self._sounds
        ]

    def add_noise(self, pcm: Pcm) -> None:
        """Sound under everything else, over and over."""
        self._noise = pcm

    def stall(self) -> None:
        """Bring no more packets."""
        self._stalled_at = time.monotonic()

    async def get_stats(self) -> list[RtcStats]:
        """Count a packet for each 20 ms, each 60 ms deep in the jitter buffer."""
        until = time.monotonic() if self._stalled_at is None else self._stalled_at
        stats = RtcStats()
        inbound = stats.inbound_rtp
        inbound.received.packets_received = round((until - self._made) / PACKET_S)
        inbound.inbound.jitter_buffer_emitted_count = round((until - self._made) * RATE)
        inbound.inbound.jitter_buffer_delay = 0.06 * inbound.inbound.jitter_buffer_emitted_count
        return [stats]

    async def frames(self) -> AsyncIterator[Pcm]:
        """Bring each frame when its last piece is due; those that were not fetched come late."""
        begin, number = time.monotonic(), 0
        while not self.broken_off:
            due = begin + number * FRAME_S
            await asyncio.sleep(max(0.0, due + WAIT_S - time.monotonic()))
            if self.is_lost and (late := time.monotonic() - due - WAIT_S) > 0:
                begin, due = begin + late, due + late
            yield self._sound_at(due)
            number += 1

    def _sound_at(self, when: float) -> Pcm:
        if self._noise is None and not any(at < when + FRAME_S for at, _ in self._sounds):
            return SILENCE
        mix = np.zeros(FRAME, np.int32)
        if self._noise is not None:
            first = round((when - self._made) * RATE)
            mix += np.take(self._noise, np.arange(first, first + FRAME), mode="wrap")
        self._sounds = [each for each in self._sounds if each[0] + len(each[1]) / RATE > when]
        for at, pcm in self._sounds:
            first = round((when - at) * RATE)  # of the sound, at the first sample of the frame
            part = pcm[max(0, first) : max(0, first + FRAME)]
            skipped = max(0, -first)
            mix[skipped : skipped + len(part)] += part
        return np.clip(mix, -32768, 32767).astype(np.int16)


def ear_on(track: rtc.RemoteAudioTrack) -> Hearing:
    """Hear a fake track."""
    assert isinstance(track, FakeTrack)
    return Hearing(track.frames())
