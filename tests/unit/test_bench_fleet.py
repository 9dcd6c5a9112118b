"""What the bench of fleets makes of what its witnesses tell."""

import json
from pathlib import Path

import httpx

from bench.fleet_witness import (
    EXPORTER,
    ROOMS,
    TARGET,
    Call,
    Life,
    Run,
    Witness,
    answered_runs,
    longest_gaps,
    lost_turns,
    overlaps,
    repeats,
)
from exporter.daemon.group import CUT_OFF, TOO_LATE
from exporter.run.leftovers import DETAIL


def call(target: str, began: float, ended: float | None, exporter: str = "a") -> Call:
    """Return a call whose run is named after its begin."""
    return Call(f"{ROOMS}{began:g}", target, exporter, began, ended)


def test_two_callers_at_once_are_seen() -> None:
    """Also where one of them has not left, and not where it is another target."""
    first, second = call("t", 0, 10), call("t", 8, 12, "b")
    assert overlaps([first, second, call("u", 5, 9)], 20) == [(first, second, 2)]
    assert overlaps([first, call("t", 10, 12)], 20) == []
    stays = call("t", 1, None)
    assert overlaps([stays, call("t", 15, 16)], 20) == [(stays, call("t", 15, 16), 1)]
    short, long = call("t", 1, 2), call("t", 0, 10)
    assert len(overlaps([long, short, call("t", 3, 4)], 20)) == 2


def test_a_slot_that_is_called_twice_is_seen() -> None:
    """Less than an interval after the call before."""
    first, second = call("t", 0, 10), call("t", 29, 31)
    assert repeats([first, second, call("t", 59, 60)], 30) == [(first, second)]


def test_the_longest_gap_counts_begin_and_end() -> None:
    """A target without a call has a gap as long as all."""
    calls = [call("t", 10, 12), call("t", 40, 41)]
    assert longest_gaps(calls, ["t", "u"], 0, 100) == {"t": 60, "u": 100}


def test_lost_turns_are_those_that_had_time_to_be_counted() -> None:
    """Of each life: what was in flight at its end is not lost, and what was refused was counted."""
    calls = [call("t", at, at + 10) for at in (0.0, 20.0, 40.0)]
    answered = {each.run_id for each in calls}
    killed = Life("a", 0, 52, turns=1)
    assert lost_turns([killed], calls, answered) == (1, 1)
    assert lost_turns([Life("a", 0, 52, turns=1, refused=1)], calls, answered) == (0, 1)
    assert lost_turns([Life("a", 0, None, turns=3)], calls, answered) == (0, 0)
    assert lost_turns([killed, Life("b", 0, None)], calls, answered - {"20"}) == (0, 1)


def test_a_run_that_was_cut_off_costs_its_turn() -> None:
    """Others cost what they took."""
    assert Run("t", "probe_crashed", "", 0, is_open=False).charged == 1
    assert Run("t", None, "", 0, is_open=True).charged == 1
    assert Run("t", "no_worker", "", 0, is_open=False).charged == 0
    assert Run("t", None, "", 1, is_open=False).charged == 1


def test_what_is_counted_by_nobody_is_known_by_its_text() -> None:
    """The texts are those of the exporter: were they others, all such runs would seem lost."""
    assert Run("t", None, "", 0, is_open=True).is_uncounted
    for detail in (DETAIL, CUT_OFF, TOO_LATE):
        assert Run("t", "probe_crashed", detail, 0, is_open=False).is_uncounted, detail
    assert not Run("t", "probe_crashed", "exited with 1", 0, is_open=False).is_uncounted


def test_calls_follow_from_webhooks(tmp_path: Path) -> None:
    """Participants with the attributes of the bench are callers; the agents are told of them."""
    heard: list[str] = []
    caller = {"sid": "PA_1", "attributes": {TARGET: "t", EXPORTER: "a"}}
    with Witness() as witness:
        witness.on_caller = heard.append
        for event, who in (
            ("participant_joined", caller),
            ("participant_joined", {"sid": "PA_2", "attributes": {}}),
            ("participant_left", {"sid": "PA_2"}),
        ):
            body = {"event": event, "room": {"name": f"{ROOMS}r"}, "participant": who}
            assert httpx.post(witness.url, content=json.dumps(body)).is_success
        (found,) = witness.calls
        assert (found.run_id, found.target, found.exporter, found.ended) == ("r", "t", "a", None)
        body = {"event": "participant_left", "room": {"name": f"{ROOMS}r"}, "participant": caller}
        assert httpx.post(witness.url, content=json.dumps(body)).is_success
        assert witness.calls[0].ended is not None
    assert heard == [f"{ROOMS}r"]
    journal = tmp_path / "journal"
    journal.write_text(f"{ROOMS}r 3\n{ROOMS}s 0\n")
    assert answered_runs(journal) == {"r"}
