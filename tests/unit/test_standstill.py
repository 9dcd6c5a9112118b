"""The prober knows for how long it stood still: blocked, stopped, or asleep."""

import asyncio
import time
from collections.abc import Callable

import pytest

from exporter.standstill import (
    LATE_S,
    PERIOD_S,
    Standstills,
    longest_standstill_s,
    stood_still_s,
    suspended_s,
    watching,
)
from tests import virtual_time
from tests.virtual_time import Clock

BLOCK_S = 0.5


def lost(*blocks: tuple[float, float], until_s: float = 3.0, since_s: float = 0.0) -> float:
    """Return for how long a loop stood still within a span, with blocks at these times."""

    async def story(clock: Clock) -> float:
        with watching(lambda: 0.0):
            begin, loop = time.monotonic(), asyncio.get_running_loop()
            for after_s, seconds in blocks:
                loop.call_later(after_s, clock.advance, seconds)
            await asyncio.sleep(4.0)
            return stood_still_s(begin + since_s, begin + until_s)

    return virtual_time.run(story)


def test_standstills_add_up() -> None:
    """Each is seen but for the time to the next look."""
    found = lost((0.5, BLOCK_S), (1.5, BLOCK_S))
    assert 2 * (BLOCK_S - PERIOD_S) <= found <= 2 * BLOCK_S


def test_only_what_is_within_the_span_counts() -> None:
    """Of a block that begins before it, or ends after it, the part within."""
    assert lost((0.9, 1.0), since_s=1.0, until_s=1.5) == pytest.approx(0.5)
    assert lost((0.1, 0.5), since_s=1.0, until_s=1.5) == 0.0
    assert lost((2.0, 0.5), since_s=1.0, until_s=1.5) == 0.0


def test_what_every_host_does_now_and_then_is_no_standstill() -> None:
    """Looks that are a little late, all the time."""
    assert lost(*((0.1 + number / 10, LATE_S) for number in range(20))) == 0.0


def test_a_standstill_is_known_before_the_loop_runs_again() -> None:
    """Asked in the moment in which it ends, by the code that was blocked."""

    async def story(clock: Clock) -> tuple[float, float, float]:
        with watching(lambda: 0.0):
            await asyncio.sleep(1.0)
            begin = time.monotonic()
            clock.advance(BLOCK_S)
            at_once = stood_still_s(begin, time.monotonic())
            await asyncio.sleep(1.0)
            longest = longest_standstill_s(begin, time.monotonic())
            return at_once, stood_still_s(begin, time.monotonic()), longest

    at_once, later, longest = virtual_time.run(story)
    assert BLOCK_S - PERIOD_S <= at_once <= BLOCK_S
    assert later == pytest.approx(at_once)  # it is not counted twice
    assert longest == pytest.approx(at_once)


def test_the_longest_is_of_one() -> None:
    """Two short ones are not one long one."""

    async def story(clock: Clock) -> float:
        with watching(lambda: 0.0):
            begin, loop = time.monotonic(), asyncio.get_running_loop()
            for after_s, seconds in ((0.2, 0.3), (0.8, 0.4)):
                loop.call_later(after_s, clock.advance, seconds)
            await asyncio.sleep(2.0)
            return longest_standstill_s(begin, time.monotonic())

    assert virtual_time.run(story) == pytest.approx(0.4, abs=2 * PERIOD_S)


def test_a_host_that_was_suspended_stood_still() -> None:
    """The monotonic clock does not move meanwhile; another does."""
    slept = [0.0]

    async def story(_clock: Clock) -> float:
        with watching(lambda: slept[0]):
            begin = time.monotonic()
            await asyncio.sleep(1.0)
            slept[0] = 3600.0
            await asyncio.sleep(1.0)
            return stood_still_s(begin, time.monotonic())

    assert virtual_time.run(story) == pytest.approx(3600.0)


def test_this_host_tells_for_how_long_it_was_suspended() -> None:
    """It grows only while it is."""
    first = suspended_s()
    assert suspended_s() == pytest.approx(first, abs=0.5)


def test_who_has_not_looked_accuses_nobody() -> None:
    """Outside of a run of a probe nobody watches."""
    assert stood_still_s(0.0, time.monotonic()) == 0.0
    assert longest_standstill_s(0.0, time.monotonic()) == 0.0


def test_a_task_of_a_run_is_watched_and_another_is_not() -> None:
    """The watch is of the block, and of what is started in it."""

    async def ask(begin: float) -> float:
        return stood_still_s(begin, time.monotonic())

    async def story(clock: Clock) -> tuple[float, float]:
        begin = time.monotonic()
        with watching(lambda: 0.0):
            await asyncio.sleep(0.1)
            clock.advance(BLOCK_S)
            inside = await asyncio.create_task(ask(begin))
        return inside, await asyncio.create_task(ask(begin))

    inside, outside = virtual_time.run(story)
    assert inside >= BLOCK_S - PERIOD_S
    assert outside == 0.0


def test_a_watch_that_has_ended_sees_nothing_more() -> None:
    """What comes later is of no run."""

    async def story(clock: Clock) -> Callable[[float, float], float]:
        watch = Standstills(lambda: 0.0)
        watch.start()
        await asyncio.sleep(0.1)
        watch.stop()
        clock.advance(BLOCK_S)
        await asyncio.sleep(0.1)
        return watch.seconds

    assert virtual_time.run(story)(0.0, 10_000.0) == 0.0
