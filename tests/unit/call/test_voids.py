"""A prober that was late at an end of a turn says so: the turn is void, neither good nor bad."""

import random

import pytest

from exporter.outcome import Reason, Turn, TurnOutcome
from exporter.probes.latency.conversation import TORN
from exporter.probes.latency.speaking import RAN_DRY
from tests.fake_call.calls import converse
from tests.fake_call.script import Script

RESOLUTION_S = 0.001
LOOK_S = 0.010
"""The lag monitor looks so often: of a block it sees that much less, at most."""
DELAY_S = 4.0
"""Of an agent whose wait has a middle."""
QUICK_S, WITHIN_S = 0.8, 1.5


@pytest.mark.parametrize(
    ("after_end_s", "seconds"),
    [
        pytest.param(-0.75, 0.09, id="at the beginning of our speech"),
        pytest.param(-0.05, 0.025, id="too short at the end of our speech"),
        pytest.param(0.2, 0.09, id="at the beginning of the wait"),
        pytest.param(1.0, 0.5, id="long enough in the wait for a gap in our silence"),
        pytest.param(1.8, 0.09, id="at the end of the middle"),
        pytest.param(DELAY_S - 0.1, 0.025, id="too short before the reply"),
        pytest.param(DELAY_S + 0.55, 0.09, id="in the reply"),
    ],
)
def test_lag_between_the_ends_shifts_nothing(after_end_s: float, seconds: float) -> None:
    """The turn is measured, and reads the true latency all the same."""
    turn = converse(Script(delay_s=DELAY_S, blocks=((after_end_s, seconds),))).turns[0]
    assert turn.outcome is TurnOutcome.REPLIED, turn
    assert turn.e2e_s == pytest.approx(DELAY_S, abs=RESOLUTION_S)
    assert turn.loop_lag_s == pytest.approx(0.0, abs=0.02)


@pytest.mark.parametrize(
    ("after_end_s", "seconds"),
    [
        pytest.param(-0.45, 0.09, id="while our speech is handed over"),
        pytest.param(-0.05, 0.09, id="across its end"),
        pytest.param(0.08, 0.09, id="just after it"),
        pytest.param(2.1, 0.09, id="two seconds before the reply"),
        pytest.param(DELAY_S - 0.1, 0.035, id="not much too long"),
        pytest.param(DELAY_S - 0.05, 0.09, id="across the beginning of the reply"),
        pytest.param(DELAY_S + 0.4, 0.09, id="in its first half second"),
    ],
)
def test_lag_at_one_of_the_ends_voids_the_turn(after_end_s: float, seconds: float) -> None:
    """The turn has no latency, and says how late the loop was; the next one is measured."""
    talk = converse(Script(delay_s=DELAY_S, blocks=((after_end_s, seconds),)), turns=2)
    first, second = talk.turns
    assert (first.outcome, first.reason, first.e2e_s) == (TurnOutcome.VOID, Reason.VOID, None)
    assert first.loop_lag_s is not None
    assert first.loop_lag_s == pytest.approx(seconds - LOOK_S / 2, abs=LOOK_S / 2 + RESOLUTION_S)
    assert first.detail == f"the prober: its event loop was {first.loop_lag_s * 1e3:.0f} ms late"
    assert second.e2e_s == pytest.approx(DELAY_S, abs=RESOLUTION_S)


def _turns(delay_s: float, spikes: random.Random) -> list[Turn]:
    """Take 40 turns, while the loop is late by 30 to 80 ms each ten seconds or so."""
    at, blocks = 0.0, []
    while at < 40 * (delay_s + 4):
        at += spikes.expovariate(0.1)
        blocks.append((at, spikes.uniform(0.03, 0.08)))
    return converse(Script(delay_s=delay_s, blocks=tuple(blocks)), turns=40).turns


@pytest.mark.long
def test_slow_turns_are_not_voided_more_often_than_quick_ones() -> None:
    """Half of the turns take 0.8 s, half 4 s: of what was measured, half is within 1.5 s."""
    spikes = random.Random(7)
    turns = [*_turns(QUICK_S, spikes), *_turns(DELAY_S, spikes)]
    measured = [turn.e2e_s for turn in turns if turn.e2e_s is not None]
    assert {turn.outcome for turn in turns} == {TurnOutcome.REPLIED, TurnOutcome.VOID}
    share = sum(seconds <= WITHIN_S for seconds in measured) / len(measured)
    assert share == pytest.approx(0.5, abs=0.04), f"{share:.1%} of {len(measured)}"


def test_a_gap_in_our_speech_voids_the_rest_of_the_call() -> None:
    """The agent may answer a torn utterance twice, and late: nothing is said any more."""
    talk = converse(Script(blocks=((-0.5, 0.3),)), turns=3)
    assert [turn.outcome for turn in talk.turns] == [TurnOutcome.VOID] * 3
    assert [turn.detail for turn in talk.turns] == [RAN_DRY, TORN, TORN]
    assert len(talk.truth) == 1  # the agent has heard one utterance only


def test_a_silent_agent_is_not_accused_when_our_audio_had_a_gap() -> None:
    """Without a reply, and with an utterance that was torn, the turn is void and no failure."""
    talk = converse(Script(mute=True, blocks=((-0.5, 0.3),)), reply_timeout=3)
    assert (talk.turns[0].outcome, talk.turns[0].detail) == (TurnOutcome.VOID, RAN_DRY)


def test_a_reply_that_came_while_the_loop_stood_still_is_no_silence() -> None:
    """Its frames wait when the time for it is over: they are read, and the turn is void."""
    turn = converse(Script(delay_s=2.5, blocks=((2.0, 3.0),)), reply_timeout=3).turns[0]
    assert (turn.outcome, turn.reason) == (TurnOutcome.VOID, Reason.VOID), turn


def test_lag_excuses_no_silent_agent() -> None:
    """What was late has read all that came: nothing."""
    talk = converse(Script(mute=True, blocks=((1.0, 0.5), (2.9, 3.0))), reply_timeout=3)
    assert talk.turns[0].reason is Reason.NO_REPLY
