"""An event loop whose clock jumps: a test of minutes takes milliseconds, and no machine is late.

Inside `run`, `time.monotonic` and the loop's own clock are one virtual clock. It stands still while
code runs and jumps to the next timer when every task waits. So what a test reads off the clock is
exact, whatever else the machine does; `Clock.advance` moves it by hand, as a blocked loop would.
`run(..., wall=True)` moves the wall clock along: `datetime.now`, `time.time`.

Only for code that waits by asyncio alone: a thread, a process or a socket has a time of its own.
"""

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from unittest.mock import patch

from freezegun import freeze_time

T = TypeVar("T")

START_S = 1000.0
"""What the clock reads at first; far from 0, where "not set" and "now" would be alike."""

START = datetime(2026, 11, 20, 12, tzinfo=UTC)
"""What the wall clock reads at first, where it moves along."""

IDLE_LIMIT = 100
"""Waits without any timer after which nothing can happen any more: the test hangs."""


class HangsError(Exception):
    """Every task waits, and no timer is set: nothing will happen any more."""


class Clock:
    """A monotonic clock that moves only when it is moved."""

    def __init__(self, start_s: float = START_S) -> None:
        self._now = start_s
        self._set_wall: Callable[[datetime], object] | None = None
        self._wall_ahead_s = 0.0

    def __call__(self) -> float:
        """Return the time in seconds, as `time.monotonic` does."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock on, as time does while an event loop is blocked."""
        self._now += seconds
        self._follow()

    def set_wall(self, seconds: float) -> None:
        """Put the wall clock forward, or back by less than none, as its owner does."""
        assert self._set_wall is not None, "no wall clock: run with wall=True"
        self._wall_ahead_s += seconds
        self._follow()

    def _follow(self) -> None:
        if self._set_wall is not None:
            since_s = self._now - START_S + self._wall_ahead_s
            self._set_wall(START + timedelta(seconds=since_s))


class _Selector(selectors.DefaultSelector):
    """Jumps to the end of each wait instead of waiting for it."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._idle = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:  # another thread called, which is no wait
            return ready
        if timeout is None:
            self._idle += 1
            if self._idle > IDLE_LIMIT:
                raise HangsError("every task waits, and no timer is set")
            return super().select(0.01)
        self._idle = 0
        self._clock.advance(max(0.0, timeout))
        return ready


def run(main: Callable[[Clock], Coroutine[Any, Any, T]], *, wall: bool = False) -> T:
    """Run a coroutine on a virtual clock, and return its result.

    Args:
        main: Called with the clock; the coroutine that it returns is run.
        wall: Whether the wall clock is a virtual one, too: `START`, and as much later as the
            clock. Costs some tenths of a second.

    Raises:
        HangsError: It waits for something that no timer and no task can bring.
    """
    clock = Clock()

    def new_loop() -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(_Selector(clock))

    with ExitStack() as stack:
        if wall:
            clock._set_wall = stack.enter_context(freeze_time(START)).move_to
        stack.enter_context(patch.object(time, "monotonic", clock))  # after freezegun's own
        runner = stack.enter_context(asyncio.Runner(loop_factory=new_loop))
        return runner.run(main(clock))
