"""Audio in: what is heard on a track of the SDK."""

from collections.abc import AsyncIterator

import numpy as np
from livekit import rtc

from exporter.call.hearing import Hearing
from exporter.call.levels import RATE, Pcm


class Ear(Hearing):
    """Listens to one remote track from the moment it is made until `aclose`."""

    def __init__(self, track: rtc.Track) -> None:
        self._stream = rtc.AudioStream(track, sample_rate=RATE, num_channels=1)
        super().__init__(self._audio())

    async def aclose(self) -> None:
        """Stop listening and free the stream."""
        await super().aclose()
        await self._stream.aclose()

    async def _audio(self) -> AsyncIterator[Pcm]:
        async for event in self._stream:
            yield np.frombuffer(bytes(event.frame.data), np.int16)
