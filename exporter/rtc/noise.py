"""What our participants publish: quiet noise, as real Opus tracks that never pause."""

import asyncio

import numpy as np
from livekit import rtc

from exporter.rtc.levels import RATE

LEVEL = 200
"""Of the samples, some -44 dBFS: too little to be taken for speech by anyone's detector."""
QUEUE_MS = 400
CHUNK_MS = 100


class Noise:
    """One source of noise, published as several tracks.

    Each track is a stream of 50 packets a second, so several tracks count a loss to the same
    precision in less time. They are no microphones: agents that join every room do not listen.
    """

    def __init__(self) -> None:
        self._source = rtc.AudioSource(RATE, 1, QUEUE_MS)
        self.task: asyncio.Task[None] | None = None
        """Sends; None before `publish`."""

    async def publish(self, participant: rtc.LocalParticipant, tracks: int) -> None:
        """Publish the tracks with DTX off, and begin to send; several participants may."""
        if self.task is None:
            self.task = asyncio.get_running_loop().create_task(self._send(), name="noise")
        for number in range(tracks):
            track = rtc.LocalAudioTrack.create_audio_track(f"noise-{number}", self._source)
            await participant.publish_track(track, rtc.TrackPublishOptions(dtx=False))

    async def aclose(self) -> None:
        """Stop sending and free the source."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        await self._source.aclose()

    async def _send(self) -> None:
        size = RATE * CHUNK_MS // 1000
        pcm = np.random.default_rng().normal(0, LEVEL, RATE).astype(np.int16)
        chunks = [pcm[start : start + size].tobytes() for start in range(0, RATE, size)]
        while True:
            for chunk in chunks:
                await self._source.capture_frame(rtc.AudioFrame(chunk, RATE, 1, size))
