"""The prober knows when it was itself the slow one."""

import asyncio
import time

from exporter.call.lag import LagMonitor

BLOCK_S = 0.08


def block(seconds: float) -> None:
    """Keep the event loop from running, as work in the wrong place does."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


async def watched() -> tuple[float, float]:
    """Return the worst lag of a block: as told at once, and as told later."""
    monitor = LagMonitor()
    monitor.start()
    await asyncio.sleep(0.1)
    blocked = time.monotonic()
    block(BLOCK_S)
    at_once = monitor.worst(blocked, time.monotonic())
    await asyncio.sleep(0.05)
    later = monitor.worst(blocked, blocked + BLOCK_S)
    await monitor.stop()
    return at_once, later


def test_a_blocked_loop_is_late_by_the_block() -> None:
    """Lateness is told at once, before the loop has run again, and is remembered."""
    at_once, later = asyncio.run(watched())
    assert at_once > BLOCK_S / 2
    assert later > BLOCK_S / 2


def test_nothing_was_late_when_nothing_was_watched() -> None:
    """A monitor that has seen nothing accuses nobody."""
    assert LagMonitor().worst(0.0, 1.0) == 0.0
