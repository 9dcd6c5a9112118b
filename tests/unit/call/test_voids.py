"""A prober that was late says so: its turn is void, neither good nor bad.

The rules are pinned as they are today. Lag in the middle of a wait voids a turn too, so that slow
turns are dropped more often than quick ones; docs/measurement.md says what is counted.
"""

import pytest

from exporter.outcome import Reason, TurnOutcome
from exporter.probes.latency.conversation import RAN_DRY, TORN
from tests.fake_call.agent import Script
from tests.fake_call.calls import converse

RESOLUTION_S = 0.001
LOOK_S = 0.010
"""The lag monitor looks so often: of a block it sees that much less, at most."""


@pytest.mark.parametrize(
    ("after_end_s", "seconds"),
    [
        pytest.param(-0.5, 0.09, id="in our speech"),
        pytest.param(-0.12, 0.09, id="up to just before its end"),
        pytest.param(1.01, 0.09, id="just after the reply began"),
        pytest.param(1.2, 0.09, id="in the reply"),
        pytest.param(0.5, 0.025, id="too short in the wait"),
    ],
)
def test_lag_that_touches_neither_end_nor_wait_shifts_nothing(
    after_end_s: float, seconds: float
) -> None:
    """The turn is measured, and reads the true latency all the same."""
    turn = converse(Script(blocks=((after_end_s, seconds),))).turns[0]
    assert turn.outcome is TurnOutcome.REPLIED, turn
    assert turn.e2e_s == pytest.approx(1.0, abs=RESOLUTION_S)


@pytest.mark.parametrize(
    ("after_end_s", "seconds"),
    [
        pytest.param(-0.05, 0.09, id="across the end of our speech"),
        pytest.param(0.1, 0.09, id="just after it"),
        pytest.param(0.5, 0.09, id="in the middle of the wait"),
        pytest.param(0.5, 0.035, id="not much too long"),
        pytest.param(0.95, 0.09, id="across the beginning of the reply"),
    ],
)
def test_lag_between_the_two_ends_voids_the_turn(after_end_s: float, seconds: float) -> None:
    """The turn has no latency, and says how late the loop was; the next one is measured."""
    first, second = converse(Script(blocks=((after_end_s, seconds),)), turns=2).turns
    assert (first.outcome, first.reason, first.e2e_s) == (TurnOutcome.VOID, Reason.VOID, None)
    assert first.loop_lag_s is not None
    assert first.loop_lag_s == pytest.approx(seconds - LOOK_S / 2, abs=LOOK_S / 2 + RESOLUTION_S)
    assert first.detail == f"the prober: its event loop was {first.loop_lag_s * 1e3:.0f} ms late"
    assert second.e2e_s == pytest.approx(1.0, abs=RESOLUTION_S)


def test_a_gap_in_our_speech_voids_the_rest_of_the_call() -> None:
    """The agent may answer a torn utterance twice, and late: nothing is said any more."""
    talk = converse(Script(blocks=((-0.5, 0.3),)), turns=3)
    assert [turn.outcome for turn in talk.turns] == [TurnOutcome.VOID] * 3
    assert [turn.detail for turn in talk.turns] == [RAN_DRY, TORN, TORN]
    assert len(talk.truth) == 1  # the agent has heard one utterance only


def test_a_gap_in_our_silence_voids_this_turn_only() -> None:
    """What was said was whole: the next turn is as good as any."""
    first, second = converse(Script(blocks=((0.4, 0.3),)), turns=2).turns
    assert (first.outcome, first.detail) == (TurnOutcome.VOID, RAN_DRY)
    assert second.e2e_s == pytest.approx(1.0, abs=RESOLUTION_S)


def test_a_silent_agent_is_not_accused_when_our_audio_had_a_gap() -> None:
    """Without a reply, and with an utterance that was torn, the turn is void and no failure."""
    talk = converse(Script(mute=True, blocks=((-0.5, 0.3),)), reply_timeout=3)
    assert (talk.turns[0].outcome, talk.turns[0].detail) == (TurnOutcome.VOID, RAN_DRY)
