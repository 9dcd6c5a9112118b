"""What is known from one listing to the next: which rooms are asked for, and how many."""

import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.daemon.known_rooms import EVENTS_COUNT_S, KnownRooms
from exporter.outcome import AgentInRoom, CallerAlone, Listing, Outcome, Reason
from exporter.probes.agents.families import (
    AGE,
    AGENTS,
    ALONE,
    REQUESTS,
    STUCK,
    UNREAD,
    WITHOUT_AUDIO,
)
from exporter.probes.agents.listings import Listings
from exporter.probes.agents.picture import (
    NOTHING,
    OLDEST_S,
    Allowance,
    Picture,
    Urgency,
    in_order,
    wants_dispatches,
)
from exporter.probes.agents.rooms import RoomSeen, listing_of
from exporter.probes.agents.spec import AgentsConfig
from exporter.server_api.records import Dispatch, Job, Participant, Room
from exporter.server_api.webhooks import ServerEvent
from tests.unit.calls import WHEN

NOW = 1000.0
CALLER = Participant("caller", "standard", {}, 60, hidden=False, speaks=True)
AGENT = Participant("agent-1", "agent", {"lk.agent.name": "demo"}, 60, hidden=False, speaks=True)
JOB = Dispatch("AD_1", "demo", 60, (Job("agent-1", "AW_1"),))
ROW = Room("call", "RM_call", 600, (1, 2))
WELL = RoomSeen(ROW, (CALLER, AGENT), (JOB,), None, NOW - 15, NOW - 15, ROW.counts)


def _state(state: str) -> RoomSeen:
    attributes = {**AGENT.attributes, "lk.agent.state": state}
    return replace(WELL, participants=(CALLER, replace(AGENT, attributes=attributes)))


@pytest.mark.parametrize(
    ("seen", "urgency"),
    [
        pytest.param(None, Urgency.NEW, id="new"),
        pytest.param(replace(WELL, counts=(1, 1)), Urgency.CHANGED, id="row changed"),
        pytest.param(replace(WELL, participants=(CALLER,)), Urgency.WAITS, id="alone"),
        pytest.param(
            replace(WELL, participants=(CALLER, replace(AGENT, speaks=False))),
            Urgency.WAITS,
            id="silent agent",
        ),
        pytest.param(
            replace(WELL, dispatches=(JOB, Dispatch("AD_2", "other", 5, ()))),
            Urgency.WAITS,
            id="pending",
        ),
        pytest.param(
            replace(WELL, room=replace(ROW, age_s=59), participants=()), Urgency.WAITS, id="young"
        ),
        pytest.param(replace(WELL, participants=()), Urgency.IN_TURN, id="empty"),
        pytest.param(replace(WELL, read_at=NOW - OLDEST_S), Urgency.OLD, id="old"),
        pytest.param(_state("thinking"), Urgency.PASSING, id="thinking"),
        pytest.param(_state("listening"), Urgency.IN_TURN, id="well"),
    ],
)
def test_why_a_room_is_asked_for(seen: RoomSeen | None, urgency: Urgency) -> None:
    """What the list shows, what should pass soon, and all others in turn."""
    picture = replace(NOTHING, rooms={"RM_call": seen} if seen else {})
    assert in_order(picture, [ROW], NOW) == [(urgency, ROW)]


def test_webhooks_make_rooms_rest_and_urgent() -> None:
    """Where they tell of changes, a quiet room is left alone for a minute; one of an event not."""
    picture = Picture({"RM_call": WELL}, has_events=True)
    assert in_order(picture, [ROW], NOW) == []
    assert in_order(picture, [ROW], NOW + 46) == [(Urgency.IN_TURN, ROW)]
    touched = replace(picture, touched=frozenset({"RM_call"}))
    assert in_order(touched, [ROW], NOW) == [(Urgency.CHANGED, ROW)]


