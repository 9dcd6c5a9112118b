"""Budgets: reserved before, settled after, never exceeded, and their series."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from exporter.config.schedule import BudgetConfig
from exporter.daemon.plan import account_of, call_work
from exporter.metrics.ledger import BudgetSeries, StoreSeries
from exporter.metrics.registry import Metrics
from exporter.outcome import (
    Calibration,
    CallResult,
    Listing,
    ModelUsage,
    Outcome,
    Reason,
    Turn,
    TurnOutcome,
    Verdict,
)
from exporter.probes.agents.spec import AgentsConfig
from exporter.probes.calibrate.spec import CalibrateConfig
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.budget import Budgets, spending
from exporter.run.runner import PROBES_TABLE
from exporter.run.scheduler import Work
from exporter.settings.settings import Settings
from exporter.store.buffered import BufferedStore
from exporter.store.records import RunQuery, Spending
from exporter.store.sqlite import open_sqlite
from tests.unit.calls import judged
from tests.unit.load_tiers import loaded, tier

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
AGENTS = Work("agents", "agents", "", AgentsConfig(), 15)
CALIBRATE = Work("calibrate", "calibrate", "", CalibrateConfig(), 3600)


def target(scenario: str = "default", *, trials: int = 3, **budget: object) -> LatencyConfig:
    """Return a target with a budget; a call has one turn more than `trials`."""
    config = BudgetConfig.model_validate(budget)
    return LatencyConfig(agent_name="demo", scenario=scenario, trials=trials, budget=config)


class Bench:
    """Budgets with a clock that stands and metrics that can be read."""

    def __init__(self, folder: Path | None = None) -> None:
        self.now = NOON
        self.registry = CollectorRegistry()
        metrics = Metrics(self.registry, "test")
        open_store = (lambda: open_sqlite(folder)) if folder else None
        self.store = BufferedStore(
            open_store, StoreSeries(metrics, "sqlite"), clock=lambda: self.now
        )
        self.budgets = Budgets(self.store, BudgetSeries(metrics), PROBES_TABLE, lambda: self.now)
        self._count = 0

    async def begin(self, work: Work) -> str:
        """Ask the gate; returns the run's id, "" when it is refused."""
        self._count += 1
        run_id = f"run{self._count}"
        return "" if await self.budgets.admit(work, run_id) else run_id

    def end(
        self,
        config: LatencyConfig,
        run_id: str,
        turns: int = 4,
        *,
        seconds: float = 30,
        reason: Reason | None = None,
        usage: tuple[ModelUsage, ...] = (),
    ) -> None:
        """End a run after so many turns."""
        each = tuple(Turn(TurnOutcome.REPLIED, e2e_s=1) for _ in range(turns))
        result = CallResult(*config.key, each, usage=usage)
        self.budgets.record(
            judged(Outcome("latency", "demo", self.now, seconds, reason, "", result, run_id=run_id))
        )

    def value(self, name: str) -> float | None:
        """Return the value of the agent's series."""
        labels = {"server": "test", "agent_name": "demo"}
        return self.registry.get_sample_value(name, labels)


def test_call_is_refused_when_less_is_left_than_it_may_cost() -> None:
    """1. Two calls of four turns. 2. A third, with 3 left of 11. Result: refused."""

    async def scenario() -> None:
        bench, config = Bench(), target(turns_per_day=11)
        work = call_work(config)
        bench.budgets.add(work)
        assert bench.value("voice_budget_remaining_turns") == 11
        for _ in range(2):
            bench.end(config, await bench.begin(work))
        assert await bench.budgets.admit(work, "third") == "budget"
        assert bench.value("voice_budget_remaining_turns") == 3
        assert bench.value("voice_budget_spent_total") == 8
        assert bench.value("voice_budget_remaining_call_seconds") is None
        assert bench.store.open_runs() == ()

    asyncio.run(scenario())


