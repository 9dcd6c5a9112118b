"""Merging heartbeats, pages and rooms into one roster."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from exporter.outcome import AgentInRoom, Listing, Outcome, Reason, WorkerPage, WorkerScrape
from exporter.roster.roster import Roster
from exporter.roster.types import Source, Worker, WorkerReport, WorkerStatus
from exporter.roster.wire import Heartbeat, WorkerList
from exporter.roster.worker_state import RosterLimits
from tests.unit.calls import WHEN

IDLE, BUSY, FULL, DRAINING, OFFLINE = WorkerStatus


@dataclass(slots=True)
class Clock:
    """Unix time that stands still until it is moved."""

    now: float = 1_000_000.0

    def __call__(self) -> float:
        """Return the time that it is set to."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Move it on."""
        self.now += seconds


@pytest.fixture(name="clock")
def _clock() -> Clock:
    return Clock()


@pytest.fixture(name="roster")
def _roster(clock: Clock) -> Roster:
    return Roster(clock=clock, wall_clock=clock)


def beat(worker_id: str = "AW_1", **more: object) -> WorkerReport:
    """Return an idle worker's report."""
    report = WorkerReport(
        worker_id, "demo", IDLE, 0, 0.1, addresses=("10.0.0.1",), http_port=8081, sdk_version="1.8"
    )
    return replace(report, **more)  # type: ignore[arg-type]


def page(**more: object) -> WorkerPage:
    """Return the page of the same worker, with one job."""
    url = "http://10.0.0.1:8081/worker"
    told = WorkerPage(url, "10.0.0.1", "10.0.0.1", 8081, None, "", "demo", 1, 0.2, "1.8.9")
    return replace(told, **more)  # type: ignore[arg-type]


def room(*worker_ids: str) -> Listing:
    """Return a listing with an agent for each of these workers."""
    return Listing(
        tuple(
            AgentInRoom("demo", f"agent-{number}", f"room-{number}", "listening", 1, 5, worker_id)
            for number, worker_id in enumerate(worker_ids)
        )
    )


def the(roster: Roster) -> Worker:
    """Return the only worker."""
    [worker] = roster.workers()
    return worker


def test_a_page_is_joined_once_the_worker_names_its_port(roster: Roster) -> None:
    """1. Its page is read. 2. It reports, not knowing its port yet. 3. It does.

    Result: one worker, of which both tell.
    """
    roster.scraped(WorkerScrape((page(),)))
    roster.heartbeat(beat(http_port=None))
    assert len(roster) == 2
    roster.heartbeat(beat())
    assert the(roster).worker_id == "AW_1"


def test_a_heartbeat_is_known_until_it_is_silent(roster: Roster, clock: Clock) -> None:
    """Silence of more than 45 s is offline, of more than an hour forgotten."""
    assert roster.heartbeat(beat()) is None
    clock.now += 45
    assert the(roster).status is IDLE
    clock.now += 0.1
    worker = the(roster)
    assert (worker.status, worker.load, worker.active_jobs) == (OFFLINE, None, None)
    clock.now += 3600 - 45
    assert roster.workers() == ()


def test_a_dead_worker_goes_offline_though_the_clock_is_put_back(clock: Clock) -> None:
    """Silence is counted by a clock that nobody sets; an age is never negative, or an hour off."""
    wall = Clock()
    roster = Roster(clock=clock, wall_clock=wall)
    roster.heartbeat(beat())
    wall.advance(-3600)
    clock.advance(46)
    wall.advance(46)
    [worker] = roster.workers()
    assert (worker.status, worker.last_seen) == (OFFLINE, wall.now - 46)
    assert [each.status for each in roster.take_changes().workers] == [OFFLINE]


@pytest.mark.parametrize("set_by_s", [-3600.0, 3.0])
def test_who_is_restored_by_a_clock_that_was_set_ages_from_then_on(
    roster: Roster, clock: Clock, set_by_s: float
) -> None:
    """1. A roster is kept. 2. The wall clock is set. 3. It is restored, by another process."""
    roster.heartbeat(beat())
    later = Roster(clock=Clock(7.0), wall_clock=lambda: clock.now + set_by_s)
    later.restore(roster.export())
    [worker] = later.workers()
    assert (worker.status, worker.last_seen) == (IDLE, clock.now + min(set_by_s, 0.0))


def test_an_offline_worker_comes_back(roster: Roster, clock: Clock) -> None:
    """A heartbeat after silence, or after a goodbye, is a sign of life."""
    for gap, status in ((100, IDLE), (1, OFFLINE), (1, BUSY)):
        clock.now += gap
        roster.heartbeat(beat(status=status))
        assert the(roster).status is status


