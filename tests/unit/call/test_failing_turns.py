"""A turn without a reply has the reason that fits, and never a number."""

import pytest

from exporter.outcome import Reason, SilentStage, TurnOutcome
from tests.fake_call.calls import Talk, converse
from tests.fake_call.script import Script


def reasons(talk: Talk) -> list[Reason | None]:
    """Return the reasons of the turns."""
    assert all(turn.e2e_s is None for turn in talk.turns)
    return [turn.reason for turn in talk.turns]


def test_silence_is_no_reply() -> None:
    """Each utterance is waited for as long as the target says, and the state is named."""
    talk = converse(Script(mute=True), turns=2, reply_timeout=3)
    assert reasons(talk) == [Reason.NO_REPLY] * 2
    assert talk.turns[0].detail == "silence for 3 s (agent state 'listening')"
    assert talk.ended is None


def test_an_agent_that_hangs_is_named_by_its_state() -> None:
    """The detail of a missing reply has the agent's last state."""
    talk = converse(Script(hang=True), reply_timeout=3)
    assert reasons(talk) == [Reason.NO_REPLY]
    detail = "silence for 3 s (agent state 'thinking')"
    assert talk.turns[0].detail == f"{detail}: {SilentStage.NO_ANSWER.words}"


def test_an_agent_without_states_is_said_to_have_told_none() -> None:
    """Nothing is made up where its state is not known."""
    talk = converse(Script(mute=True, states=False), reply_timeout=3)
    assert talk.turns[0].detail == "silence for 3 s (agent state 'unknown')"


def test_a_reply_after_the_time_out_is_none() -> None:
    """A reply 0.2 s too late is a failure; one 0.2 s before the limit counts."""
    assert reasons(converse(Script(delay_s=3.2), reply_timeout=3)) == [Reason.NO_REPLY]
    turn = converse(Script(delay_s=2.8), reply_timeout=3).turns[0]
    assert turn.e2e_s == pytest.approx(2.8, abs=0.001)


def test_a_click_is_no_reply() -> None:
    """An agent that only clicks within the time-out has not replied."""
    talk = converse(Script(delay_s=5.0, click_s=4.0), reply_timeout=3)
    assert reasons(talk) == [Reason.NO_REPLY]


def test_an_error_that_the_agent_reports_is_the_reason() -> None:
    """Its own words stand in the detail, and the next turn is tried."""
    talk = converse(Script(error="the model is down"), turns=2, reply_timeout=3)
    assert reasons(talk) == [Reason.AGENT_ERROR] * 2
    assert talk.turns[0].detail == "the agent reported: the model is down"


def test_an_agent_whose_media_stopped_ends_the_call() -> None:
    """It is listed still, but it will not answer the next utterance either."""
    talk = converse(Script(stall=True), turns=2, reply_timeout=3)
    assert talk.turns == []
    assert talk.ended is not None
    assert talk.ended.reason is Reason.NO_REPLY
    assert (
        talk.ended.detail
        == "the agent's media stopped, but it is still in the room (state 'listening')"
    )


def test_an_agent_that_leaves_ends_the_call() -> None:
    """One that goes, or dies, in the wait for its reply is agent_left."""
    talk = converse(Script(leave=True), turns=2)
    assert talk.ended is not None
    assert talk.ended.reason is Reason.AGENT_LEFT


def test_an_agent_that_reports_an_error_and_leaves_is_an_agent_error() -> None:
    """The error is the better reason of the two."""
    talk = converse(Script(error="out of memory", leave=True))
    assert talk.ended is not None
    assert talk.ended.reason is Reason.AGENT_ERROR
    assert "out of memory" in talk.ended.detail


def test_a_room_that_is_closed_ends_the_call() -> None:
    """The server's word for it stands in the detail."""
    talk = converse(Script(close=True))
    assert talk.ended is not None
    assert talk.ended.reason is Reason.ROOM_CLOSED
    assert "room_deleted" in talk.ended.detail


def test_a_room_that_is_closed_with_its_agent_is_no_agent_that_left() -> None:
    """The agent goes first then: the better reason follows within half a second."""
    talk = converse(Script(leave=True, close=True))
    assert talk.ended is not None
    assert talk.ended.reason is Reason.ROOM_CLOSED


def test_a_reply_is_kept_when_the_agent_leaves_after_it() -> None:
    """What was heard was heard; only the turn that the agent did not stay for fails."""
    talk = converse(Script(goodbye=True), turns=2)
    assert [turn.outcome for turn in talk.turns] == [TurnOutcome.REPLIED]
    assert talk.turns[0].e2e_s == pytest.approx(1.0, abs=0.001)
    assert talk.ended is not None
    assert talk.ended.reason is Reason.AGENT_LEFT


def test_an_agent_without_a_track_ends_the_call() -> None:
    """Nothing can be heard of it, so nothing is said to it."""
    talk = converse(Script(no_track=True), track_timeout=3)
    assert talk.ended is not None
    assert talk.ended.reason is Reason.NO_AUDIO_TRACK
    assert talk.ended.detail == "the agent published no microphone track within 3 s"