def test_reservation_counts_while_the_call_runs_and_is_settled() -> None:
    """What was not used is left again: turns, seconds, and the cost of what was."""

    async def scenario() -> None:
        bench = Bench()
        config = target(turns_per_day=100, call_seconds_per_day=3600, price_per_minute=0.5)
        bench.budgets.add(call_work(config))
        run_id = await bench.begin(call_work(config))
        assert bench.value("voice_budget_remaining_turns") == 96
        assert bench.value("voice_budget_remaining_call_seconds") == 3600 - config.deadline
        assert bench.value("voice_budget_spent_total") == 0
        assert bench.value("voice_budget_cost_total") == 0

        bench.end(config, run_id, turns=1, seconds=12, reason=Reason.AGENT_LEFT)

        assert bench.value("voice_budget_remaining_turns") == 99
        assert bench.value("voice_budget_remaining_call_seconds") == 3588
        assert bench.value("voice_budget_spent_total") == 1
        assert bench.value("voice_budget_spent_call_seconds_total") == 12
        assert bench.value("voice_budget_cost_total") == pytest.approx(0.1)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("reason", "turns", "expected"),
    [
        (None, 4, 4),
        (Reason.NO_REPLY, 2, 2),
        (Reason.NO_WORKER, 0, 0),
        (Reason.DEADLINE, 2, 3),
        (Reason.PROBE_CRASHED, 0, 1),
        (Reason.PROBE_CRASHED, 4, 4),
    ],
)
def test_turn_that_a_kill_cut_short_counts(
    reason: Reason | None, turns: int, expected: int
) -> None:
    """A killed run cannot tell of the turn it was in: it is taken to have had one."""
    each = (Turn(TurnOutcome.REPLIED),) * turns
    outcome = judged(
        Outcome(
            "latency", "demo", NOON, 20, reason, "", CallResult("demo", "default", "default", each)
        )
    )
    assert spending(outcome, Spending(*target().most)) == Spending(expected, 20)


def test_new_day_in_the_targets_own_time_zone_gives_all_back() -> None:
    """Midnight in Tokyo is 15:00 UTC; any finished run shows what is left now."""

    async def scenario() -> None:
        bench, config = Bench(), target(turns_per_day=4, time_zone="Asia/Tokyo")
        work = call_work(config)
        bench.budgets.add(work)
        bench.end(config, await bench.begin(work))
        assert await bench.begin(work) == ""
        bench.now += timedelta(hours=2, minutes=59)
        assert await bench.begin(work) == ""
        bench.now += timedelta(minutes=1)
        bench.budgets.record(judged(Outcome("agents", "", bench.now, 0.1, result=Listing())))
        assert bench.value("voice_budget_remaining_turns") == 4
        assert await bench.begin(work) != ""

    asyncio.run(scenario())


def test_call_over_midnight_is_charged_to_the_day_it_began_on() -> None:
    """Its settlement does not give the new day more than it has."""

    async def scenario() -> None:
        bench, config = Bench(), target(turns_per_day=4)
        work = call_work(config)
        bench.budgets.add(work)
        bench.now = datetime(2026, 11, 21, 23, 59, tzinfo=UTC)
        run_id = await bench.begin(work)
        bench.now += timedelta(minutes=2)
        bench.end(config, run_id, turns=1)
        assert bench.value("voice_budget_remaining_turns") == 4
        assert bench.store.spent_on(work.id, "2026-11-21").turns == 1

    asyncio.run(scenario())


def test_targets_of_one_agent_are_summed_and_keep_to_their_own() -> None:
    """Each has its own budget; the series is of the agent."""

    async def scenario() -> None:
        bench = Bench()
        small, large = target("small", turns_per_day=4), target("large", turns_per_day=40)
        free = target("free")
        for each in (small, large, free):
            bench.budgets.add(call_work(each))
        bench.end(small, await bench.begin(call_work(small)))
        assert await bench.begin(call_work(small)) == ""
        bench.end(free, await bench.begin(call_work(free)))
        assert bench.value("voice_budget_remaining_turns") == 40
        assert bench.value("voice_budget_spent_total") == 8
        bench.budgets.remove(call_work(large))
        assert bench.value("voice_budget_remaining_turns") == 0
        bench.budgets.remove(call_work(small))
        assert bench.value("voice_budget_remaining_turns") is None
        bench.budgets.remove(call_work(free))

    asyncio.run(scenario())


