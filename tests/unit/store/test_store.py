"""What every store must do: one suite for all of them."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from exporter.outcome import Calibration, Reason, Verdict
from exporter.roster.types import Worker, WorkerStatus
from exporter.store.protocol import Store
from exporter.store.records import (
    NO_BUDGET_LIMITS,
    BudgetLimits,
    CalibrationRecord,
    Retention,
    RunQuery,
    Spending,
)
from exporter.store.sqlite import SqliteStore, open_sqlite
from tests.redis_server import RedisServer
from tests.unit.store.records import DAY, NOON, PLAN, ended, open_run

DAYS = 86400.0


@pytest.fixture(
    name="store", params=["memory", "sqlite", pytest.param("redis", marks=pytest.mark.integration)]
)
def _store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    store: Store
    if request.param == "memory":
        store = SqliteStore()
    elif request.param == "sqlite":
        store = open_sqlite(tmp_path)
    else:
        server: RedisServer = request.getfixturevalue("redis_server")
        store = server.opener(tmp_path.name)()
    yield store
    store.close()


def spent(store: Store) -> Spending:
    """Return what the tests' target has spent on the tests' day."""
    return store.spent(DAY).get(("t", DAY), Spending())


def test_nothing_is_in_a_new_store(store: Store) -> None:
    """Every question has an answer from the start."""
    assert (store.open_runs(), store.runs(RunQuery()), store.calibrations(9)) == ((), (), ())
    assert (store.workers(), store.run("a"), dict(store.spent(""))) == ((), None, {})
    assert store.prune(NOON, Retention()) == 0


def test_begun_run_is_open_and_its_plan_reserved(store: Store) -> None:
    """A run is open, with all that is needed to clean up after it, until it ends."""
    assert store.begin(open_run("b", seconds=1))
    assert store.begin(open_run("a"))

    assert store.open_runs() == (open_run("a"), open_run("b", seconds=1))
    assert spent(store) == PLAN + PLAN
    assert store.runs(RunQuery()) == ()


def test_end_settles_what_was_really_spent(store: Store) -> None:
    """1. Reserve. 2. End with less. Result: only that is spent, and the run is history."""
    store.begin(open_run())
    store.end(ended(), Spending(2, 31.5))

    assert spent(store) == Spending(2, 31.5)
    assert store.open_runs() == ()
    assert store.run("a") == ended()


def test_run_that_never_ended_costs_all_of_its_plan(store: Store) -> None:
    """It is closed later without a settlement."""
    store.begin(open_run())
    store.end(ended(reason=Reason.PROBE_CRASHED))

    assert spent(store) == PLAN
    assert store.open_runs() == ()


def test_limits_refuse_what_is_more_than_is_left(store: Store) -> None:
    """Exactly what is left is allowed; the refused run leaves no trace."""
    limits = BudgetLimits(turns=8, call_seconds=400)
    assert store.begin(open_run("a"), limits)
    assert store.begin(open_run("b"), limits)

    assert not store.begin(open_run("c"), limits)
    assert not store.begin(open_run("d"), BudgetLimits(call_seconds=500))
    assert store.begin(open_run("e", target="other"), limits)

    assert spent(store) == PLAN + PLAN
    assert [run.run_id for run in store.open_runs()] == ["a", "b", "e"]


def test_writes_may_be_repeated(store: Store) -> None:
    """A write whose answer was lost is done again, and nothing is counted twice."""
    tight = BudgetLimits(turns=PLAN.turns)
    assert store.begin(open_run(), tight)
    assert store.begin(open_run(), tight)
    for _ in range(2):
        store.end(ended(), Spending(3, 20))
    store.begin(open_run("b"))
    for _ in range(2):
        store.cancel("b")

    assert spent(store) == Spending(3, 20)
    assert store.runs(RunQuery()) == (ended(),)


def test_run_without_a_target_is_charged_to_nobody(store: Store) -> None:
    """A calibration is open while it runs, and costs nothing."""
    store.begin(open_run(target=""), NO_BUDGET_LIMITS)
    assert store.open_runs() == (open_run(target=""),)
    store.end(ended(), Spending(1, 1))
    assert dict(store.spent("")) == {}


def test_restored_sums_are_the_larger_ones(store: Store) -> None:
    """1. Two stores know one day. 2. One is restored from the other. Result: nothing is lost."""
    store.begin(open_run("mine"))
    key, other = ("t", DAY), ("t", "2026-11-20")
    known = {key: Spending(PLAN.turns - 1, PLAN.call_seconds + 1), other: Spending(1, 2)}
    for _ in range(2):
        store.restore((open_run("left"),), known)

    assert {run.run_id for run in store.open_runs()} == {"mine", "left"}
    assert store.spent("") == {
        key: Spending(PLAN.turns, PLAN.call_seconds + 1),
        other: known[other],
    }
    store.cancel("left")
    assert spent(store) == Spending(0, 1)


def test_spending_is_told_by_day(store: Store) -> None:
    """Days before the one that is asked for are left out."""
    store.begin(open_run())
    assert dict(store.spent(DAY)) == {("t", DAY): PLAN}
    assert dict(store.spent(f"{NOON + timedelta(days=1):%Y-%m-%d}")) == {}


def test_history_is_read_newest_first_and_by_page(store: Store) -> None:
    """Every condition of a query narrows it."""
    store.end(replace(ended("1", seconds=1), verdict=Verdict.SLOW, scenario="noise"))
    store.end(ended("2", seconds=2, reason=Reason.NO_REPLY))
    store.end(ended("3", seconds=3, agent_name="sales"))
    store.end(ended("4", seconds=4))

    def ids(query: RunQuery) -> str:
        return "".join(record.run_id for record in store.runs(query))

    assert ids(RunQuery()) == "4321"
    assert ids(RunQuery(limit=2)) == "43"
    assert ids(RunQuery(agent_name="demo")) == "421"
    assert ids(RunQuery(failed=True)) == "2"
    assert ids(RunQuery(failed=False, before=NOON + timedelta(seconds=3.5))) == "31"
    assert ids(RunQuery(verdicts=(Verdict.SLOW, Verdict.UNKNOWN))) == "1"
    assert ids(RunQuery(agent_name="demo", scenario="noise")) == "1"
    assert ids(RunQuery(call_type="sales", scenario="busy", probe="latency")) == "432"
    assert ids(RunQuery(probe="agents")) == ids(RunQuery(verdicts=())) == ""
    assert store.run("2") == ended("2", seconds=2, reason=Reason.NO_REPLY)


def test_failures_outlive_successes(store: Store) -> None:
    """After ten days the success has gone, after forty the failure, too."""
    retention = Retention(7 * DAYS, 30 * DAYS)
    store.end(ended("good"))
    store.end(ended("bad", reason=Reason.NO_WORKER))
    store.add_calibration(CalibrationRecord(NOON, Calibration(0.094, 0.01, 10)))
    store.begin(open_run())

    assert store.prune(NOON + timedelta(days=6), retention) == 0
    assert store.prune(NOON + timedelta(days=10), retention) == 1
    assert [each.run_id for each in store.runs(RunQuery())] == ["bad"]
    assert store.prune(NOON + timedelta(days=40), retention) == 2
    assert (store.runs(RunQuery()), store.calibrations(9)) == ((), ())
    assert dict(store.spent("")) == {}
    assert store.open_runs() == (open_run(),)


def test_too_many_runs_lose_the_oldest_successes_first(store: Store) -> None:
    """With a cap of 2 the failure stays; with a cap of 0 nothing does."""
    store.end(ended("bad", seconds=1, reason=Reason.NO_WORKER))
    store.end(ended("old", seconds=2))
    store.end(ended("new", seconds=3))

    assert store.prune(NOON, Retention(max_runs=2)) == 1
    assert [each.run_id for each in store.runs(RunQuery())] == ["new", "bad"]
    assert store.prune(NOON, Retention(max_runs=0)) == 2


def test_prune_is_done_in_bounded_steps(store: Store) -> None:
    """What is to go goes in several steps of bounded length."""
    for number in range(1200):
        store.end(ended(str(number), seconds=number))
    later = NOON + timedelta(days=60)

    steps = [store.prune(later, Retention()) for _ in range(4)]

    assert steps == [500, 500, 200, 0]


def test_calibrations_are_read_newest_first(store: Store) -> None:
    """The limit holds; one of the same moment is replaced."""
    records = [
        CalibrationRecord(NOON + timedelta(hours=hour), Calibration(0.09 + hour / 100, 0.01, 10, 1))
        for hour in range(3)
    ]
    for record in (*records, records[0]):
        store.add_calibration(record)
    assert store.calibrations(2) == (records[2], records[1])
    assert len(store.calibrations(9)) == 3


def test_a_ramp_replaces_the_one_before_of_its_vantage(store: Store) -> None:
    """The last one of each is kept."""
    for vantage, document in (("b", "1"), ("a", "2"), ("b", "3")):
        store.save_ramp(vantage, document)
    assert store.ramps() == ("2", "3")
    store.forget_ramp("a")
    store.forget_ramp("a")
    assert store.ramps() == ("3",)


def test_roster_replaces_the_one_before(store: Store) -> None:
    """Every field comes back; a worker that is not in the new roster has gone."""
    first = Worker("AW_1", "demo", WorkerStatus.BUSY, 3, 0.7, addresses=("127.0.0.1",))
    second = Worker("AW_2", "", WorkerStatus.OFFLINE, last_heartbeat=1763726400.25)
    store.save_workers([second, first])
    assert store.workers() == (first, second)
    store.save_workers([second])
    assert store.workers() == (second,)


def test_real_calls_are_kept_until_they_are_forgotten(store: Store) -> None:
    """What is kept of a call takes the place of what was."""
    store.save_calls({"RM_1": "1", "RM_2": "2"})
    store.save_calls({"RM_1": "3"})
    assert dict(store.calls()) == {"RM_1": "3", "RM_2": "2"}
    store.forget_calls(["RM_1", "RM_3"])
    assert dict(store.calls()) == {"RM_2": "2"}
