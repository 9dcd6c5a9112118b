"""The store in trouble: the buffered one never raises, and what fails now is written later."""

import asyncio
import logging
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from exporter.errors import StoreError
from exporter.roster.types import Worker, WorkerStatus
from exporter.store import buffered as buffered_module
from exporter.store import waiting
from exporter.store.buffered import BufferedStore
from exporter.store.records import BudgetLimits, OpenRun, Retention, RunQuery, Spending
from exporter.store.sqlite import open_sqlite
from exporter.store.sqlite_file import FILE_NAME
from tests.patience import comes_true
from tests.unit.store.buffering import Flaky, Lasting, Watch, make
from tests.unit.store.mounts import fill, remount, tiny_filesystem
from tests.unit.store.records import DAY, NOON, PLAN, ended, open_run


def test_failing_store_is_told_once_and_caught_up(caplog: pytest.LogCaptureFixture) -> None:
    """1. Writes fail. 2. Runs go on. 3. It works again. Result: nothing is missing."""

    async def scenario() -> None:
        watch, store = Watch(), Flaky()
        buffered = make(lambda: store, watch)
        await buffered.start()
        assert watch.works
        store.broken = True
        for number in range(20):
            assert await buffered.begin(open_run(str(number)), BudgetLimits(turns=100))
            buffered.end(ended(str(number), seconds=number), Spending(2, 10))
        assert not await buffered.begin(open_run("too much"), BudgetLimits(turns=43))

        await comes_true(lambda: len(watch.failures) >= 3)
        assert watch.works is False
        assert buffered.problem == (
            "store: cannot write x: No space left on device; history and budget are kept in memory"
        )
        assert len(await buffered.runs(RunQuery())) == 20
        assert store.runs(RunQuery()) == ()
        assert buffered.spent_on("t", DAY) == Spending(40, 200)

        store.broken = False
        await comes_true(lambda: buffered.problem == "")
        assert watch.works is True
        assert len(store.runs(RunQuery())) == 20
        assert dict(store.spent("")) == {("t", DAY): Spending(40, 200)}
        await buffered.aclose()

    with caplog.at_level(logging.INFO):
        asyncio.run(scenario())
    assert [record.message for record in caplog.records] == [
        "store failed; continuing in memory",
        "store works again",
    ]


def test_store_that_hangs_delays_a_run_but_does_not_hold_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """1. The disk does not answer. Result: the run begins after a while, and is written later."""
    monkeypatch.setattr(buffered_module, "BEGIN_WAIT_S", 0.1)

    async def scenario() -> None:
        watch, store = Watch(), Flaky()
        buffered = make(lambda: store, watch)
        await buffered.start()
        store.answers.clear()
        assert await buffered.begin(open_run())
        assert not store.answers.is_set()  # it was not waited for
        assert "no answer" in buffered.problem
        assert watch.failures == ["begin"]
        store.answers.set()
        await comes_true(lambda: buffered.problem == "")
        assert store.open_runs() == (open_run(),)
        await buffered.aclose()

    asyncio.run(scenario())


def test_run_of_an_outage_is_charged_although_others_have_spent_the_budget() -> None:
    """1. The store fails. 2. Others spend all. 3. A run begins here. Result: both are counted."""

    async def scenario() -> None:
        store = Flaky()
        buffered = BufferedStore(
            lambda: store, Watch(), shared=True, first_retry_s=0.02, clock=lambda: NOON
        )
        await buffered.start()
        store.broken = True
        buffered.end(ended("before"))
        await comes_true(lambda: buffered.problem != "")
        store.broken = False
        limits = BudgetLimits(turns=PLAN.turns)
        assert store.begin(open_run("theirs"), limits)
        assert await buffered.begin(open_run("ours"), limits)  # as far as is known here
        await comes_true(lambda: buffered.problem == "")
        assert {run.run_id for run in store.open_runs()} == {"ours", "theirs"}
        assert dict(store.spent("")) == {("t", DAY): PLAN + PLAN}
        await buffered.aclose()

    asyncio.run(scenario())


def test_roster_waits_once_however_long_the_outage() -> None:
    """1. The disk is full. 2. The roster is kept each minute. Result: one write, the newest."""

    async def scenario() -> None:
        store = Flaky()
        buffered = make(lambda: store)
        await buffered.start()
        store.broken = True
        buffered.end(ended("a"))
        await comes_true(lambda: buffered.problem != "")
        for number in range(100):
            buffered.save_workers([Worker(f"AW_{number}", "demo", WorkerStatus.IDLE)])
        assert len(buffered._waiting) == 2
        assert [each.worker_id for each in await buffered.workers()] == ["AW_99"]
        store.broken = False
        await comes_true(lambda: buffered.problem == "")
        assert [each.worker_id for each in store.workers()] == ["AW_99"]
        await buffered.aclose()

    asyncio.run(scenario())


def test_a_ramp_waits_once_for_each_vantage() -> None:
    """1. The disk is full. 2. Ramps are sent again and again. Result: the last of each vantage."""

    async def scenario() -> None:
        store = Flaky()
        buffered = make(lambda: store)
        await buffered.start()
        store.broken = True
        buffered.end(ended("a"))
        await comes_true(lambda: buffered.problem != "")
        for number in range(100):
            for vantage in ("iad", "lhr"):
                buffered.save_ramp(vantage, f"{vantage} {number}")
        assert len(buffered._waiting) == 3
        buffered.forget_ramp("lhr")
        assert len(buffered._waiting) == 3
        assert await buffered.ramps() == ("iad 99",)
        store.broken = False
        await comes_true(lambda: buffered.problem == "")
        assert store.ramps() == ("iad 99",)
        await buffered.aclose()

    asyncio.run(scenario())