def test_target_without_limits_is_never_refused() -> None:
    """It is in the ledger all the same, and what it cost is counted."""

    async def scenario() -> None:
        bench, config = Bench(), target()
        bench.budgets.add(call_work(config))
        for _ in range(50):
            bench.end(config, await bench.begin(call_work(config)))
        assert bench.value("voice_budget_spent_total") == 200
        assert bench.value("voice_budget_remaining_turns") is None
        assert bench.value("voice_budget_cost_total") is None
        assert len(await bench.store.runs(RunQuery())) == 50

    asyncio.run(scenario())


def test_history_has_calls_calibrations_and_the_first_of_failures_alike() -> None:
    """A listing each 15 seconds would soon fill it."""

    async def scenario() -> None:
        bench, config = Bench(), target()
        bench.budgets.add(call_work(config))

        async def listing(reason: Reason | None) -> None:
            run_id = await bench.begin(AGENTS)
            assert run_id not in [run.run_id for run in bench.store.open_runs()]
            bench.budgets.record(judged(Outcome("agents", "", NOON, 1, reason, run_id=run_id)))

        for reason in (None, Reason.API_FAILED, Reason.API_FAILED, Reason.AUTH_FAILED, None):
            await listing(reason)
        await listing(Reason.AUTH_FAILED)
        calibration = await bench.begin(CALIBRATE)
        assert [run.run_id for run in bench.store.open_runs()] == [calibration]
        floor = Calibration(0.094, 0.01, 10)
        bench.budgets.record(
            judged(Outcome("calibrate", "", NOON, 9, result=floor, run_id=calibration))
        )
        bench.end(config, await bench.begin(call_work(config)), reason=Reason.NO_WORKER, turns=0)

        runs = await bench.store.runs(RunQuery())
        reasons = sorted(str(run.reason) for run in runs)
        assert reasons == ["None", "api_failed", "auth_failed", "auth_failed", "no_worker"]
        (call,) = (run for run in runs if run.probe == "latency")
        assert (call.verdict, call.scenario) == (Verdict.FAIL, "default")
        assert [each.result for each in bench.store._memory.calibrations(9)] == [floor]

    asyncio.run(scenario())


def test_call_of_a_target_that_has_gone_is_settled_without_a_series() -> None:
    """1. A call runs. 2. A reload removes its target. 3. It ends. Result: only the ledger knows."""

    async def scenario() -> None:
        bench, config = Bench(), target(turns_per_day=9)
        work = call_work(config)
        bench.budgets.add(work)
        run_id = await bench.begin(work)
        bench.budgets.remove(work)
        bench.end(config, run_id, turns=2)
        assert bench.value("voice_budget_spent_total") is None
        assert bench.store.spent_on(work.id, "2026-11-21").turns == 2

    asyncio.run(scenario())


def test_stop_leaves_calls_open_and_forgets_the_rest() -> None:
    """Every restart in order would else leave a calibration or a baseline as crashed."""

    async def scenario() -> None:
        bench, config = Bench(), target()
        bench.budgets.add(call_work(config))
        call = await bench.begin(call_work(config))
        await bench.begin(CALIBRATE)
        bench.budgets.stop()
        assert [run.run_id for run in bench.store.open_runs()] == [call]

    asyncio.run(scenario())