def test_the_most_urgent_and_the_oldest_come_first() -> None:
    """A new room before one in turn, however old that is; of two alike the older."""
    rows = [replace(ROW, sid=sid, name=sid) for sid in ("a", "b", "c", "new")]
    seen = {
        row.sid: replace(WELL, room=row, read_at=NOW - age)
        for row, age in zip(rows, (10, 40, 20), strict=False)
    }
    assert [row.sid for _, row in in_order(Picture(seen), rows, NOW)] == ["new", "b", "c", "a"]


def test_dispatches_are_asked_for_where_they_matter() -> None:
    """Not of a call that goes well; of a new room, an agent that nothing links, and who waits."""
    read = replace(WELL, read_at=NOW)
    assert not wants_dispatches(WELL, read)
    assert wants_dispatches(None, read)
    newcomer = replace(AGENT, identity="agent-2", age_s=3)
    assert wants_dispatches(WELL, replace(read, participants=(CALLER, newcomer)))
    assert not wants_dispatches(
        WELL, replace(read, participants=(CALLER, replace(newcomer, age_s=90)))
    )
    assert not wants_dispatches(WELL, replace(read, participants=(CALLER,)))
    assert wants_dispatches(WELL, replace(read, participants=(CALLER,), read_at=NOW + 60))
    assert wants_dispatches(WELL, replace(read, read_at=NOW + OLDEST_S))


def test_a_room_whose_row_changed_leaves_nobody_alone() -> None:
    """It was read with a caller alone, and somebody has come since: who, is unknown."""
    alone = replace(WELL, participants=(CALLER,), counts=(1, 1))
    assert listing_of([alone], now=NOW).alone == ()
    [caller] = listing_of([replace(alone, counts=(1, 2))], now=NOW).alone
    assert (caller.age_s, caller.seen_s) == (60, 15)


@given(
    st.integers(20, 2000), st.lists(st.tuples(st.floats(1, 60), st.integers(0, 500)), max_size=20)
)
def test_no_minute_has_more_requests_than_allowed(
    per_minute: int, listings: list[tuple[float, int]]
) -> None:
    """Whatever listings want, and whenever they are."""
    picture, now, sent = NOTHING, NOW, list[tuple[float, int]]()
    for after_s, wanted in listings:
        now += after_s
        allowance = Allowance(per_minute, picture, now)
        took = min(wanted, int(allowance.left(now)))
        allowance.take(took, now)
        sent.append((now, took))
        picture = replace(picture, allowance=allowance.left(now), at=now)
    for end, _ in sent:
        assert sum(took for at, took in sent if end - 60 < at <= end) <= per_minute


def test_rooms_without_a_change_leave_half_to_the_others() -> None:
    """What is left when they have had theirs is for a change that comes now."""
    allowance = Allowance(400, NOTHING, NOW)
    while allowance.allows(Urgency.IN_TURN, NOW):
        allowance.take(2, NOW)
    assert allowance.left(NOW) == 50
    assert allowance.allows(Urgency.CHANGED, NOW)
    assert Allowance(0, NOTHING, NOW).allows(Urgency.IN_TURN, NOW)


class Shown:
    """Listings as /metrics shows them, at times that the test sets."""

    def __init__(self) -> None:
        self.now = NOW
        self._listings = Listings(lambda: self.now)

    def show(self, listing: Listing | None, reason: Reason | None = None) -> dict[str, float]:
        """Return what is not 0, summed over labels."""
        outcome = Outcome("agents", "", WHEN, 0.1, reason, result=listing)
        found: dict[str, float] = {}
        for each in self._listings(AgentsConfig(), outcome):
            if each.value:
                found[each.family.name] = found.get(each.family.name, 0) + each.value
        return found


def _agent(state: str = "listening", *, seen_s: float = 0, has_audio: bool = True) -> AgentInRoom:
    return AgentInRoom("demo", "a", "r", state, 1, 500, has_audio=has_audio, seen_s=seen_s)


