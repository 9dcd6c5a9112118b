"""The caller speaks when the agent has greeted and listens: not sooner, and not much later."""

from pathlib import Path

import pytest

from exporter.outcome import Reason, TurnOutcome
from tests.fake_call.calls import World, converse, place, target
from tests.fake_call.script import Script

RESOLUTION_S = 0.001
LOOK_S = 0.05
"""Silence is noticed a window or a frame later, and clicks are given the benefit of the doubt."""


@pytest.mark.parametrize("greeting", ["auto", "expected", "none"])
def test_a_greeting_is_heard_out(greeting: str) -> None:
    """Its first sample has its time, and the caller speaks half a second after its last."""
    talk = converse(Script(greet_s=2.5, greet_after_s=0.7), greeting=greeting)
    assert talk.greeted_after_s == pytest.approx(0.7, abs=RESOLUTION_S)
    assert talk.listened_after_s == pytest.approx(0.7 + 2.5 + 0.5, abs=LOOK_S)
    assert talk.turns[0].e2e_s == pytest.approx(1.0, abs=RESOLUTION_S)


@pytest.mark.parametrize("noise_db", [None, -50.0])
def test_auto_waits_for_a_greeting_that_may_come(noise_db: float | None) -> None:
    """Silence of `greeting_wait` means that the agent does not greet; noise is silence too."""
    talk = converse(Script(noise_db=noise_db), greeting="auto", greeting_wait=3)
    assert talk.greeted_after_s is None
    assert talk.listened_after_s == pytest.approx(3.0, abs=LOOK_S)
    assert talk.turns[0].outcome is TurnOutcome.REPLIED


def test_without_a_greeting_the_caller_speaks_at_once() -> None:
    """With `none` half a second of silence in state listening is enough."""
    talk = converse(Script(), greeting="none")
    assert talk.greeted_after_s is None
    assert talk.listened_after_s == pytest.approx(0.5, abs=LOOK_S)


def test_auto_hears_a_greeting_that_comes_late() -> None:
    """An agent that says it will speak is waited for, also beyond `greeting_wait`."""
    talk = converse(Script(greet_s=1.0, greet_after_s=5.0), greeting="auto", greeting_wait=3)
    assert talk.greeted_after_s == pytest.approx(5.0, abs=RESOLUTION_S)
    assert talk.listened_after_s == pytest.approx(6.5, abs=LOOK_S)


def test_noise_does_not_hide_a_greeting() -> None:
    """On a line with a noise floor the greeting is timed as well."""
    talk = converse(Script(greet_s=1.0, greet_after_s=4.0, noise_db=-50.0), greeting="auto")
    assert talk.greeted_after_s == pytest.approx(4.0, abs=RESOLUTION_S)


@pytest.mark.parametrize("states", [True, False])
def test_a_greeting_without_end_is_a_failure(states: bool) -> None:
    """The call ends after `greeting_timeout`, and says which state the agent was in."""
    talk = converse(Script(greet_s=20.0, states=states), greeting="auto", greeting_timeout=5)
    assert talk.ended is not None
    assert talk.ended.reason is Reason.GREETING_TIMEOUT
    state = "speaking" if states else "unknown"
    assert talk.ended.detail == f"the agent did not start to listen (state '{state}') within 5 s"
    assert talk.turns == []


def test_an_expected_greeting_that_does_not_come_is_a_failure() -> None:
    """A silent agent is not spoken to when it should have greeted."""
    talk = converse(Script(), greeting="expected", greeting_timeout=5)
    assert talk.ended is not None
    assert talk.ended.reason is Reason.GREETING_TIMEOUT
    assert talk.ended.detail == "no greeting within 5 s"


@pytest.mark.parametrize(
    ("words_after_s", "repeated"),
    [
        pytest.param(4.0, False, id="within greeting_wait"),
        pytest.param(5.4, True, id="during the first utterance"),
    ],
)
@pytest.mark.parametrize("warmup", [True, False])
def test_an_agent_that_listens_before_its_first_word_has_not_failed(
    words_after_s: float, repeated: bool, warmup: bool, wav: Path
) -> None:
    """What it drops during its greeting is said once more; the greeting has its time."""
    script = Script(greet_s=2.0, greet_after_s=words_after_s, listens_first=True)
    config = target(utterance={"wav": wav}, greeting="auto", greeting_wait=5, warmup=warmup)
    placed = place(script, World(), config)
    assert placed.outcome.reason is None, placed.outcome
    assert placed.call.time_to_greeting_s == pytest.approx(words_after_s, abs=0.006)
    assert [turn.warmup for turn in placed.call.turns] == ([True, False] if warmup else [False])
    for turn in placed.call.turns:
        assert turn.e2e_s == pytest.approx(1.0, abs=RESOLUTION_S)
    assert any("late greeting" in line for line in placed.outcome.log) == repeated


def test_a_late_greeting_excuses_one_missing_reply_only(wav: Path) -> None:
    """An agent that answers nothing after its greeting fails."""
    script = Script(greet_s=2.0, greet_after_s=5.4, listens_first=True, mute=True)
    config = target(utterance={"wav": wav}, greeting="auto", greeting_wait=5)
    placed = place(script, World(), config)
    assert placed.outcome.reason is Reason.NO_REPLY
    assert [turn.outcome for turn in placed.call.turns] == [TurnOutcome.FAILED] * config.trials


def test_by_default_words_that_come_after_four_seconds_are_a_greeting() -> None:
    """An agent that reports `listening` may still need seconds for its first word."""
    talk = converse(Script(greet_s=1.0, greet_after_s=4.0, listens_first=True), greeting="auto")
    assert talk.greeted_after_s == pytest.approx(4.0, abs=RESOLUTION_S)


def test_a_loop_that_was_late_has_heard_that_there_was_no_greeting() -> None:
    """What it has not read in time has waited for it: nothing is missing."""
    config = target(greeting="expected")
    placed = place(Script(), World(blocks=((5.0, 3.0),)), config)
    assert placed.outcome.reason is Reason.GREETING_TIMEOUT, placed.outcome