@given(
    limit=st.integers(4, 40),
    runs=st.lists(
        st.tuples(st.integers(0, 4), st.sampled_from(["ends", "killed", "overlaps"])), max_size=30
    ),
)
def test_budget_is_never_exceeded(limit: int, runs: list[tuple[int, str]]) -> None:
    """Whatever ends, is killed with the exporter or runs at once: the limit of a day holds."""

    async def scenario() -> None:
        bench, config = Bench(), target(turns_per_day=limit)
        work, used, running = call_work(config), 0, []
        bench.budgets.add(work)
        for turns, fate in runs:
            run_id = await bench.begin(work)
            if not run_id:
                continue
            used += turns
            if fate == "overlaps":
                running.append((run_id, turns))
            elif fate == "ends":
                bench.end(config, run_id, turns)
        for run_id, turns in running:
            bench.end(config, run_id, turns)
        assert used <= bench.store.spent_on(work.id, "2026-11-21").turns <= limit

    asyncio.run(scenario())


def test_crash_loop_cannot_spend_twice(tmp_path: Path) -> None:
    """1. Exporters die in the first call, again and again. Result: the day's budget stands."""
    config = target(turns_per_day=11)

    async def life(number: int) -> bool:
        bench = Bench(tmp_path)
        await bench.store.start()
        bench.budgets.add(call_work(config))
        refused = await bench.budgets.admit(call_work(config), f"run{number}")
        await bench.store.aclose()  # and the run never ends
        return not refused

    assert sum(asyncio.run(life(number)) for number in range(5)) == 2


def test_targets_of_one_account_share_its_budget() -> None:
    """1. Two found agents, 9 turns a day. 2. Each is called once. Result: no call is left."""

    def found(name: str) -> Work:
        budget = BudgetConfig(turns_per_day=9)
        return call_work(LatencyConfig(agent_name=name, trials=3, budget=budget), "discover")

    async def scenario() -> None:
        bench, works = Bench(), [found("demo"), found("other")]
        for work in works:
            bench.budgets.add(work)
        for number, work in enumerate(works):
            assert await bench.budgets.admit(work, f"run{number}") == ""
        assert [await bench.budgets.admit(work, "more") for work in works] == ["budget"] * 2
        assert [bench.budgets.remaining(work.id).turns for work in works] == [1, 1]
        assert bench.value("voice_budget_remaining_turns") == 1
        bench.budgets.forfeit(bench.store.open_runs()[0])
        assert bench.value("voice_budget_spent_total") == 4

    asyncio.run(scenario())


READER = ModelUsage("reader", llm_input=900, llm_cached=400, llm_output=100)


def test_no_call_starts_once_the_tokens_of_a_day_are_reached(tmp_path: Path) -> None:
    """1. Three calls of 1,000 tokens, of 2,500. 2. A restart. 3. The next day.

    Result: the third overshoots; then none starts, also after the restart, until the next day.
    """
    config = target(tokens_per_day=2500)
    work = call_work(config)

    async def first() -> None:
        bench = Bench(tmp_path)
        await bench.store.start()
        bench.budgets.add(work)
        left = [bench.value("voice_budget_remaining_tokens")]
        for number in range(3):
            assert await bench.budgets.admit(work, f"first{number}") == ""
            bench.end(config, f"first{number}", usage=(READER, ModelUsage("voice", 0, 0, 0, 70)))
            left.append(bench.value("voice_budget_remaining_tokens"))
        assert left == [2500, 1500, 500, 0]
        assert await bench.budgets.admit(work, "fourth") == "budget"
        await bench.store.aclose()

    async def second() -> None:
        bench = Bench(tmp_path)
        await bench.store.start()
        bench.budgets.add(work)
        assert await bench.budgets.admit(work, "fifth") == "budget"
        assert bench.budgets.remaining(work.id).tokens == 0
        bench.now += timedelta(days=1)
        assert await bench.budgets.admit(work, "sixth") == ""
        await bench.store.aclose()

    asyncio.run(first())
    asyncio.run(second())


def test_agent_that_reports_no_tokens_is_not_held_by_them() -> None:
    """Its limit stays as it was; without a limit there is no series."""

    async def scenario() -> None:
        bench, config = Bench(), target(tokens_per_day=10)
        bench.budgets.add(call_work(config))
        for _ in range(5):
            bench.end(config, await bench.begin(call_work(config)))
        assert bench.value("voice_budget_remaining_tokens") == 10
        bench.budgets.remove(call_work(config))
        bench.budgets.add(call_work(target()))
        assert bench.value("voice_budget_remaining_tokens") is None

    asyncio.run(scenario())


