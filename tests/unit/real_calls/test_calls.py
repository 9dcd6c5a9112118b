"""The state of real calls: whatever the order of the events, the figures are the script's truth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.calls.call import PEOPLE_KEPT
from exporter.calls.calls import CLOSED_KEPT_S, EMPTY_S, FORGOTTEN_S, SETTLE_S, Calls
from exporter.calls.families import figures
from exporter.server_api.webhooks import ServerEvent
from tests.unit.real_calls.events import SHORT_BELOW_S, Clock, Script, counted, in_room, told
from tests.unit.real_calls.scripts import SCRIPTS, TRUTH, ordinary


@pytest.mark.parametrize("kind", SCRIPTS)
def test_figures_are_the_truth(kind: str) -> None:
    """Of every kind of call, as it happened."""
    assert told(SCRIPTS[kind]) == TRUTH[kind]


@given(data=st.data(), kind=st.sampled_from(sorted(SCRIPTS)))
def test_order_repetition_and_restarts_change_nothing(data: st.DataObject, kind: str) -> None:
    """Events come in any order, some twice, and the exporter is killed between any two."""
    events = SCRIPTS[kind].events
    order = data.draw(st.permutations(events))
    again = data.draw(st.lists(st.sampled_from(events), max_size=4))
    restart_at = data.draw(st.integers(0, len(order)))
    clock = Clock()
    calls = Calls(clock=clock)
    for number, event in enumerate((*order, *again)):
        if number == restart_at:
            kept, calls = calls.export(["RM_1"]), Calls(clock=clock)
            assert calls.restore(kept) == 0
        calls.take(event)

    assert counted(calls, clock) == TRUTH[kind]


@given(data=st.data())
def test_a_lost_event_loses_no_call(data: st.DataObject) -> None:
    """Whichever event of an ordinary call is lost: it is one call, and nobody was left alone."""
    events = ordinary().events
    lost = data.draw(st.sampled_from(events))
    found = told(Script(events=[each for each in events if each is not lost]))

    assert sum(count for name, count in found.items() if name.startswith("calls_total")) == 1
    assert lost.name == "track_published" or "callers_abandoned_total demo" not in found


def _sid(event: ServerEvent) -> str:
    return event.participant.sid if event.participant else ""


@given(data=st.data(), kinds=st.lists(st.sampled_from(sorted(SCRIPTS)), min_size=1, max_size=4))
def test_losses_make_no_figure_wrong_that_can_be_right(
    data: st.DataObject, kinds: list[str]
) -> None:
    """Calls at once, in any order, with losses, repetitions and restarts.

    Result: no negative figure, no call that was not, none twice, and no more disconnects than left.
    """
    events = [each for n, kind in enumerate(kinds) for each in in_room(SCRIPTS[kind], f"RM_{n}")]
    left = data.draw(st.lists(st.sampled_from(events), max_size=2 * len(events)))
    restart_at = data.draw(st.integers(0, len(left)))
    clock = Clock()
    calls = Calls(clock=clock)
    for number, event in enumerate(left):
        if number == restart_at:
            sids = [f"RM_{n}" for n in range(len(kinds))]
            kept, calls = calls.export(sids), Calls(clock=clock)
            assert calls.restore(kept) == 0
        calls.take(event)

    clock.now += EMPTY_S
    ended, _ = calls.close_due()
    real = [n for n, kind in enumerate(kinds) if TRUTH[kind]]
    assert {call.sid for call in ended if call.is_real} <= {f"RM_{n}" for n in real}
    for call in ended:
        shown = [(each.family.name, each.value) for each in figures(call, SHORT_BELOW_S)]
        assert all(count >= 0 for _, count in shown)
        assert sum(name == "voice_calls_total" for name, _ in shown) == call.is_real
        gone = {_sid(each) for each in left if each.name == "participant_left"}
        of_call = sum(sid.startswith(f"{call.sid} ") for sid in gone)
        disconnects = sum(name == "voice_participant_disconnects_total" for name, _ in shown)
        assert disconnects == of_call * call.is_real
    assert calls.close_due() == ((), ())


def test_agent_of_which_only_the_track_is_known_is_none_of_the_callers() -> None:
    """An event of a track has two ids. Result: the caller was not left alone, nor was it two."""
    script = ordinary()
    events = [each for each in script.events if each.name == "track_published"]
    caller = [
        each for each in script.events if each.participant and each.participant.kind != "agent"
    ]
    found = told(Script(events=[*events, *caller, script.events[-1]]))

    assert found["calls_total - caller -"] == 1
    assert found["caller_wait_seconds -"] == 2
    assert "callers_abandoned_total -" not in found


def test_clients_that_connect_anew_for_ever_do_not_fill_the_ledger() -> None:
    """Result: so many connections of a room are known, and it is one call all the same."""
    clock = Clock()
    calls = Calls(clock=clock)
    script = Script()
    for number in range(PEOPLE_KEPT + 10):
        script.join(number + 1, f"p{number}").leave(number + 1, f"p{number}")
    for event in script.finish(2000).events:
        calls.take(event)

    assert len(calls.export(["RM_1"])["RM_1"]) < 300 * PEOPLE_KEPT
    assert counted(calls, clock)["participant_disconnects_total standard client_initiated"] == 500


def test_what_is_kept_of_a_call_that_was_counted_is_its_id() -> None:
    """Those of a quarter of an hour are kept: thousands, on a busy server."""
    clock = Clock()
    calls = Calls(clock=clock)
    for event in ordinary().events:
        calls.take(event)
    counted(calls, clock)

    assert '"people":{}' in calls.export(["RM_1"])["RM_1"]
    assert (calls.open, calls.get("RM_1"), calls.agent_names()) == (0, None, frozenset())


def test_replay_after_a_call_was_counted_is_late_also_after_a_restart() -> None:
    """1. A call is counted. 2. A restart. 3. Its events come again. Result: no second call."""
    clock = Clock()
    calls = Calls(clock=clock)
    script = ordinary()
    for event in script.events:
        assert calls.take(event) == "taken"
    assert calls.take(script.events[0]) == "duplicate"
    assert counted(calls, clock)
    after = Calls(clock=clock)
    after.restore(calls.export(["RM_1"]))

    assert {after.take(event) for event in script.events} == {"late"}
    assert counted(after, clock) == {}
    clock.now += CLOSED_KEPT_S + 1
    assert after.forget_due() == ("RM_1",)


def test_call_ends_once_its_room_did_and_events_have_settled() -> None:
    """Not with the last to leave, who may come back, unless the room's end is never reported."""
    clock = Clock()
    calls = Calls(clock=clock)
    *events, finished = ordinary().events
    for event in events:
        calls.take(event)
    clock.now += SETTLE_S + 1
    assert calls.close_due() == ((), ())
    assert calls.open == 1
    calls.take(finished)
    clock.now += SETTLE_S
    ((call,), _) = calls.close_due()
    assert call.sid == "RM_1"
    assert calls.open == 0

    for event in ordinary("RM_2").events[:-1]:
        calls.take(event)
    clock.now += EMPTY_S
    ((call,), _) = calls.close_due()
    assert call.sid == "RM_2"