def test_changes_tell_of_silence_and_of_the_end(roster: Roster, clock: Clock) -> None:
    """Going offline and being forgotten are changes, though nobody reported them."""
    roster.heartbeat(beat())
    assert [each.status for each in roster.take_changes().workers] == [IDLE]
    assert roster.take_changes().workers == ()
    clock.now += 46
    assert [each.status for each in roster.take_changes().workers] == [OFFLINE]
    clock.now += 3600
    changes = roster.take_changes()
    assert (changes.workers, changes.gone) == ((), ("AW_1",))


def test_page_and_heartbeat_of_one_worker_are_joined(roster: Roster, clock: Clock) -> None:
    """Whichever comes first, address and port make them one; the heartbeat knows better."""
    roster.scraped(WorkerScrape((page(),)))
    assert the(roster).worker_id == "10.0.0.1:8081"
    assert the(roster).status is BUSY
    roster.heartbeat(beat(load=None))
    roster.scraped(WorkerScrape((page(),)))
    worker = the(roster)
    assert (worker.worker_id, worker.status, worker.active_jobs) == ("AW_1", IDLE, 0)
    assert (worker.load, worker.sdk_version) == (0.2, "1.8")
    assert worker.sources == (Source.HEARTBEAT, Source.SCRAPE)
    assert "10.0.0.1:8081" in roster.take_changes().gone
    clock.now += 44
    roster.scraped(WorkerScrape((page(),)))
    clock.now += 2
    # The heartbeats have stopped, the page answers.
    assert (the(roster).status, the(roster).active_jobs) == (BUSY, 1)


@pytest.mark.parametrize(
    "other",
    [{"agent_name": "other"}, {"port": 8082}, {"address": "10.0.0.2", "host": "10.0.0.2"}],
)
def test_pages_of_others_are_not_joined(roster: Roster, other: dict[str, object]) -> None:
    """Another agent's name, port or address is another worker."""
    roster.heartbeat(beat())
    roster.scraped(WorkerScrape((page(**other),)))
    assert len(roster.workers()) == 2


def test_a_page_that_two_workers_claim_is_neither_s(roster: Roster) -> None:
    """Behind one forwarded port may be either: the page stays a worker of its own."""
    roster.heartbeat(beat("AW_1"))
    roster.heartbeat(beat("AW_2"))
    roster.scraped(WorkerScrape((page(),)))
    assert [each.worker_id for each in roster.workers()] == ["10.0.0.1:8081", "AW_1", "AW_2"]


def test_a_page_read_before_the_goodbye_does_not_revive(roster: Roster, clock: Clock) -> None:
    """The page of a worker that has just left is old news; later it is another worker's."""
    roster.heartbeat(beat())
    roster.heartbeat(beat(status=OFFLINE))
    roster.scraped(WorkerScrape((page(),)))
    assert (the(roster).worker_id, the(roster).status) == ("AW_1", OFFLINE)
    clock.now += 46
    roster.scraped(WorkerScrape((page(),)))
    assert {each.worker_id: each.status for each in roster.workers()} == {
        "AW_1": OFFLINE,
        "10.0.0.1:8081": BUSY,
    }


def test_a_page_that_did_not_answer_tells_nothing(roster: Roster) -> None:
    """A failed read neither creates a worker nor keeps one alive."""
    roster.scraped(WorkerScrape((page(reason=Reason.CONNECT_FAILED, detail="refused"),)))
    assert roster.workers() == ()


def test_a_page_that_the_prober_spoiled_makes_no_worker_offline(
    roster: Roster, clock: Clock
) -> None:
    """Nobody has heard it: its silence counts from the last page that was spoiled.

    Its status is what it said last.
    """
    roster.scraped(WorkerScrape((page(active_jobs=0),)))
    for _ in range(5):
        clock.advance(20)
        roster.scraped(WorkerScrape((page(reason=Reason.VOID, detail="the prober: ..."),)))
        assert the(roster).status is IDLE
    clock.advance(20)
    roster.scraped(WorkerScrape((page(reason=Reason.CONNECT_FAILED, detail="refused"),)))
    clock.advance(26)
    assert the(roster).status is OFFLINE
    roster.scraped(WorkerScrape((page(reason=Reason.VOID, detail="the prober: ..."),)))
    assert the(roster).status is OFFLINE  # as it was


