"""What a killed exporter left is ended by the next one, once the server answers."""

import logging
from dataclasses import replace

import pytest

from exporter.outcome import Listing, Outcome, Reason, Verdict
from exporter.run.leftovers import Leftovers
from exporter.store.buffered import BufferedStore
from exporter.store.records import OpenRun, RunQuery, Spending
from tests import virtual_time
from tests.patience import comes_true
from tests.unit.store.buffering import Watch
from tests.unit.store.records import DAY, NOON, PLAN, ended, open_run
from tests.virtual_time import Clock


class Bench:
    """Leftovers with a server that answers when it is told to."""

    def __init__(self) -> None:
        self.deleted: list[tuple[str, tuple[str, ...]]] = []
        self.problem = ""
        self.forfeited: list[OpenRun] = []
        self.store = BufferedStore(None, Watch(), clock=lambda: NOON)
        self.leftovers = Leftovers(
            self.delete,
            self.store,
            self.forfeited.append,
            late_agent_s=0.1,
            first_retry_s=0.01,
        )

    async def delete(self, run_id: str, names: tuple[str, ...]) -> str:
        """Note what is to be deleted."""
        self.deleted.append((run_id, names))
        return self.problem


def test_rooms_are_deleted_twice_and_the_run_is_ended() -> None:
    """The second time for a late agent, and not by name: that room may be a new call's."""

    async def scenario(_clock: Clock) -> None:
        bench = Bench()
        await bench.store.begin(open_run("a"))
        bench.leftovers.take([open_run("a")])
        await comes_true(lambda: bool(bench.forfeited))

        assert bench.deleted == [("a", ("room",)), ("a", ())]
        assert bench.forfeited == [open_run("a")]
        (record,) = await bench.store.runs(RunQuery())
        assert (record.run_id, record.call_type, record.scenario) == ("a", "sales", "busy")
        assert (record.reason, record.verdict) == (Reason.PROBE_CRASHED, Verdict.UNKNOWN)
        assert record.detail == "the exporter ended during the run"
        assert bench.store.open_runs() == ()
        assert bench.store.spent_on("t", DAY) == PLAN
        await bench.leftovers.aclose()

    virtual_time.run(scenario)


def test_deletion_is_tried_until_the_server_answers() -> None:
    """1. The server is down. 2. It answers. Result: only then the run ends."""

    async def scenario(_clock: Clock) -> None:
        bench = Bench()
        bench.problem = "connect_failed"
        await bench.store.begin(open_run("a"))
        bench.leftovers.take([open_run("a")])
        await comes_true(lambda: len(bench.deleted) >= 4)
        assert bench.store.open_runs() == (open_run("a"),)
        bench.problem = ""
        await comes_true(lambda: bench.store.open_runs() == ())
        await bench.leftovers.aclose()

    virtual_time.run(scenario)


def test_room_of_a_new_call_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """1. The server is down. 2. A new call takes the room's name. 3. It ends. Result: now it goes.

    The new call may have been refused because the old room was still there.
    """

    async def scenario(_clock: Clock) -> None:
        bench = Bench()
        bench.problem = "connect_failed"
        await bench.store.begin(open_run("old"))
        bench.leftovers.take([open_run("old")])
        await comes_true(lambda: bool(bench.deleted))
        await bench.store.begin(replace(open_run("new"), plan=Spending()))
        bench.problem, seen = "", len(bench.deleted)
        waits = "a new call uses the room"
        await comes_true(lambda: [_error(each) for each in caplog.records].count(waits) >= 3)
        assert len(bench.deleted) == seen
        bench.store.end(ended("new"))
        await comes_true(lambda: len(bench.deleted) >= seen + 2)
        assert bench.deleted[seen:] == [("old", ("room",)), ("old", ())]
        await bench.leftovers.aclose()

    with caplog.at_level(logging.INFO):
        virtual_time.run(scenario)


def _error(record: logging.LogRecord) -> str:
    return str(getattr(record, "error", ""))


def test_stop_leaves_the_rest_to_the_next_start() -> None:
    """1. The exporter stops while it waits. Result: the run stays open; nothing is taken twice."""

    async def scenario(_clock: Clock) -> None:
        bench = Bench()
        bench.leftovers.take([])
        await bench.store.begin(open_run("a"))
        bench.leftovers.take([open_run("a")])
        await comes_true(lambda: bool(bench.deleted))
        await bench.leftovers.aclose()
        assert bench.store.open_runs() == (open_run("a"),)
        assert bench.forfeited == []

    virtual_time.run(scenario)


def test_agent_in_the_room_of_an_ended_run_is_sent_away() -> None:
    """Rooms of runs under way, of other exporters and of people are left alone."""

    def listing(*rooms: str) -> Outcome:
        return Outcome("agents", "", NOON, 0.1, result=Listing(probe_rooms=rooms))

    async def scenario(_clock: Clock) -> None:
        bench = Bench()
        await bench.store.begin(open_run("running"))
        bench.store.end(ended("done"))
        rooms = ("voice-exporter-running", "voice-exporter-done", "voice-exporter-other", "done")
        for _ in range(2):  # the second listing comes while the first room is being deleted
            bench.leftovers.record(listing(*rooms))
        await comes_true(lambda: not bench.leftovers._tasks)
        assert bench.deleted == [("done", ())]
        bench.leftovers.record(listing("voice-exporter-done"))
        await comes_true(lambda: len(bench.deleted) == 2)
        await bench.leftovers.aclose()

    virtual_time.run(scenario)
