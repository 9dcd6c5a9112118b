"""The clock of tests jumps, and does nothing else."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from tests import virtual_time
from tests.virtual_time import START, Clock, HangsError


def test_an_hour_takes_no_time_and_reads_as_an_hour() -> None:
    """Sleepers wake in their order, each at its own moment, and the machine's clock stays."""

    async def story(_clock: Clock) -> list[tuple[str, float]]:
        begin = time.monotonic()
        woken: list[tuple[str, float]] = []

        async def sleep(name: str, seconds: float) -> None:
            await asyncio.sleep(seconds)
            woken.append((name, time.monotonic() - begin))

        await asyncio.gather(sleep("long", 3600.0), sleep("short", 0.02), sleep("mid", 1.5))
        return woken

    before = time.monotonic()
    woken = virtual_time.run(story)
    assert [name for name, _ in woken] == ["short", "mid", "long"]
    assert [at for _, at in woken] == pytest.approx([0.02, 1.5, 3600.0])
    assert time.monotonic() - before < 3600


def test_a_timeout_ends_at_its_time() -> None:
    """What waits for an event that does not come is told after exactly its limit."""

    async def story(_clock: Clock) -> float:
        begin = time.monotonic()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(30):
                await asyncio.Event().wait()
        return time.monotonic() - begin

    assert virtual_time.run(story) == pytest.approx(30)


def test_a_clock_that_is_moved_makes_sleepers_late() -> None:
    """A loop that is blocked wakes its sleepers after the block, as a real one does."""

    async def story(clock: Clock) -> float:
        due = time.monotonic() + 0.01
        sleeper = asyncio.create_task(asyncio.sleep(0.01))
        await asyncio.sleep(0)
        clock.advance(0.08)
        await sleeper
        return time.monotonic() - due

    assert virtual_time.run(story) == pytest.approx(0.07)


def test_a_test_that_can_never_end_fails() -> None:
    """Where every task waits and no timer is set, the test ends with that word."""

    async def story(_clock: Clock) -> None:
        await asyncio.Event().wait()

    with pytest.raises(HangsError):
        virtual_time.run(story)


def test_the_wall_clock_moves_along_where_it_is_asked_to() -> None:
    """Both clocks agree through waits and blocks; one that is put back does not move the other."""

    async def story(clock: Clock) -> None:
        begin = time.monotonic()
        assert datetime.now(UTC) == START
        await asyncio.sleep(90.25)
        clock.advance(0.5)
        assert datetime.now(UTC) == START + timedelta(seconds=90.75)
        assert time.time() == pytest.approx(START.timestamp() + 90.75)
        clock.set_wall(-3600)
        assert datetime.now(UTC) == START - timedelta(seconds=3509.25)
        assert time.monotonic() == pytest.approx(begin + 90.75)

    virtual_time.run(story, wall=True)
    assert datetime.now(UTC) != START


def test_the_library_s_jobs_run_on_it() -> None:
    """What plans by the wall clock and waits by the loop is never late and never early."""

    async def story(_clock: Clock) -> list[float]:
        at: list[float] = []

        async def tick() -> None:
            at.append((datetime.now(UTC) - START).total_seconds())

        jobs = AsyncIOScheduler(timezone=UTC)
        jobs.add_job(tick, "interval", seconds=0.1)
        jobs.start()
        await asyncio.sleep(10.05)
        jobs.shutdown(wait=False)
        return at

    at = virtual_time.run(story, wall=True)
    assert at == pytest.approx([number / 10 for number in range(1, 101)])