def test_a_name_that_the_prober_could_not_look_up_makes_no_worker_offline(
    roster: Roster, clock: Clock
) -> None:
    """Which workers are behind it nobody knows: those that are known by their pages may be."""
    roster.scraped(WorkerScrape((page(),)))
    spoiled = WorkerPage("dns://agents:8081", reason=Reason.VOID, detail="the prober: ...")
    for _ in range(5):
        clock.advance(20)
        roster.scraped(WorkerScrape((spoiled,)))
        assert the(roster).status is BUSY
    clock.advance(46)
    assert the(roster).status is OFFLINE


def test_a_process_that_stood_still_has_heard_nobody(roster: Roster, clock: Clock) -> None:
    """The silence of all begins when it goes on; who was offline before stays so."""
    roster.scraped(WorkerScrape((page(),)))
    clock.advance(30)
    roster.heartbeat(beat("AW_2", addresses=("10.0.0.2",)))
    clock.advance(20)
    assert {each.worker_id: each.status for each in roster.workers()}["10.0.0.1:8081"] is OFFLINE
    roster.take_changes()
    clock.advance(60)
    roster.was_away()
    told = {each.worker_id: each.status for each in roster.workers()}
    assert (told["10.0.0.1:8081"], told["AW_2"] is OFFLINE) == (OFFLINE, False)
    clock.advance(46)
    assert {each.status for each in roster.workers()} == {OFFLINE}


@pytest.mark.parametrize(
    ("reason", "status"), [(Reason.PROBE_CRASHED, BUSY), (Reason.DEADLINE, OFFLINE)]
)
def test_a_run_that_died_makes_no_worker_offline(
    roster: Roster, clock: Clock, reason: Reason, status: WorkerStatus
) -> None:
    """The pages are not read, by the prober's own fault; a worker with heartbeats is heard."""
    roster.scraped(WorkerScrape((page(),)))
    roster.heartbeat(beat("AW_2", addresses=("10.0.0.2",)))
    for _ in range(3):
        clock.advance(20)
        roster.record(Outcome("workers", "", WHEN, 30.0, reason, "why"))
    told = {each.worker_id: each.status for each in roster.workers()}
    assert told == {"10.0.0.1:8081": status, "AW_2": OFFLINE}


def test_a_loaded_page_is_full(clock: Clock) -> None:
    """A page does not tell the worker's threshold: the setting stands in."""
    roster = Roster(RosterLimits(full_load=0.5), clock=clock, wall_clock=clock)
    roster.scraped(WorkerScrape((page(load=0.5),)))
    assert the(roster).status is FULL


def test_a_worker_known_from_rooms_is_there_as_long_as_its_agents(
    roster: Roster, clock: Clock
) -> None:
    """What rooms tell is jobs, not liveness: without agents nobody knows, so it is dropped."""
    roster.listed(room("AW_7", "AW_7", ""))
    worker = the(roster)
    assert (worker.worker_id, worker.status, worker.active_jobs) == ("AW_7", BUSY, 2)
    assert worker.sources == (Source.ROOM,)
    roster.listed(Listing(unread=1))  # its room may be the one that was not read
    assert the(roster).status is BUSY
    roster.listed(room())
    assert roster.workers() == ()
    roster.listed(room("AW_7"))
    clock.now += 46
    assert roster.workers() == ()
    assert roster.take_changes().gone == ("AW_7",)


def test_agents_in_rooms_do_not_keep_a_silent_worker_alive(roster: Roster, clock: Clock) -> None:
    """The server lists a dead agent for 21 s: silence counts from the worker's own last sign."""
    roster.heartbeat(beat("AW_1"))
    roster.heartbeat(beat("AW_2", addresses=()))
    clock.now += 40
    roster.heartbeat(beat("AW_2", addresses=()))
    roster.listed(room("AW_1"))
    clock.now += 6
    changed = {each.worker_id: each.status for each in roster.take_changes().workers}
    assert changed == {"AW_1": OFFLINE, "AW_2": IDLE}


def test_a_new_registration_replaces_the_old_id(roster: Roster) -> None:
    """LiveKit names a worker anew when it connects again: the old name must not go offline."""
    roster.heartbeat(beat("AW_1"))
    roster.heartbeat(beat("AW_2", replaces="AW_1"))
    assert the(roster).worker_id == "AW_2"
    roster.heartbeat(beat("AW_3", agent_name="other", replaces="AW_2"))
    assert len(roster.workers()) == 2  # not one's own to replace


