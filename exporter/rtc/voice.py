"""What is said: one stream without gaps, in which the time of every sample is known.

The SDK's source hands 10 ms of its queue to the encoder at each tick of its own timer, and
answers a capture when the queue has fallen to its set length. So at each answer the queue holds
exactly that length: the end of what was pushed leaves one queue length later. The smallest such
value of the last seconds is the clock; a late event loop can only make a single one larger.

Knows no SDK: a function takes the audio away.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np

from exporter.errors import ProbeError
from exporter.outcome import Reason, Sending
from exporter.rtc.bands import MARGIN, companded
from exporter.rtc.levels import RATE, Pcm

CHUNK_MS = 40
"""Audio pushed at a time. 80 ms cost less, but leave a late loop only 20 ms of the queue. A
multiple of 20 ms, so that all utterances of a call have the same place within an Opus packet."""

QUEUE_MS = 100
"""Audio waiting in the source, which takes no more than twice that: how late the event loop may be
before there is a gap."""

CLOCK_MS = 4000
"""The earliest of the answers of so long is the clock."""

LAST_PUSH_S = 2.5
"""For the SDK to answer the last push: a process that ends before can crash in its native part."""


@dataclass(frozen=True, slots=True)
class _Scheduled:
    start: int
    pcm: Pcm

    @property
    def end(self) -> int:
        return self.start + len(self.pcm)


class Voice:
    """Goes on sending silence between what it is told to play, from `begin` until `aclose`.

    Args:
        capture: Puts audio into the queue of the source, and returns once the queue has fallen to
            its set length.
        chunk_ms: See `CHUNK_MS`.
        queue_ms: See `QUEUE_MS`.
    """

    def __init__(
        self,
        capture: Callable[[Pcm], Awaitable[None]],
        chunk_ms: int = CHUNK_MS,
        queue_ms: int = QUEUE_MS,
    ) -> None:
        self._capture = capture
        self._chunk = RATE * chunk_ms // 1000
        self._queue_s = queue_ms / 1000
        self._pushed = 0
        self._offsets: deque[float] = deque(maxlen=CLOCK_MS // chunk_ms)
        self._scheduled: list[_Scheduled] = []
        self._noise: Pcm | None = None
        self.sending = Sending()
        """How it is sent; to be set before it begins."""
        self.task: asyncio.Task[None] | None = None
        """Sends; None before `begin`."""
        self._moved = asyncio.Event()
        self._ending = False
        self.on_sent: Callable[[float, Pcm], None] | None = None
        """Called with what was pushed, and when its first sample leaves the source."""
        self.underruns = 0
        """How often the queue ran dry, because this process was too late to fill it."""

    def begin(self) -> None:
        """Begin to send silence."""
        self.task = asyncio.get_running_loop().create_task(self._send(), name="microphone")
        self.task.add_done_callback(lambda _: self._moved.set())

    async def aclose(self) -> None:
        """Stop sending, once the last push is answered."""
        self._ending = True
        if self.task is not None:
            await asyncio.wait((self.task,), timeout=LAST_PUSH_S)
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)

    def play(self, pcm: Pcm, at: float | None = None) -> int:
        """Schedule `pcm` for the time `at`, or for as soon as possible.

        Returns:
            The place of its first sample in the stream, for `time_of`.
        """
        start = self._pushed
        if at is not None:
            start = max(start, round((at - self._offset()) * RATE))
        self._scheduled.append(_Scheduled(start, pcm))
        return start

    def add_noise(self, pcm: Pcm) -> None:
        """Play `pcm` in a loop under everything else."""
        self._noise = pcm

    async def time_of(self, sample: int) -> float:
        """Return when that sample of the stream leaves the source, on the monotonic clock.

        Waits until the sample has been pushed, so that the queue cannot run dry before it.

        Raises:
            ProbeError: probe_crashed: the SDK takes no more audio.
        """
        while self._pushed < sample + self._chunk or not self._offsets:
            if self.task is None or self.task.done():
                raise ProbeError(Reason.PROBE_CRASHED, "the audio source accepts no more audio")
            self._moved.clear()
            await self._moved.wait()
        return self._offset() + sample / RATE

    def _offset(self) -> float:
        return min(self._offsets) if self._offsets else time.monotonic() + self._queue_s

    async def _send(self) -> None:
        while not self._ending:
            pcm = self._take(self._pushed, self._chunk)
            self._check_queue()
            self._pushed += len(pcm)
            await self._capture(pcm)
            self._offsets.append(time.monotonic() + self._queue_s - self._pushed / RATE)
            self._moved.set()
            if self.on_sent is not None:
                self.on_sent(self._offset() + (self._pushed - len(pcm)) / RATE, pcm)

    def _check_queue(self) -> None:
        """Count an underrun, and start the clock anew, when the queue is empty already."""
        if self._offsets and time.monotonic() > self._offset() + self._pushed / RATE:
            self.underruns += 1
            self._offsets.clear()

    def _take(self, start: int, count: int) -> Pcm:
        margin = MARGIN if self.sending.low_quality_microphone else 0
        mix = self._mix(start - margin, count + 2 * margin)
        done = start + count - margin
        self._scheduled = [item for item in self._scheduled if item.end > done]
        return companded(mix) if margin else mix

    def _mix(self, start: int, count: int) -> Pcm:
        mix = np.zeros(count, np.int32)
        if self._noise is not None:
            mix += np.take(self._noise, np.arange(start, start + count), mode="wrap")
        for item in self._scheduled:
            first, last = max(start, item.start), min(start + count, item.end)
            if first < last:
                part = item.pcm[first - item.start : last - item.start]
                mix[first - start : last - start] += part
        return np.clip(mix, -32768, 32767).astype(np.int16)
