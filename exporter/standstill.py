"""When the prober itself stood still: its event loop was blocked, or its process stopped.

What a probe waits for has a limit of time. A prober that stood still for much of it has not seen
what came meanwhile, and has not done its own part of it; `exporter.limits` judges that. The cause
does not matter: work in the wrong place, a host that is too busy, a CPU quota, SIGSTOP, a frozen
container, a host that was suspended. Where a hypervisor stops a virtual machine and its clocks
with it, nothing can be seen from inside.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

PERIOD_S = 0.02
"""Time between two looks. The watch of a call looks twice as often: it judges ends of turns."""
LATE_S = 0.02
"""A look that is less late is no standstill: every host is so late now and then, and no limit of
seconds is the shorter for it. A lateness above it voids an end of a turn as well."""
KEEP = 100_000
"""Standstills kept: of a run that is late all the time, more than an hour."""


class Standstills:
    """Watches the running event loop, from `start` to `stop`.

    Args:
        asleep_s: For how long this host was suspended so far, in seconds; the monotonic clock
            does not count that.
    """

    def __init__(self, asleep_s: Callable[[], float] | None = None) -> None:
        self._asleep_s = asleep_s or suspended_s
        self._asleep = self._asleep_s()
        self._late: deque[tuple[float, float, float]] = deque(maxlen=KEEP)
        """When each ended on the monotonic clock, its seconds on it, and those of sleep."""
        self._due = 0.0
        self._next: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._due = time.monotonic() + PERIOD_S
        self._next = asyncio.get_running_loop().call_later(PERIOD_S, self._look)

    def stop(self) -> None:
        """End the watch; what was seen stays."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def seconds(self, since: float, until: float) -> float:
        """Return for how long it stood still within [since, until], all standstills together."""
        return sum(
            max(0.0, min(ended, until) - max(ended - late, since)) + asleep
            for ended, late, asleep in self._within(since, until)
        )

    def longest(self, since: float, until: float) -> float:
        """Return the seconds of the longest standstill of which a part is within [since, until]."""
        return max((late + asleep for _, late, asleep in self._within(since, until)), default=0.0)

    def _within(self, since: float, until: float) -> Iterator[tuple[float, float, float]]:
        """Yield the standstills that reach into a span of time, the newest first."""
        if self._next is not None:
            self._note()  # a loop that has stood still until now has not looked yet
        for each in reversed(self._late):
            ended, late, _ = each
            if ended <= since:
                return
            if ended - late < until:
                yield each

    def _look(self) -> None:
        self._note()
        self.start()

    def _note(self) -> None:
        """Keep how late this look is, if it is; the next one is due a period later."""
        now, asleep = time.monotonic(), self._asleep_s()
        late, slept = now - self._due, asleep - self._asleep
        self._asleep = asleep
        if max(late, slept) > LATE_S:
            self._late.append((now, max(0.0, late), max(0.0, slept)))
        self._due = max(self._due, now)


def suspended_s() -> float:
    """Return for how long this host was suspended since it was started; 0 where it cannot tell."""
    if not hasattr(time, "CLOCK_BOOTTIME"):  # Linux alone has it
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)


_WATCH: ContextVar[Standstills | None] = ContextVar("standstills", default=None)


@contextmanager
def watching(asleep_s: Callable[[], float] | None = None) -> Iterator[Standstills]:
    """Watch the running event loop during the block: for its task, and for those that it starts.

    Args:
        asleep_s: As of `Standstills`.
    """
    watch = Standstills(asleep_s)
    watch.start()
    token = _WATCH.set(watch)
    try:
        yield watch
    finally:
        _WATCH.reset(token)
        watch.stop()


def stood_still_s(since: float, until: float) -> float:
    """Return for how many seconds the prober stood still within a span of the monotonic clock.

    0 where nobody watches: who has not looked accuses nobody.
    """
    watch = _WATCH.get()
    return 0.0 if watch is None else watch.seconds(since, until)


def longest_standstill_s(since: float, until: float) -> float:
    """Return the longest standstill of which a part is in that span, in seconds; else as above."""
    watch = _WATCH.get()
    return 0.0 if watch is None else watch.longest(since, until)
