"""When runs start, and what is told of those that do not."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel

from exporter.outcome import CallResult, Outcome, Reason, Turn
from exporter.probes.latency import LatencyConfig
from exporter.run.budget import plan_of, spending
from exporter.run.plan import call_work
from exporter.run.scheduler import (
    FIRST_CALL_S,
    MAX_STAGGER_S,
    Gate,
    Refused,
    RunProbe,
    Scheduler,
    Work,
    stagger,
)
from tests.patience import WAIT_S, comes_true
from tests.unit.calls import replied

DONE = Outcome("fake", "", datetime(2026, 11, 20, tzinfo=UTC), 0.1)


class Nothing(BaseModel):
    """The configuration of a probe that needs none."""


def work(name: str = "w", interval_s: float = 0.1) -> Work:
    """Return work of a fake probe."""
    return Work(name, "fake", "demo", Nothing(), interval_s)


class Bench:
    """A scheduler with ears: what ended, and what was skipped."""

    def __init__(
        self,
        run: RunProbe | None = None,
        gates: Sequence[Gate] = (),
    ) -> None:
        self.seen: list[Outcome] = []
        self.skipped: list[tuple[str, str, str]] = []
        self.scheduler = Scheduler(
            run or self.done,
            [self.seen.append],
            lambda *skip: self.skipped.append(skip),
            gates,
        )

    async def done(self, _probe: str, _config: BaseModel, _run_id: str, **_: object) -> Outcome:
        """Run at once."""
        return DONE


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

    async def scenario() -> None:
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

    asyncio.run(scenario())


def test_work_never_overlaps_itself() -> None:
    """1. A run is under way. 2. The next is due. Result: it is skipped, and counted as overlap."""
    running = 0

    async def scenario() -> None:
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

    asyncio.run(scenario())


def test_ticks_that_were_slept_through_are_counted_as_missed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """1. The process stands still for many intervals. Result: they are missed, not made up.

    Each is counted, and all together are one line: a sleep of days is no flood.
    """

    async def scenario() -> None:
        bench = Bench()
        bench.scheduler.add(work(interval_s=0.4), 0)
        bench.scheduler.start()
        await comes_true(lambda: len(bench.seen) >= 1)
        time.sleep(4)  # noqa: ASYNC251 - standing still is the point
        before = len(bench.seen)
        await comes_true(lambda: len(bench.skipped) >= 4)
        assert set(bench.skipped) == {("fake", "demo", "missed")}
        assert len(bench.seen) - before <= 5
        bench.scheduler.stop()

    asyncio.run(scenario())
    assert [record.message for record in caplog.records].count("run skipped") <= 2


def test_bad_listener_and_bad_run_do_not_stop_the_work(caplog: pytest.LogCaptureFixture) -> None:
    """A listener or a run that raises is logged; later listeners and later runs go on."""

    async def scenario() -> None:
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

    asyncio.run(scenario())

    assert "a listener failed" in caplog.text
    assert "a run failed without an outcome" in caplog.text


def test_stop_cancels_what_runs() -> None:
    """After the stop no run goes on, and none starts."""
    cancelled: list[str] = []

    async def scenario() -> None:
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

    asyncio.run(scenario())


def test_dead_scheduler_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """1. Not started. 2. Running. 3. Its timer has died. Result: each is told."""

    async def story() -> list[str]:
        bench = Bench()
        said = [await bench.scheduler.check()]
        bench.scheduler.add(work(interval_s=0.2), first_in_s=0.1)
        bench.scheduler.start()
        said.append(await bench.scheduler.check())
        monkeypatch.setattr("exporter.run.scheduler._DEAD_AFTER_S", 0.3)
        await comes_true(lambda: bool(bench.seen))
        bench.scheduler._jobs._stop_timer()
        async with asyncio.timeout(WAIT_S):
            while not said[-1] or len(said) < 3:
                await asyncio.sleep(0.05)
                said.append(await bench.scheduler.check())
        bench.scheduler.stop()
        return said

    first, second, *_, last = asyncio.run(story())

    assert first == "the scheduler does not run"
    assert second == ""
    assert last.startswith("the scheduler started nothing for")


def test_clock_that_is_put_back_stops_nothing() -> None:
    """1. A run is due. 2. The clock goes back by an hour. Result: it does not wait for an hour."""

    async def story() -> None:
        bench = Bench()
        bench.scheduler.add(work(interval_s=60), first_in_s=3600.2)
        bench.scheduler.start()
        assert await bench.scheduler.check() == ""
        assert bench.seen == []
        bench.scheduler._ahead_s += 3600  # as it was before
        assert await bench.scheduler.check() == ""
        await comes_true(lambda: bool(bench.seen))
        due = bench.scheduler.next_run("w")
        assert due is not None
        assert 50 < (due - datetime.now(UTC)).total_seconds() < 70
        bench.scheduler.stop()

    asyncio.run(story())


def test_time_between_runs_is_the_interval_in_the_mean() -> None:
    """Jitter moves runs both ways: one that only delays would have 2.5 % fewer of them."""
    scheduler = Scheduler(Calls().run, (), lambda *_: None)
    scheduler.add(work(interval_s=100), 0)
    (job,) = scheduler._jobs.get_jobs()
    first = moment = datetime.now(UTC)
    for _ in range(1000):
        moment = job.trigger.get_next_fire_time(moment, moment)
    assert (moment - first).total_seconds() == pytest.approx(100_000, rel=0.005)


def test_gates_refuse_due_runs_and_know_their_ids(caplog: pytest.LogCaptureFixture) -> None:
    """1. The second gate refuses for a while. Result: counted each time, told once, then it runs.

    The run that starts has the id that the gates were asked about.
    """
    asked: list[tuple[str, str]] = []
    ran: list[str] = []

    async def first(_work: Work, run_id: str) -> str:
        asked.append(("first", run_id))
        return ""

    async def second(_work: Work, run_id: str) -> str:
        asked.append(("second", run_id))
        return "window" if len(asked) <= 6 else ""

    async def run(_probe: str, _config: BaseModel, run_id: str, **_: object) -> Outcome:
        ran.append(run_id)
        return DONE

    async def scenario() -> None:
        bench = Bench(run, (first, second))
        bench.scheduler.add(work(), 0)
        bench.scheduler.start()
        await comes_true(lambda: len(bench.seen) >= 1)
        bench.scheduler.stop()
        assert bench.skipped == [("fake", "demo", "window")] * 3

    with caplog.at_level(logging.INFO):
        asyncio.run(scenario())
    assert [name for name, _ in asked[:8]] == ["first", "second"] * 4
    assert ran[0] == asked[6][1] == asked[7][1]
    assert len({run_id for _, run_id in asked[:8]}) == 4
    assert [record.message for record in caplog.records].count("run skipped") == 1


def test_run_that_is_refused_is_due_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """1. A daily run is due outside of its window. 2. That opens. Result: it is not missed."""
    monkeypatch.setattr("exporter.run.scheduler._ASK_AGAIN_S", 0.1)
    is_open = False

    async def gate(_work: Work, _run_id: str) -> str:
        return "" if is_open else "window"

    async def scenario() -> None:
        nonlocal is_open
        bench = Bench(gates=(gate,))
        bench.scheduler.add(work(interval_s=86400), 0)
        bench.scheduler.start()
        await comes_true(lambda: len(bench.skipped) >= 2)
        is_open = True
        await comes_true(lambda: bool(bench.seen))
        due = bench.scheduler.next_run("w")
        assert due is not None
        assert (due - datetime.now(UTC)).total_seconds() > 80000
        bench.scheduler.stop()

    asyncio.run(scenario())


class Calls:
    """A probe that runs until it is told, and what was told of its ends."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.told: list[Outcome] = []

    async def run(self, _probe: str, _config: BaseModel, run_id: str, **_: object) -> Outcome:
        """Wait for the word."""
        await self.go_on.wait()
        return replace(DONE, run_id=run_id)

    async def ask(self, scheduler: Scheduler) -> Outcome:
        """Ask for a run, as a page does."""
        return await scheduler.ask(work(), lambda _: None, [self.told.append])