def test_a_full_roster_refuses_newcomers_and_says_so(clock: Clock) -> None:
    """Known workers go on; a newcomer takes the place of who is offline for longest."""
    roster = Roster(RosterLimits(max_workers=2), clock=clock, wall_clock=clock)
    for worker_id in ("AW_1", "AW_2"):
        assert roster.heartbeat(beat(worker_id, addresses=())) is None
    assert roster.heartbeat(beat("AW_3")) == "the roster is full: 2 workers are known"
    assert roster.heartbeat(beat("AW_1")) is None
    roster.scraped(WorkerScrape((page(port=1),)))
    roster.listed(room("AW_9"))
    assert (len(roster.workers()), roster.refused) == (2, 3)
    roster.heartbeat(beat("AW_2", status=OFFLINE))
    assert roster.heartbeat(beat("AW_3")) is None
    assert {each.worker_id for each in roster.workers()} == {"AW_1", "AW_3"}


def test_a_restart_forgets_nobody(roster: Roster, clock: Clock) -> None:
    """What is exported and restored is the same roster; silence counts from the restart on."""
    roster.heartbeat(beat("AW_1", memory_bytes=5, cpu_ratio=0.5))
    clock.now += 30
    roster.scraped(WorkerScrape((page(address="10.0.0.9", host="w9"),)))
    roster.listed(room("AW_7"))
    again = Roster(clock=clock, wall_clock=clock)
    again.restore(roster.export())
    assert again.workers() == roster.workers()
    clock.now += 16
    assert [each.status for each in again.workers()] == [BUSY, BUSY, BUSY]
    clock.now += 30
    assert again.workers() == roster.workers()
    changes = again.take_changes()
    assert {each.worker_id: each.status for each in changes.workers} == {
        "AW_1": OFFLINE,
        "w9:8081": OFFLINE,
    }
    assert changes.gone == ("AW_7",)


def test_what_was_known_before_the_exporter_was_down_stays(roster: Roster, clock: Clock) -> None:
    """Who was lost, or had left, is still; who has been silent for too long is forgotten."""
    roster.heartbeat(beat("AW_lost", addresses=()))
    clock.now += 46
    roster.heartbeat(beat("AW_left", addresses=(), status=OFFLINE))
    roster.heartbeat(beat("AW_here", addresses=()))
    kept = roster.export()

    def restored(after_s: float) -> dict[str, tuple[WorkerStatus, bool]]:
        now = Clock(clock.now + after_s)
        again = Roster(clock=now, wall_clock=now)
        again.restore(kept)
        now.advance(10)
        return {each.worker_id: (each.status, each.is_lost) for each in again.workers()}

    gone = {"AW_lost": (OFFLINE, True), "AW_left": (OFFLINE, False)}
    assert restored(600) == {**gone, "AW_here": (BUSY, False)}
    assert restored(3545) == {"AW_left": (OFFLINE, False), "AW_here": (BUSY, False)}
    assert restored(3595) == {"AW_here": (BUSY, False)}
    assert restored(3601) == {}


def test_restoring_keeps_the_latest_within_the_limit(roster: Roster, clock: Clock) -> None:
    """A smaller limit than before the restart leaves out those silent for longest."""
    for number in range(5):
        clock.now += 1
        roster.heartbeat(beat(f"AW_{number}", addresses=()))
    small = Roster(RosterLimits(max_workers=2), clock=clock, wall_clock=clock)
    small.restore(roster.export())
    assert [each.worker_id for each in small.workers()] == ["AW_3", "AW_4"]


def test_a_new_configuration_holds_for_whom_is_known(roster: Roster, clock: Clock) -> None:
    """More patience brings a silent worker back, less lets it go; nobody is forgotten for room."""
    for worker_id in ("AW_1", "AW_2"):
        roster.heartbeat(beat(worker_id, addresses=()))
    clock.now += 50
    assert [each.status for each in roster.take_changes().workers] == [OFFLINE, OFFLINE]
    roster.reconfigure(RosterLimits(offline_after_s=60, max_workers=1))
    assert [each.status for each in roster.take_changes().workers] == [IDLE, IDLE]
    clock.now += 11
    assert [each.status for each in roster.take_changes().workers] == [OFFLINE, OFFLINE]
    roster.reconfigure(RosterLimits(offline_after_s=20, max_workers=1))
    assert len(roster.workers()) == 2


