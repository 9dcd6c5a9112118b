"""Runs that a gate refuses, that are asked for, and that are given up."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel

from exporter.config.values import ProbeSection
from exporter.daemon.plan import call_work
from exporter.outcome import CallResult, Outcome, Reason, Turn, failure
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.budget import spending
from exporter.run.scheduler import _ASK_AGAIN_S, Refused, Scheduler, Work
from exporter.store.records import Spending
from tests import virtual_time
from tests.patience import comes_true
from tests.unit.calls import replied
from tests.unit.scheduling import DONE, Bench, Calls, work
from tests.virtual_time import Clock


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

    async def scenario(_clock: Clock) -> None:
        bench = Bench(run, (first, second))
        bench.scheduler.add(work(), 0)
        bench.scheduler.start()
        await comes_true(lambda: len(bench.seen) >= 1)
        bench.scheduler.stop()
        assert bench.skipped == [("fake", "demo", "window")] * 3

    with caplog.at_level(logging.INFO):
        virtual_time.run(scenario, wall=True)
    assert [name for name, _ in asked[:8]] == ["first", "second"] * 4
    assert ran[0] == asked[6][1] == asked[7][1]
    assert len({run_id for _, run_id in asked[:8]}) == 4
    assert [record.message for record in caplog.records].count("run skipped") == 1


def test_run_that_is_refused_is_due_again_soon() -> None:
    """1. A daily run is due outside of its window. 2. That opens. Result: it is not missed."""
    is_open = False

    async def gate(_work: Work, _run_id: str) -> str:
        return "" if is_open else "window"

    async def scenario(_clock: Clock) -> None:
        nonlocal is_open
        bench = Bench(gates=(gate,))
        bench.scheduler.add(work(interval_s=86400), 0)
        bench.scheduler.start()
        await asyncio.sleep(1.5 * _ASK_AGAIN_S)
        assert (len(bench.skipped), len(bench.seen)) == (2, 0)
        is_open = True
        await asyncio.sleep(_ASK_AGAIN_S)
        assert (len(bench.skipped), len(bench.seen)) == (2, 1)
        due = bench.scheduler.next_run("w")
        assert due is not None
        assert (due - datetime.now(UTC)).total_seconds() > 80000
        bench.scheduler.stop()

    virtual_time.run(scenario, wall=True)


def test_a_run_that_is_asked_for_keeps_the_scheduled_one_off() -> None:
    """1. A run is asked for. 2. Another is, and one is due. Result: refused, skipped as overlap."""

    async def story(_clock: Clock) -> tuple[Bench, Calls, str]:
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

    bench, calls, reason = virtual_time.run(story, wall=True)

    assert reason == "overlap"
    assert bench.skipped == [("fake", "demo", "overlap")]
    assert len(calls.told) == 1
    assert bench.seen == []


def test_a_run_that_is_given_up_is_told_of() -> None:
    """Who asked goes away: the run is cancelled, and its listeners get its end all the same."""

    async def story(clock: Clock) -> list[Outcome]:
        calls = Calls()
        bench = Bench(calls.run)
        asked = asyncio.create_task(calls.ask(bench.scheduler))
        await asyncio.sleep(1)
        clock.set_wall(-3600)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        calls.go_on.set()
        await calls.ask(bench.scheduler)
        return calls.told

    first, second = virtual_time.run(story, wall=True)

    assert first.reason is Reason.DEADLINE
    assert first.duration_s == pytest.approx(1)
    assert first.run_id
    assert second.ok


def test_a_call_that_is_given_up_tells_of_the_turns_it_had() -> None:
    """Each of them was paid for: the budget counts them from its outcome."""
    target = LatencyConfig(agent_name="demo")
    told: list[Outcome] = []

    async def two_turns(
        _probe: str,
        _config: BaseModel,
        _run_id: str,
        *,
        on_start: Callable[[], Awaitable[None]],
        on_turn: Callable[[Turn], None],
        **_more: object,
    ) -> Outcome:
        await on_start()
        for _ in range(2):
            on_turn(replied(1.0))
        await asyncio.Event().wait()
        return DONE

    async def story(_clock: Clock) -> list[Turn]:
        heard: list[Turn] = []
        scheduler = Scheduler(two_turns, (), lambda *_: None)  # type: ignore[arg-type]
        asked = asyncio.create_task(scheduler.ask(call_work(target), heard.append, [told.append]))
        await comes_true(lambda: len(heard) == 2)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        return heard

    heard = virtual_time.run(story)

    assert told[0].result == CallResult("demo", "default", "default", tuple(heard))
    assert spending(told[0], Spending(*target.most)).turns == 3


def test_a_gate_holds_for_who_asks() -> None:
    """A gate refuses: nothing is run, and the reason is told."""

    async def closed(_work: Work, _run_id: str) -> str:
        return "window"

    async def story(_clock: Clock) -> str:
        scheduler = Scheduler(Calls().run, (), lambda *_: None, (closed,))
        with pytest.raises(Refused) as refusal:
            await Calls().ask(scheduler)
        return refusal.value.reason

    assert virtual_time.run(story) == "window"


def test_window_that_closes_while_a_run_waits_for_a_process_stops_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """1. A run is due inside of its window. 2. That closes. 3. A process is free. Result: no run.

    The log has the reason and the wait. What reserves is not asked before: nothing has to be given
    back.
    """
    free, reserved = asyncio.Event(), []
    is_open = True

    async def window(_work: Work, _run_id: str) -> str:
        return "" if is_open else "window"

    async def reserve(_work: Work, run_id: str) -> str:
        reserved.append(run_id)
        return ""

    async def waits(
        _probe: str,
        _config: BaseModel,
        _run_id: str,
        *,
        on_start: Callable[[], Awaitable[None]],
        **_: object,
    ) -> Outcome:
        await free.wait()
        await on_start()
        return DONE

    async def scenario(_clock: Clock) -> None:
        nonlocal is_open
        bench = Bench(waits, (window,), (reserve,))  # type: ignore[arg-type] # on_start is given
        bench.scheduler.add(work(interval_s=3600), 0)
        bench.scheduler.start()
        await asyncio.sleep(60)
        assert (bench.skipped, bench.seen) == ([], [])
        is_open = False
        free.set()
        await comes_true(lambda: bool(bench.skipped))
        assert (bench.skipped, bench.seen) == ([("fake", "demo", "window")], [])
        assert reserved == []
        is_open = True
        await asyncio.sleep(1.5 * _ASK_AGAIN_S)
        assert (len(bench.seen), len(reserved)) == (1, 1)
        bench.scheduler.stop()

    with caplog.at_level(logging.INFO):
        virtual_time.run(scenario, wall=True)
    skipped = [vars(each) for each in caplog.records if each.message == "run skipped"]
    assert [(each["reason"], each["waited_s"]) for each in skipped] == [("window", "60")]


def test_only_a_run_after_a_failed_one_is_to_run_soon() -> None:
    """FAIL, UNKNOWN, FAIL, PASS. Result: what follows a FAIL waits in the queue of the failed.

    What the prober spoiled is no failure of the target, nor an end of one.
    """
    ended = (Reason.NO_REPLY, Reason.VOID, Reason.NO_REPLY, None, None)
    asked: list[bool] = []

    async def run(
        _probe: str, _config: BaseModel, _run_id: str, *, soon: bool, **_: object
    ) -> Outcome:
        outcome = replace(DONE, reason=ended[len(asked) % len(ended)])
        asked.append(soon)
        return replace(outcome, findings=failure(outcome))

    async def scenario(_clock: Clock) -> None:
        bench = Bench(run)  # type: ignore[arg-type] # soon is given
        bench.scheduler.add(work(), 0)
        bench.scheduler.start()
        await comes_true(lambda: len(asked) == len(ended))
        bench.scheduler.stop()

    virtual_time.run(scenario, wall=True)

    assert asked == [False, True, True, True, False]


def test_who_gives_up_before_a_process_is_free_is_refused() -> None:
    """Nothing was called: no outcome blames the agent for the wait."""

    async def waits(*_: object, **__: object) -> Outcome:
        await asyncio.Event().wait()
        return DONE

    async def story(_clock: Clock) -> tuple[str, list[Outcome]]:
        bench, told = Bench(waits), Calls()
        asked = asyncio.create_task(told.ask(bench.scheduler))
        await asyncio.sleep(1)
        asked.cancel()
        with pytest.raises(Refused) as refusal:
            await asked
        return refusal.value.reason, told.told

    assert virtual_time.run(story) == ("busy", [])


class Waiting(Calls):
    """A probe that waits for a process until it is told, and then runs at once."""

    async def run(
        self,
        _probe: str,
        _config: ProbeSection,
        run_id: str,
        *,
        on_start: Callable[[], Awaitable[None]] | None = None,
        **_: object,
    ) -> Outcome:
        """Wait, ask whether it may begin, and note that it has run."""
        await self.go_on.wait()
        assert on_start is not None
        await on_start()
        return replace(DONE, run_id=run_id)


@pytest.mark.parametrize("replaced", [False, True])
def test_work_that_a_reload_took_away_is_not_run_after_its_wait(replaced: bool) -> None:
    """1. A run waits for a process. 2. Its work is removed or replaced. Result: no run, no skip."""

    async def scenario(_clock: Clock) -> None:
        calls = Waiting()
        bench = Bench(calls.run)
        bench.scheduler.add(work(interval_s=3600), 0)
        bench.scheduler.start()
        await asyncio.sleep(60)
        if replaced:
            bench.scheduler.add(work(interval_s=1800), 1800)
        else:
            bench.scheduler.remove("w")
        calls.go_on.set()
        await asyncio.sleep(60)
        assert (bench.seen, bench.skipped) == ([], [])
        await asyncio.sleep(1800)
        assert len(bench.seen) == replaced
        bench.scheduler.stop()

    virtual_time.run(scenario, wall=True)


def test_who_asks_for_work_that_a_reload_takes_away_is_refused() -> None:
    """1. A run that was asked for waits. 2. A reload removes the target. Result: no call."""

    async def story(_clock: Clock) -> tuple[str, list[Outcome]]:
        calls = Waiting()
        bench = Bench(calls.run)
        bench.scheduler.add(work(interval_s=3600), 3600)
        asked = asyncio.create_task(calls.ask(bench.scheduler))
        await asyncio.sleep(1)
        bench.scheduler.remove("w")
        calls.go_on.set()
        with pytest.raises(Refused) as refusal:
            await asked
        return refusal.value.reason, calls.told

    assert virtual_time.run(story, wall=True) == ("removed", [])
