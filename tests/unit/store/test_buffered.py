"""The store in the daemon's loop while it works: what is reserved, kept and taken over."""

import asyncio
from contextlib import closing
from pathlib import Path

import pytest

from exporter.errors import ConfigError
from exporter.outcome import Calibration, Reason
from exporter.store.buffered import BufferedStore
from exporter.store.records import BudgetLimits, CalibrationRecord, OpenRun, RunQuery, Spending
from exporter.store.sqlite import open_sqlite
from exporter.store.sqlite_file import FILE_NAME
from tests.unit.store.buffering import Flaky, Watch, make
from tests.unit.store.records import DAY, NOON, PLAN, ended, open_run


def test_reservation_is_on_the_disk_before_the_run_begins(tmp_path: Path) -> None:
    """The file holds it when `begin` returns: nothing has to be closed for that."""

    async def scenario() -> None:
        buffered = make(lambda: open_sqlite(tmp_path))
        await buffered.start()
        assert await buffered.begin(open_run(), BudgetLimits(turns=4))
        copy = tmp_path / "copy"
        copy.mkdir()
        for part in (FILE_NAME, f"{FILE_NAME}-wal"):  # as after a kill
            (copy / part).write_bytes((tmp_path / part).read_bytes())
        with closing(open_sqlite(copy)) as store:
            assert store.open_runs() == (open_run(),)
        assert not await buffered.begin(open_run("b"), BudgetLimits(turns=7))
        await buffered.aclose()

    asyncio.run(scenario())


def test_what_waits_is_written_at_the_end(tmp_path: Path) -> None:
    """1. Records are handed in. 2. The daemon stops. Result: all of them are in the file."""

    async def scenario() -> None:
        buffered = make(lambda: open_sqlite(tmp_path))
        await buffered.start()
        for number in range(50):
            buffered.end(ended(str(number)))
        buffered.add_calibration(CalibrationRecord(NOON, Calibration(0.09, 0.01, 10)))
        await buffered.aclose()

    asyncio.run(scenario())
    with closing(open_sqlite(tmp_path)) as store:
        assert len(store.runs(RunQuery())) == 50
        assert len(store.calibrations(9)) == 1


def test_restart_takes_over_budget_and_open_runs(tmp_path: Path) -> None:
    """A crash loop cannot spend twice: the reservation of the killed run counts in full."""
    run = OpenRun("a", "latency", "demo", "", "", NOON, "t", DAY, PLAN)
    with closing(open_sqlite(tmp_path)) as store:
        store.begin(run)
    left: list[OpenRun] = []

    async def scenario() -> None:
        buffered = BufferedStore(
            lambda: open_sqlite(tmp_path),
            Watch(),
            on_left_open=left.extend,
            clock=lambda: NOON,
        )
        await buffered.start()
        assert buffered.spent_on("t", DAY) == PLAN
        assert left == [run]
        limits = BudgetLimits(turns=PLAN.turns * 2 - 1)
        second = OpenRun("b", "latency", "demo", "", "", NOON, "t", DAY, PLAN)
        assert not await buffered.begin(second, limits)
        buffered.end(ended(reason=Reason.PROBE_CRASHED))
        assert buffered.spent_on("t", DAY) == PLAN
        await buffered.aclose()

    asyncio.run(scenario())


def test_second_exporter_is_one_clear_line(tmp_path: Path) -> None:
    """It does not start: two budgets in two memories would spend twice."""

    async def scenario() -> None:
        buffered = make(lambda: open_sqlite(tmp_path))
        with pytest.raises(ConfigError) as caught:
            await buffered.start()
        assert str(caught.value).startswith(f"store.folder: {tmp_path} is used by another ")
        assert str(caught.value).endswith(
            "; expected a folder for this exporter only, or store.enabled: false"
        )
        await buffered.aclose()

    with closing(open_sqlite(tmp_path)):
        asyncio.run(scenario())


def test_without_a_store_memory_is_all_there_is() -> None:
    """`store.enabled: false`: the same answers, nothing is told of failures."""

    async def scenario() -> None:
        watch = Watch()
        buffered = make(None, watch)
        await buffered.start()
        assert await buffered.begin(open_run(), BudgetLimits(turns=4))
        assert not await buffered.begin(open_run("b"), BudgetLimits(turns=4))
        buffered.end(ended(), Spending(1, 1))
        assert await buffered.runs(RunQuery()) == (ended(),)
        assert buffered.problem == ""
        assert (watch.works, watch.failures) == (None, [])
        await buffered.aclose()

    asyncio.run(scenario())


def test_run_that_is_given_up_before_it_begins_costs_nothing() -> None:
    """1. A reservation waits for the disk. 2. Who wants it is cancelled. Result: it is undone."""

    async def scenario() -> None:
        store = Flaky()
        buffered = make(lambda: store)
        await buffered.start()
        store.answers.clear()
        beginning = asyncio.create_task(buffered.begin(open_run(), BudgetLimits(turns=4)))
        await asyncio.sleep(0)
        beginning.cancel()
        with pytest.raises(asyncio.CancelledError):
            await beginning
        store.answers.set()
        assert buffered.spent_on("t", DAY) == Spending()
        assert await buffered.begin(open_run("b"), BudgetLimits(turns=4))
        await buffered.aclose()
        assert [run.run_id for run in store.open_runs()] == ["b"]
        assert dict(store.spent("")) == {("t", DAY): PLAN}

    asyncio.run(scenario())
