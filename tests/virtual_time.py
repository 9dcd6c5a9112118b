"""An event loop whose clock jumps: a test of minutes takes milliseconds, and no machine is late.

Inside `run`, `time.monotonic` and the loop's own clock are one virtual clock. It stands still while
code runs and jumps to the next timer when every task waits. So what a test reads off the clock is
exact, whatever else the machine does; `Clock.advance` moves it by hand, as a blocked loop would.

Only for code that waits by asyncio alone: a thread, a process or a socket has a time of its own.
"""

import asyncio
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar
from unittest.mock import patch

T = TypeVar("T")

START_S = 1000.0
"""What the clock reads at first; far from 0, where "not set" and "now" would be alike."""

IDLE_LIMIT = 100
"""Waits without any timer after which nothing can happen any more: the test hangs."""


class HangsError(Exception):
    """Every task waits, and no timer is set: nothing will happen any more."""


class Clock:
    """A monotonic clock that moves only when it is moved."""

    def __init__(self, start_s: float = START_S) -> None:
        self._now = start_s

    def __call__(self) -> float:
        """Return the time in seconds, as `time.monotonic` does."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock on, as time does while an event loop is blocked."""
        self._now += seconds


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


def run(main: Callable[[Clock], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine on a virtual clock, and return its result.

    Args:
        main: Called with the clock; the coroutine that it returns is run.

    Raises:
        HangsError: It waits for something that no timer and no task can bring.
    """
    clock = Clock()

    def new_loop() -> asyncio.AbstractEventLoop:
        return asyncio.SelectorEventLoop(_Selector(clock))

    with patch.object(time, "monotonic", clock), asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(main(clock))
