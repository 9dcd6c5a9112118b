"""The prober knows when it was itself the slow one."""

import asyncio
import time

import pytest

from exporter.rtc.lag import PERIOD_S, LagMonitor
from tests import virtual_time
from tests.virtual_time import Clock

BLOCK_S = 0.08


async def watched(clock: Clock, blocked_s: float) -> tuple[float, float]:
    """Return the worst lag of a block: as told at once, and as told later."""
    monitor = LagMonitor()
    monitor.start()
    await asyncio.sleep(10 * PERIOD_S)
    blocked = time.monotonic()
    clock.advance(blocked_s)  # as work in the wrong place does
    at_once = monitor.worst(blocked, time.monotonic())
    await asyncio.sleep(10 * PERIOD_S)
    later = monitor.worst(blocked, blocked + blocked_s)
    monitor.stop()
    return at_once, later


def test_a_blocked_loop_is_late_by_the_block() -> None:
    """Lateness is told at once, before the loop has run again, and is remembered.

    A look is due within a period of the begin of the block, and may be as late without blame.
    """
    at_once, later = virtual_time.run(lambda clock: watched(clock, BLOCK_S))
    assert BLOCK_S - 2 * PERIOD_S <= at_once <= BLOCK_S
    assert BLOCK_S - PERIOD_S <= later <= BLOCK_S


def test_a_loop_that_runs_is_not_late() -> None:
    """Nothing blocks: nothing is told."""
    assert virtual_time.run(lambda clock: watched(clock, 0.0)) == pytest.approx((0.0, 0.0))


def test_nothing_was_late_when_nothing_was_watched() -> None:
    """A monitor that has seen nothing accuses nobody."""
    assert LagMonitor().worst(0.0, 1.0) == 0.0