def test_a_heartbeat_that_no_longer_holds_is_a_change(roster: Roster, clock: Clock) -> None:
    """1. A worker reports; its page is read later. 2. Reports end. Result: the page is believed."""
    roster.heartbeat(beat())
    clock.now += 30
    roster.scraped(WorkerScrape((page(),)))
    assert [each.status for each in roster.take_changes().workers] == [IDLE]
    clock.now += 20
    assert [each.status for each in roster.take_changes().workers] == [BUSY]


IDS = st.sampled_from(["AW_1", "AW_2", "AW_3", "AW_4", "AW_5"])
PORTS = st.integers(1, 3)


@st.composite
def actions(draw: st.DrawFn) -> Callable[[Roster, Clock], object]:
    """Anything that can happen to a roster."""
    kind = draw(st.sampled_from(["beat", "page", "room", "wait"]))
    if kind == "wait":
        wait = draw(st.sampled_from([1.0, 20.0, 50.0, 300.0]))
        return lambda _roster, clock: clock.advance(wait)
    if kind == "room":
        ids = draw(st.lists(IDS, max_size=3))
        return lambda roster, _clock: roster.listed(room(*ids))
    name, port = draw(st.sampled_from(["demo", "other"])), draw(PORTS)
    if kind == "page":
        scrape = WorkerScrape((page(port=port, agent_name=name),))
        return lambda roster, _clock: roster.scraped(scrape)
    report = beat(
        draw(IDS),
        agent_name=name,
        status=draw(st.sampled_from(list(WorkerStatus))),
        http_port=port,
        replaces=draw(st.just("") | IDS),
    )
    return lambda roster, _clock: roster.heartbeat(report)


@given(st.lists(actions(), max_size=40), st.integers(1, 4))
def test_whatever_happens_the_changes_tell_the_same_as_the_roster(
    steps: list[Callable[[Roster, Clock], object]], places: int
) -> None:
    """One who follows the changes sees what one sees who asks; nobody beyond the limit is known."""
    clock = Clock()
    roster = Roster(
        RosterLimits(max_workers=places, forget_after_s=200), clock=clock, wall_clock=clock
    )
    followed: dict[str, Worker] = {}
    for step in steps:
        step(roster, clock)
        changes = roster.take_changes()
        for worker_id in changes.gone:
            followed.pop(worker_id, None)
        followed |= {worker.worker_id: worker for worker in changes.workers}
        asked = {worker.worker_id: worker for worker in roster.workers()}
        assert followed.keys() == asked.keys()
        assert {each: followed[each].status for each in followed} == {
            each: asked[each].status for each in asked
        }
        assert len(roster) <= places
        places_known = {worker_id for ids in roster._by_place.values() for worker_id in ids}
        assert places_known <= asked.keys()
        restored = Roster(
            RosterLimits(max_workers=places, forget_after_s=200), clock=clock, wall_clock=clock
        )
        restored.restore(roster.export())
        assert restored.workers() == roster.workers()


def test_a_heartbeat_is_strict() -> None:
    """Wrong types, numbers out of range and control characters are refused."""
    good = '{"agent_name": "demo", "status": "idle", "load": 0, "addresses": ["10.0.0.1"]}'
    report = Heartbeat.model_validate_json(good).report("AW_1", "10.0.0.2")
    assert report.addresses == ("10.0.0.1", "10.0.0.2")
    for old, new in (
        ('"idle"', '"sleepy"'),
        ('"load": 0', '"load": "0"'),
        ('"load": 0', '"load": NaN'),
        ('"load": 0', '"load": -1'),
        ('"load": 0', '"load": true'),
        ('"load": 0', '"active_jobs": 1.5'),
        ('"load": 0', '"region": "a\\nb"'),
        ('"demo"', '"a\\nb"'),
        ('"demo"', '"' + "a" * 257 + '"'),
        ("10.0.0.1", "example.org"),
        ('"load": 0', '"http_port": 0'),
        ('"load": 0', '"replaces": "a/b"'),
        ('["10.0.0.1"]', str(["10.0.0.1"] * 17).replace("'", '"')),
    ):
        assert old in good
        with pytest.raises(ValidationError):
            Heartbeat.model_validate_json(good.replace(old, new))


def test_the_answer_can_be_read_back_and_by_older_commands(roster: Roster, clock: Clock) -> None:
    """What GET /api/v1/workers answers is read by the command line, unknown keys and all."""
    roster.heartbeat(beat())
    clock.now += 3
    text = WorkerList.of(roster.workers(), clock.now).model_dump_json()
    [view] = WorkerList.model_validate_json(text.replace("{", '{"newer": 1, ')).workers
    assert (view.worker_id, view.status, view.last_seen_s) == ("AW_1", IDLE, 3.0)
