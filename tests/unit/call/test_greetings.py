"""The caller speaks when the agent has greeted and listens: not sooner, and not much later."""

import pytest

from exporter.outcome import Reason, TurnOutcome
from tests.fake_call.agent import Script
from tests.fake_call.calls import converse

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