PRICES = [
    {
        "model": "reader",
        "llm_input_per_million": 2.0,
        "llm_cached_per_million": 0.5,
        "llm_output_per_million": 10,
    },
    {"model": "voice", "tts_characters_per_million": 30},
    {"model": "ear", "stt_per_minute": 0.006},
]
USED = (READER, ModelUsage("voice", tts_characters=1000), ModelUsage("ear", stt_seconds=30))
COST = (500 * 2 + 400 * 0.5 + 100 * 10) / 1e6 + 1000 * 30 / 1e6 + 0.003


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        pytest.param({"prices": PRICES}, COST, id="by model"),
        pytest.param({"prices": PRICES, "price_per_minute": 0.5}, COST + 0.25, id="and minutes"),
        pytest.param({"prices": PRICES[1:2]}, 0.03, id="a model without a price"),
        pytest.param(
            {"prices": [{"model": "reader", "llm_input_per_million": 2}]}, 0.0018, id="no cache"
        ),
    ],
)
def test_what_a_call_has_used_has_its_price(budget: dict[str, Any], expected: float) -> None:
    """Cached tokens are among those read, and have a price of their own where one is set."""

    async def scenario() -> None:
        bench, config = Bench(), target(**budget)
        bench.budgets.add(call_work(config))
        assert bench.value("voice_budget_cost_total") == 0
        bench.end(config, await bench.begin(call_work(config)), usage=USED)
        assert bench.value("voice_budget_cost_total") == pytest.approx(expected)

    asyncio.run(scenario())


LOADED = {
    "livekit": {"url": "ws://127.0.0.1:1", "api_key": "key", "api_secret": "very-secret"},
    "agent_load": {"agent_name": "demo", "calls": "1,2", "duration": "20s"},
}


def loading(**budget: object) -> tuple[Settings, Work]:
    """Return a configuration with a target that is loaded as well, and that load as work."""
    settings = Settings.model_validate(
        LOADED | {"targets": [{"agent_name": "demo", "budget": budget}]}
    )
    config = settings.load_here()
    account = account_of(settings, config)
    return settings, Work("agent_load", "agent_load", "", config, 86400, account)


def test_a_load_is_charged_to_the_budget_of_its_agent() -> None:
    """1. A load is reserved whole. 2. It ends. Result: what it took is spent, the rest is left."""

    async def scenario() -> None:
        bench = Bench()
        settings, work = loading(turns_per_day=1000)
        bench.budgets.add(call_work(settings.targets[0]))
        run_id = await bench.begin(work)
        (opened,) = bench.store.open_runs()
        assert opened.plan.turns == 3 * (20 / 2 + 1 + 1)  # an utterance each 2 s, and warm-up
        assert bench.value("voice_budget_remaining_turns") == 1000 - opened.plan.turns

        bench.budgets.record(replace(loaded(tier(1), tier(2)), run_id=run_id))

        assert bench.value("voice_budget_remaining_turns") == 1000 - 33  # ten turns and a warm-up
        assert bench.value("voice_budget_spent_total") == 33
        assert bench.store.open_runs() == ()

    asyncio.run(scenario())


def test_a_load_that_may_exceed_the_budget_is_refused() -> None:
    """It waits for another day; the calls of its target go on."""

    async def scenario() -> None:
        bench = Bench()
        settings, work = loading(turns_per_day=30)
        calls = call_work(settings.targets[0])
        bench.budgets.add(calls)
        assert await bench.budgets.admit(work, "load") == "budget"
        assert await bench.budgets.admit(calls, "call") == ""

    asyncio.run(scenario())


def test_what_a_load_took_that_failed_is_all_of_its_plan() -> None:
    """Which of its calls had begun is not known."""
    plan = Spending(36, 600)
    assert spending(replace(loaded(tier(1)), reason=Reason.PROBE_CRASHED), plan) == plan
