"""When work runs: first, again, late, and no more."""

import asyncio
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel

from exporter.outcome import Outcome
from exporter.run.scheduler import _DEAD_AFTER_S, FIRST_CALL_S, MAX_STAGGER_S, Scheduler, stagger
from tests import virtual_time
from tests.patience import comes_true
from tests.unit.scheduling import DONE, Bench, Calls, work
from tests.virtual_time import Clock


def test_first_calls_are_spread_and_soon() -> None:
    """The first is soon, many fill their interval, few are not far apart."""
    many = stagger([60.0] * 60)
    few = stagger([3600.0] * 3)

    assert many[0] == few[0] == FIRST_CALL_S
    assert many == pytest.approx([FIRST_CALL_S + place for place in range(60)])
    assert few[2] == FIRST_CALL_S + 2 * MAX_STAGGER_S
    assert stagger([]) == []


def test_work_runs_again_and_again_until_removed() -> None:
    """Each run's Outcome is handed on; after its removal the work does not run."""

    async def scenario(_clock: Clock) -> None:
        bench = Bench()
        bench.scheduler.add(work(), 0)
        bench.scheduler.start()
        await comes_true(lambda: len(bench.seen) >= 3)
        assert bench.scheduler.next_run("w") is not None

        bench.scheduler.remove("w")
        bench.scheduler.remove("w")
        seen = len(bench.seen)
        bench.scheduler.add(work("other"), 0)
        await comes_true(lambda: len(bench.seen) >= seen + 2)
        assert bench.scheduler.next_run("w") is None
        bench.scheduler.stop()

    virtual_time.run(scenario, wall=True)


def test_work_never_overlaps_itself() -> None:
    """1. A run is under way. 2. The next is due. Result: it is skipped, and counted as overlap."""
    running = 0

    async def scenario(_clock: Clock) -> None:
        free = asyncio.Event()

        async def slow(_probe: str, _config: BaseModel, _run_id: str, **_: object) -> Outcome:
            nonlocal running
            running += 1
            assert running == 1
            await free.wait()
            running -= 1
            return DONE

        bench = Bench(slow)
        bench.scheduler.add(work(), 0)
        bench.scheduler.start()
        await comes_true(lambda: len(bench.skipped) >= 2)
        assert bench.seen == []
        assert set(bench.skipped) == {("fake", "demo", "overlap")}
        free.set()
        await comes_true(lambda: len(bench.seen) >= 1)
        bench.scheduler.stop()

    virtual_time.run(scenario, wall=True)


def test_ticks_that_were_slept_through_are_counted_as_missed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """1. The process stands still for many intervals. Result: they are missed, not made up.

    Each is counted, and all together are one line: a sleep of days is no flood.
    """

    async def scenario(clock: Clock) -> None:
        bench = Bench()
        bench.scheduler.add(work(interval_s=0.4), 0)
        bench.scheduler.start()
        await comes_true(lambda: len(bench.seen) >= 1)
        before = len(bench.seen)
        clock.advance(4)
        await comes_true(lambda: len(bench.skipped) >= 4)
        assert set(bench.skipped) == {("fake", "demo", "missed")}
        assert len(bench.seen) - before <= 5  # the grace is 1 s: at most three, and those after
        bench.scheduler.stop()

    virtual_time.run(scenario, wall=True)
    assert [record.message for record in caplog.records].count("run skipped") <= 2


def test_bad_listener_and_bad_run_do_not_stop_the_work(caplog: pytest.LogCaptureFixture) -> None:
    """A listener or a run that raises is logged; later listeners and later runs go on."""

    async def scenario(_clock: Clock) -> None:
        runs = 0
        seen: list[Outcome] = []

        async def every_other(
            _probe: str, _config: BaseModel, _run_id: str, **_: object
        ) -> Outcome:
            nonlocal runs
            runs += 1
            if runs % 2:
                raise ValueError("odd")
            return DONE

        def bad(_outcome: Outcome) -> None:
            raise RuntimeError("cannot take it")

        scheduler = Scheduler(every_other, [bad, seen.append], lambda *_: None)
        scheduler.add(work(), 0)
        scheduler.start()
        await comes_true(lambda: len(seen) >= 2)
        scheduler.stop()

    virtual_time.run(scenario, wall=True)

    assert "callback failed" in caplog.text
    assert "run failed without an outcome" in caplog.text


def test_stop_cancels_what_runs() -> None:
    """After the stop no run goes on, and none starts."""
    cancelled: list[str] = []

    async def scenario(_clock: Clock) -> None:
        began = asyncio.Event()

        async def endless(_probe: str, _config: BaseModel, _run_id: str, **_: object) -> Outcome:
            began.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.append("cancelled")
            return DONE

        bench = Bench(endless)
        bench.scheduler.add(work(), 0)
        bench.scheduler.start()
        await began.wait()
        bench.scheduler.stop()
        bench.scheduler.stop()
        await comes_true(lambda: bool(cancelled))
        assert not bench.scheduler.running

    virtual_time.run(scenario, wall=True)


def test_dead_scheduler_is_noticed() -> None:
    """1. Not started. 2. Running. 3. Its timer has died, just now. 4. Long ago. Result: told."""

    async def story(_clock: Clock) -> list[str]:
        bench = Bench()
        said = [await bench.scheduler.check()]
        bench.scheduler.add(work(interval_s=60), first_in_s=0.1)
        bench.scheduler.start()
        said.append(await bench.scheduler.check())
        await asyncio.sleep(1)
        bench.scheduler._jobs._stop_timer()
        due = bench.scheduler.next_run("w")
        assert due is not None
        await asyncio.sleep((due - datetime.now(UTC)).total_seconds() + _DEAD_AFTER_S - 1)
        said.append(await bench.scheduler.check())
        await asyncio.sleep(2)
        said.append(await bench.scheduler.check())
        bench.scheduler.stop()
        return said

    before, running, just_now, long_ago = virtual_time.run(story, wall=True)

    assert before == "the scheduler is not running"
    assert (running, just_now) == ("", "")
    assert long_ago == "the scheduler started nothing for 16 s although a run was due"


def test_clock_that_is_put_back_stops_nothing() -> None:
    """1. A run is nearly due. 2. The clock goes back by an hour. Result: it waits no hour more."""

    async def story(clock: Clock) -> None:
        bench = Bench()
        bench.scheduler.add(work(interval_s=60), first_in_s=60)
        bench.scheduler.start()
        await asyncio.sleep(59)
        assert await bench.scheduler.check() == ""
        clock.set_wall(-3600)
        assert await bench.scheduler.check() == ""
        assert bench.seen == []
        await asyncio.sleep(1.5)
        assert len(bench.seen) == 1
        due = bench.scheduler.next_run("w")
        assert due is not None
        assert 50 < (due - datetime.now(UTC)).total_seconds() < 70
        bench.scheduler.stop()

    virtual_time.run(story, wall=True)


def test_time_between_runs_is_the_interval_in_the_mean() -> None:
    """Jitter moves runs both ways: one that only delays would have 2.5 % fewer of them."""
    scheduler = Scheduler(Calls().run, (), lambda *_: None)
    scheduler.add(work(interval_s=100), 0)
    (job,) = scheduler._jobs.get_jobs()
    first = moment = datetime.now(UTC)
    for _ in range(1000):
        moment = job.trigger.get_next_fire_time(moment, moment)
    assert (moment - first).total_seconds() == pytest.approx(100_000, rel=0.005)