def test_call_whose_end_is_lost_is_given_up_and_not_counted() -> None:
    """Nobody knows how it ended; that its events are lost is counted."""
    clock = Clock()
    calls = Calls(clock=clock)
    calls.take(Script().join(0, "ann").events[0])
    clock.now += FORGOTTEN_S
    ended, (lost,) = calls.close_due()

    assert (ended, lost.sid) == ((), "RM_1")


def test_rooms_that_are_for_no_agent_do_not_count() -> None:
    """As for callers alone: `agents.call_rooms`."""
    calls = Calls(["call-*"])

    assert calls.take(Script(room="meeting").join(0, "ann").events[0]) == "other"
    assert calls.take(Script(room="call-1").join(0, "ann").events[0]) == "taken"


def test_what_is_kept_holds_no_identity() -> None:
    """A telephone number is one."""
    calls = Calls()
    calls.take(SCRIPTS["telephone"].events[0])

    (document,) = calls.export(["RM_1"]).values()
    assert "5550100" not in document


def test_a_torn_document_hinders_no_other() -> None:
    """Result: it is left out and counted."""
    calls = Calls()
    calls.take(ordinary().events[0])
    after = Calls()

    assert after.restore({**calls.export(["RM_1"]), "RM_2": "{"}) == 1
    assert after.open == 1