class Odd(Lasting):
    """A store with rows that nobody understands, and with old ones that do not go."""

    def workers(self) -> tuple[Worker, ...]:
        """Fail, as on a document of another version."""
        raise ValueError("no such field")

    def prune(self, now: datetime, retention: Retention) -> int:
        """Fail."""
        raise StoreError("cannot write x: Input/output error")


def test_what_nobody_foresaw_costs_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """An odd row is told of as a failed read, an odd write is dropped, and all else goes on."""
    monkeypatch.setattr(buffered_module, "PRUNE_EVERY_S", 0.01)

    async def scenario() -> None:
        watch, store = Watch(), Odd()
        buffered = make(lambda: store, watch)
        await buffered.start()
        assert await buffered.workers() == ()
        assert watch.failures == ["read"]
        buffered.end(ended("\ud800"))  # no column takes half a character
        buffered.end(ended("a"))
        await comes_true(lambda: store.run("a") is not None)
        await comes_true(lambda: "prune" in watch.failures)
        assert set(watch.failures) == {"read", "end", "prune"}
        await buffered.aclose()

    asyncio.run(scenario())


def test_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest writes go, and are counted."""
    monkeypatch.setattr(waiting, "MAX_WAITING", 10)

    async def scenario() -> None:
        watch, store = Watch(), Flaky()
        buffered = make(lambda: store, watch)
        await buffered.start()
        store.broken = True
        for number in range(30):
            buffered.end(ended(str(number), seconds=number))
        store.broken = False
        assert watch.failures.count("end") >= 20
        await comes_true(lambda: len(store.runs(RunQuery())) == 10)
        assert store.run("29") is not None
        await buffered.aclose()

    asyncio.run(scenario())


@pytest.mark.parametrize("trouble", ["full", "read-only"])
def test_disk_that_fails_for_a_while(tmp_path: Path, trouble: str) -> None:
    """A real file system is full or read-only, then not: nothing is lost and nobody restarts."""

    async def scenario(disk: Path) -> None:
        watch = Watch()
        buffered = make(lambda: open_sqlite(disk), watch)
        await buffered.start()
        buffered.end(ended("before"))
        await comes_true(lambda: (disk / f"{FILE_NAME}-wal").stat().st_size > 0)
        filler = None
        if trouble == "full":
            filler = fill(disk)
        else:
            buffered._store._thread.submit(
                buffered._store._close
            ).result()  # nothing is open for writing
            remount(disk, "ro")
        number = 0
        while not buffered.problem:  # what SQLite has in its file already is used first
            number += 1
            assert await buffered.begin(open_run(str(number)))
            buffered.end(ended(str(number), seconds=number), Spending(1, 1))
            assert number < 1000
        words = {"full": "No space left on device", "read-only": "Read-only file system"}
        assert words[trouble] in buffered.problem
        assert watch.works is False
        for extra in range(number, number + 5):
            assert await buffered.begin(open_run(str(extra + 1)))
            buffered.end(ended(str(extra + 1), seconds=extra + 1), Spending(1, 1))

        if filler is not None:
            filler.unlink()
        else:
            remount(disk, "rw")
        await comes_true(lambda: buffered.problem == "")
        assert watch.works is True
        await buffered.aclose()
        with closing(open_sqlite(disk)) as store:
            kept = {record.run_id for record in store.runs(RunQuery(limit=10_000))}
            assert kept == {"before", *(str(n + 1) for n in range(number + 5))}
            assert store.spent("")["t", DAY] == Spending(number + 5, number + 5)

    with tiny_filesystem(tmp_path / "disk") as disk:
        asyncio.run(scenario(disk))


def test_store_that_cannot_be_opened_at_first_is_taken_over_later(tmp_path: Path) -> None:
    """1. Start with a bad folder. 2. It is mended. Result: the budget of before counts again."""
    run = OpenRun("old", "latency", "demo", "", "", NOON, "t", DAY, PLAN)
    with closing(open_sqlite(tmp_path / "good")) as store:
        store.begin(run)
    folder = tmp_path / "state"
    folder.touch()
    left: list[OpenRun] = []

    async def scenario() -> None:
        watch = Watch()
        buffered = BufferedStore(
            lambda: open_sqlite(folder),
            watch,
            on_left_open=left.extend,
            first_retry_s=0.02,
            clock=lambda: NOON,
        )
        await buffered.start()
        assert str(folder) in buffered.problem
        assert watch.failures == ["open"]
        mine = OpenRun("new", "latency", "demo", "", "", NOON, "t", DAY, PLAN)
        assert await buffered.begin(mine)
        folder.unlink()
        (tmp_path / "good").rename(folder)
        await comes_true(lambda: buffered.problem == "")
        assert left == [run]
        assert buffered.spent_on("t", DAY) == PLAN + PLAN
        await buffered.aclose()

    asyncio.run(scenario())


def test_damage_while_running_costs_the_history_only(tmp_path: Path) -> None:
    """1. Someone spoils the file. 2. A write fails. Result: a new file is begun by itself."""

    async def scenario() -> None:
        buffered = make(lambda: open_sqlite(tmp_path))
        await buffered.start()
        for number in range(200):
            buffered.end(ended(str(number)))
        await comes_true(lambda: not buffered._waiting)
        buffered._store._thread.submit(buffered._store._close).result()
        (tmp_path / FILE_NAME).write_bytes(b"no database at all\n" * 1000)
        buffered.end(ended("after"))
        await comes_true(lambda: not buffered._waiting and buffered.problem == "")
        assert await buffered.runs(RunQuery()) == (ended("after"),)
        await buffered.aclose()

    asyncio.run(scenario())
    assert len(list(tmp_path.glob(f"{FILE_NAME}.corrupt-*"))) == 1