def test_a_run_that_is_asked_for_keeps_the_scheduled_one_off() -> None:
    """1. A run is asked for. 2. Another is, and one is due. Result: refused, skipped as overlap."""

    async def story() -> tuple[Bench, Calls, str]:
        calls = Calls()
        bench = Bench(calls.run)
        asked = asyncio.create_task(calls.ask(bench.scheduler))
        await asyncio.sleep(0)
        bench.scheduler.add(work(interval_s=60), first_in_s=0)
        bench.scheduler.start()
        await comes_true(lambda: bool(bench.skipped))
        with pytest.raises(Refused) as refusal:
            await calls.ask(bench.scheduler)
        calls.go_on.set()
        await asked
        bench.scheduler.stop()
        return bench, calls, refusal.value.reason

    bench, calls, reason = asyncio.run(story())

    assert reason == "overlap"
    assert bench.skipped == [("fake", "demo", "overlap")]
    assert len(calls.told) == 1
    assert bench.seen == []


def test_a_run_that_is_given_up_is_told_of() -> None:
    """Who asked goes away: the run is cancelled, and its listeners get its end all the same."""

    async def story() -> list[Outcome]:
        calls = Calls()
        bench = Bench(calls.run)
        asked = asyncio.create_task(calls.ask(bench.scheduler))
        await asyncio.sleep(0.01)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        calls.go_on.set()
        await calls.ask(bench.scheduler)
        return calls.told

    first, second = asyncio.run(story())

    assert first.reason is Reason.DEADLINE
    assert first.run_id
    assert second.ok


def test_a_call_that_is_given_up_tells_of_the_turns_it_had() -> None:
    """Each of them was paid for: the budget counts them from its outcome."""
    target = LatencyConfig(agent_name="demo")
    told: list[Outcome] = []

    async def two_turns(
        _probe: str, _config: BaseModel, _run_id: str, *, on_turn: Callable[[Turn], None]
    ) -> Outcome:
        for _ in range(2):
            on_turn(replied(1.0))
        await asyncio.Event().wait()
        return DONE

    async def story() -> list[Turn]:
        heard: list[Turn] = []
        scheduler = Scheduler(two_turns, (), lambda *_: None)  # type: ignore[arg-type]
        asked = asyncio.create_task(scheduler.ask(call_work(target), heard.append, [told.append]))
        await comes_true(lambda: len(heard) == 2)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        return heard

    heard = asyncio.run(story())

    assert told[0].result == CallResult("demo", "default", "default", tuple(heard))
    assert spending(told[0], plan_of(target)).turns == 3


def test_a_gate_holds_for_who_asks() -> None:
    """A gate refuses: nothing is run, and the reason is told."""

    async def closed(_work: Work, _run_id: str) -> str:
        return "window"

    async def story() -> str:
        scheduler = Scheduler(Calls().run, (), lambda *_: None, (closed,))
        with pytest.raises(Refused) as refusal:
            await Calls().ask(scheduler)
        return refusal.value.reason

    assert asyncio.run(story()) == "window"