def test_what_was_not_looked_at_does_not_go_on() -> None:
    """1. An agent thinks. 2. Its room is not read for minutes. Result: it is not stuck by that."""
    shown = Shown()
    shown.show(Listing((_agent("thinking"),)))
    for waited_s in (15, 30, 200):
        shown.now = NOW + waited_s
        found = shown.show(Listing((_agent("thinking", seen_s=waited_s),), oldest_s=waited_s))
        assert STUCK.name not in found
        assert found[AGE.name] == waited_s
    assert STUCK.name not in shown.show(Listing((_agent("thinking"),))), "it may have spoken"
    shown.now += 31
    assert shown.show(Listing((_agent("thinking"),)))[STUCK.name] == 1


def test_an_agent_that_left_minutes_after_the_last_look_has_just_left() -> None:
    """The caller counts as alone from the first look without the agent on, and is then kept."""
    shown = Shown()
    shown.show(Listing((_agent(),)))
    shown.now += 200
    alone = Listing(alone=(CallerAlone("", "r", 500),))
    assert ALONE.name not in shown.show(alone)
    shown.now += 15
    assert shown.show(alone)[ALONE.name] == 1
    shown.now += 200
    assert shown.show(alone)[ALONE.name] == 1


def test_an_agent_muted_minutes_after_the_last_look_has_just_been_muted() -> None:
    """It counts as without audio once a second look saw the same."""
    shown = Shown()
    shown.show(Listing((_agent(),)))
    shown.now += 200
    muted = Listing((_agent(has_audio=False),))
    assert WITHOUT_AUDIO.name not in shown.show(muted)
    shown.now += 15
    assert shown.show(muted)[WITHOUT_AUDIO.name] == 1


def test_age_grows_while_listings_fail_and_new_rooms_hide_nothing() -> None:
    """1. Half is read. 2. All is. 3. A room comes. 4. Listings are refused."""
    shown = Shown()
    half = Listing((_agent(),), rooms=2, unread=1, requests=(("ok", 3),), oldest_s=5)
    assert shown.show(half) == {REQUESTS.name: 3, UNREAD.name: 1, AGE.name: 5}
    assert shown.show(replace(half, unread=0, agents=()))[AGE.name] == 5
    assert shown.show(half)[AGENTS.name] == 1
    shown.now += 60
    failed = shown.show(None, Reason.QUOTA_EXCEEDED)
    assert (failed[AGENTS.name], failed[UNREAD.name], failed[AGE.name]) == (1, 1, 65)
    assert REQUESTS.name not in failed


@pytest.mark.parametrize("picture", [NOTHING, Picture({"RM_call": WELL}, {"RM_new": NOW})])
def test_a_picture_crosses_into_a_process(picture: Picture) -> None:
    """It is part of the order of a run, and of its Outcome."""
    assert pickle.loads(pickle.dumps(picture)) == picture  # noqa: S301 - our own


def _event(sid: str, dropped: int = 0) -> ServerEvent:
    return ServerEvent("EV", "participant_joined", 0, "call", sid, dropped=dropped)


def test_what_webhooks_say_reaches_the_next_listing_and_lasts_until_the_room_is_read() -> None:
    """Also where that listing dies; and its requests are taken for spent then."""
    now = [NOW]
    known = KnownRooms(lambda: now[0])
    assert not known.before().has_events
    known.note(_event("RM_a"))
    given = known.before()
    assert (given.touched, given.has_events) == (frozenset({"RM_a"}), True)
    again = known.before()
    assert (again.touched, again.allowance, again.at) == (frozenset({"RM_a"}), 0, NOW)

    outcome = Outcome("agents", "", WHEN, 0.1, kept=replace(given, touched=frozenset()))
    assert known.take(outcome).kept is None
    known.note(_event("", dropped=3))
    assert (known.before().touched, known.before().has_events) == (frozenset(), False)
    now[0] += EVENTS_COUNT_S - 1
    known.note(_event("RM_b"))
    now[0] += 1
    assert known.before().has_events
    now[0] += EVENTS_COUNT_S
    assert not known.before().has_events
