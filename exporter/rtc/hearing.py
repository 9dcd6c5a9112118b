"""What was heard: the loudness of each window, and the time of each sample.

Knows no SDK: frames come from an iterator.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import islice

import numpy as np

from exporter.errors import ProbeError
from exporter.outcome import Reason
from exporter.rtc import levels
from exporter.rtc.levels import WINDOW, Pcm
from exporter.rtc.onset import quiet_level, sound_threshold
from exporter.rtc.sample_clock import FRAME_MS, LOOK_AHEAD_S, SampleClock
from exporter.rtc.sound import Span, runs

KEEP_S = 35
"""Seconds of audio kept: the longest reply, and what is waited for after it. 3.4 MB."""


class Hearing:
    """Listens to one stream of audio from the moment it is made until `aclose`.

    Args:
        frames: The audio, each frame as soon as it is delivered.
        frame_ms: Length of each.
    """

    def __init__(self, frames: AsyncIterator[Pcm], frame_ms: int = FRAME_MS) -> None:
        self._frames = frames
        self._clock = SampleClock(frame_ms)
        self._recent: deque[Pcm] = deque(maxlen=KEEP_S * 1000 // frame_ms)
        self._levels: list[float] = []
        self._moved = asyncio.Event()
        self._fault: ProbeError | None = None
        self.on_frame: Callable[[Hearing, int, Pcm], None] | None = None
        """Called with itself, the number of the first sample of a frame, and the frame."""
        self.task = asyncio.get_running_loop().create_task(self._listen(), name="ear")
        """Listens; ends by itself when the frames do."""

    @property
    def windows(self) -> int:
        """Windows of 5 ms heard so far."""
        return len(self._levels)

    def levels(self, start: int, end: int | None = None) -> list[float]:
        """Return the levels in dBFS of the windows [start, end)."""
        return self._levels[max(0, start) : end]

    async def hear_more(self, deadline: float) -> None:
        """Wait for the next frame, for `wake`, or for the deadline, whichever comes first.

        Raises:
            ProbeError: The frames are not those that were asked for.
        """
        if self._fault is not None:
            raise self._fault
        self._moved.clear()
        try:
            async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                await self._moved.wait()
        except TimeoutError:
            return

    def wake(self) -> None:
        """Let `hear_more` return: something happened that is no sound."""
        self._moved.set()

    def window_at(self, when: float) -> int:
        """Return the window that was delivered at that time (on the monotonic clock)."""
        return self._clock.sample_at(when) // WINDOW

    def audio(self, start: int) -> Pcm:
        """Return what was heard from that window on, as far as it is kept."""
        return self._samples(start, self.windows)[1]

    def sounds(self) -> Iterator[Span]:
        """Yield when something was heard that is no click, on the monotonic clock."""
        for start, end in runs(self._levels, sound_threshold(quiet_level(self._levels))):
            yield self._clock.time_of(start * WINDOW), self._clock.time_of(end * WINDOW)

    @property
    def heard_until(self) -> float:
        """When the last window was delivered, on the monotonic clock."""
        return self._clock.time_of(self.windows * WINDOW)

    def spans(self, start: int, threshold_db: float, end: int | None = None) -> Iterator[Span]:
        """Yield when there was sound in the windows [start, end), on the monotonic clock.

        Begin and end are those of the first and the last loud sample, as far as audio is kept.
        """
        for first, last in runs(self.levels(start, end), threshold_db):
            begin = self.first_loud_sample(max(start, 0) + first, threshold_db)
            over = self.last_loud_sample(max(start, 0) + last - 1, threshold_db)
            yield self._clock.time_of(begin), self._clock.time_of(over)

    def first_loud_sample(self, window: int, threshold_db: float) -> int:
        """Return the first sample louder than the threshold in that window or the one before."""
        first, pcm = self._samples(window - 1, window + 1)
        loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) >= levels.amplitude(threshold_db))
        return first + int(loud[0]) if len(loud) else window * WINDOW

    def last_loud_sample(self, window: int, threshold_db: float) -> int:
        """Return the sample after the last one louder than the threshold in that window."""
        first, pcm = self._samples(window, window + 1)
        loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) >= levels.amplitude(threshold_db))
        return first + int(loud[-1]) + 1 if len(loud) else (window + 1) * WINDOW

    async def time_of(self, sample: int) -> float:
        """Return when that sample was delivered, on the monotonic clock.

        Waits for half a second of audio after it: a burst of late frames must not shift it.
        """
        deadline = time.monotonic() + 2 * LOOK_AHEAD_S
        while not self._clock.is_sure_of(sample) and time.monotonic() < deadline:
            await self.hear_more(deadline)
        return self._clock.time_of(sample)

    def time_by_now(self, sample: int) -> float:
        """Return what `time_of` does, from the frames that have come so far."""
        return self._clock.time_of(sample)

    def _samples(self, start_window: int, end_window: int) -> tuple[int, Pcm]:
        """Return the audio of windows [start, end), as far as it is kept, and its first sample."""
        oldest = (self._clock.frames - len(self._recent)) * self._clock.frame
        first = max(start_window * WINDOW, oldest, 0)
        begin, end = first - oldest, max(0, end_window * WINDOW - oldest)
        frame = self._clock.frame
        kept = list(islice(self._recent, begin // frame, -(-end // frame)))
        pcm = np.concatenate(kept or [np.zeros(0, np.int16)])
        skipped = begin // frame * frame
        return first, pcm[begin - skipped : max(0, end - skipped)]

    async def aclose(self) -> None:
        """Stop listening."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    async def _listen(self) -> None:
        async for pcm in self._frames:
            if len(pcm) != self._clock.frame:
                what = f"frames of {len(pcm)} samples came, not of {self._clock.frame}"
                self._fault = ProbeError(Reason.PROBE_CRASHED, what)
                self._moved.set()
                return
            self._take(pcm)

    def _take(self, pcm: Pcm) -> None:
        self._clock.arrived(time.monotonic())
        self._recent.append(pcm)
        self._levels.extend(levels.window_levels(pcm).tolist())
        self._moved.set()
        if self.on_frame is not None:
            self.on_frame(self, (self._clock.frames - 1) * self._clock.frame, pcm)
