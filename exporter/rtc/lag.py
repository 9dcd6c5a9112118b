"""How late our own event loop is: the prober must know when it was itself the slow one."""

import asyncio
import time
from collections import deque
from collections.abc import Iterable

PERIOD_S = 0.01
"""Time between two looks."""

KEEP = 30_000
"""Looks kept: five minutes, more than a turn takes from its end of speech to its reply."""


class LagMonitor:
    """Watches the running event loop; `worst` tells its largest lateness in a span of time."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque(maxlen=KEEP)
        self._next: asyncio.TimerHandle | None = None
        self.largest: float | None = None
        """The largest lateness in seconds since the watch began; None while it did not."""

    def start(self) -> None:
        """Begin to watch. By timers alone: a task that sleeps costs twice as much."""
        due = time.monotonic() + PERIOD_S
        self._next = asyncio.get_running_loop().call_later(PERIOD_S, self._look, due)

    def stop(self) -> None:
        """End the watch."""
        if self._next is not None:
            self._next.cancel()

    def worst(self, start: float, end: float) -> float:
        """Return the largest lateness in seconds of a look that was late within [start, end].

        A look that is due and has not come by now counts as late by the time since.
        """
        due = self._seen[-1][0] + PERIOD_S if self._seen else end
        missing = max(0.0, time.monotonic() - due - PERIOD_S) if due < end else 0.0
        return max((*self.late(start, end), missing))

    def late(self, start: float, end: float) -> list[float]:
        """Return the lateness in seconds of every look that was late within [start, end].

        Newest first; older ones than `KEEP` looks are forgotten.
        """
        found = []
        for at, lag in reversed(self._seen):
            if at < start:
                break
            if at - lag <= end:
                found.append(lag)
        return found

    def _look(self, due: float) -> None:
        now = time.monotonic()
        lag = max(0.0, now - due)
        self._seen.append((now, lag))
        self.largest = max(lag, self.largest or 0.0)
        self.start()


def largest(monitors: Iterable[LagMonitor]) -> float | None:
    """Return the largest lateness in seconds that any of them saw; None if none watched."""
    return max((each.largest for each in monitors if each.largest is not None), default=None)
