"""An agent is heard by whichever of its tracks sounds: its own, or that of its avatar."""

import pytest

from exporter.outcome import Reason, TurnOutcome
from tests.fake_call.calls import converse
from tests.fake_call.script import Script

RESOLUTION_S = 0.001


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(Script(avatar=True, own_track=True), id="at once"),
        pytest.param(Script(avatar=True, own_track=True, avatar_after_s=1.0), id="soon"),
        pytest.param(Script(avatar=True, avatar_after_s=6.0), id="published after 12 s"),
        pytest.param(
            Script(avatar=True, own_track=True, avatar_after_s=1.0, greet_s=1.0), id="and greets"
        ),
        pytest.param(
            Script(avatar=True, own_track=True, avatar_is_silent=True), id="and is silent"
        ),
    ],
)
def test_whichever_track_sounds_is_heard(script: Script) -> None:
    """The agent's own track stays, silent; or the avatar's is."""
    talk = converse(script, turns=3, greeting="auto")
    assert talk.ended is None
    assert TurnOutcome.FAILED not in {turn.outcome for turn in talk.turns}, talk
    for turn in talk.turns[1:]:  # of a change of tracks the first one may be void
        assert turn.e2e_s == pytest.approx(1.0, abs=RESOLUTION_S)
    assert (talk.greeted_after_s is not None) == bool(script.greet_s)


def test_an_avatar_that_comes_during_the_call_costs_one_turn() -> None:
    """Nobody knew of it: what was said meanwhile tells nothing of the agent."""
    script = Script(avatar=True, own_track=True, avatar_after_s=5.9)
    talk = converse(script, turns=3, greeting="auto")
    first, *others = talk.turns
    assert (first.outcome, first.reason) == (TurnOutcome.VOID, Reason.VOID)
    assert first.detail == "an avatar came to speak for the agent"
    assert [turn.e2e_s for turn in others] == pytest.approx([1.0] * 2, abs=RESOLUTION_S)


def test_an_avatar_that_never_speaks_is_not_waited_for_without_end() -> None:
    """It has joined and publishes nothing: that is no microphone track of the agent."""
    talk = converse(Script(avatar=True, avatar_after_s=60.0), track_timeout=3)
    assert talk.ended is not None
    assert talk.ended.reason is Reason.NO_AUDIO_TRACK
