"""Calls whose connection breaks in the middle: they go on, or it is known why not."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from exporter.outcome import (
    CallReconnect,
    LineCounts,
    LineDirection,
    Reason,
    TurnOutcome,
    Verdict,
)
from exporter.probes.latency import measure
from exporter.probes.latency.scenarios.config import ScenarioConfig
from exporter.probes.latency.scenarios.variants import Variant, variant_of
from exporter.probes.latency.spec import PROBE
from tests.fake_call.calls import Placed, World, place, target
from tests.fake_call.script import Script

DELAY_S, BACK_S = 0.7, 1.5
NOTHING = LineDirection(packets=0, sent=0, lost=0, overflowed=0, silenced=0)


def scenario(wav: Path, trials: int = 3, **settings: Any) -> Variant:
    """Return a target in the scenario."""
    base = target(utterance={"wav": wav}, trials=trials)
    return variant_of(base, ScenarioConfig(name="reconnect", **settings))


def called(config: Variant, *back_s: float, **script: Any) -> tuple[Placed, Verdict]:
    """Return a call whose connection comes back so long after the break, with its verdict."""
    placed = place(Script(delay_s=DELAY_S, **script), World(back_s=back_s), config)
    return placed, PROBE.judged(config, placed.outcome).verdict


@pytest.mark.parametrize("kind", ["signal", "full", "migration"])
def test_a_call_goes_on_after_a_break(kind: str, wav: Path) -> None:
    """It breaks between two turns: both are measured, and the next one is answered."""
    placed, verdict = called(scenario(wav, breaks=kind), BACK_S)
    (found,) = placed.call.reconnects
    assert (found.kind, found.answered, found.recovered) == (kind, True, True)
    assert found.seconds == pytest.approx(BACK_S)
    assert [turn.outcome for turn in placed.call.turns] == [TurnOutcome.REPLIED] * 4
    for turn in placed.call.turns:
        assert turn.e2e_s == pytest.approx(DELAY_S, abs=0.02)
    assert verdict is Verdict.PASS
    assert any("back after 1.50 s" in each for each in placed.outcome.log)


@pytest.mark.parametrize("taken_s", [0.4, 2.5])
def test_the_caller_speaks_once_it_is_heard_again(taken_s: float, wav: Path) -> None:
    """All built anew: the agent takes the caller's new track some time after the break is over."""
    config = scenario(wav, breaks="full")
    placed = place(Script(delay_s=DELAY_S), World(back_s=(BACK_S,), taken_s=taken_s), config)
    assert [turn.outcome for turn in placed.call.turns] == [TurnOutcome.REPLIED] * 4
    assert placed.call.reconnects[0].recovered is True


def test_an_agent_that_never_hears_the_caller_again_is_lost(wav: Path) -> None:
    """Nobody takes the new track: the next turn has no reply."""
    config = scenario(wav, breaks="full", trials=2)
    placed = place(Script(delay_s=DELAY_S), World(back_s=(BACK_S,), taken_s=1e3), config)
    assert placed.call.reconnects[0].recovered is False
    assert placed.outcome.reason is Reason.NO_REPLY


def test_only_the_turn_that_a_break_hits_is_void(wav: Path) -> None:
    """The turn after that tells whether the agent is still there."""
    placed, verdict = called(scenario(wav), BACK_S, BACK_S + 1)
    replied, void = TurnOutcome.REPLIED, TurnOutcome.VOID
    assert [turn.outcome for turn in placed.call.turns] == [replied, replied, void, replied]
    assert placed.call.reconnects[0].recovered is True
    assert verdict is Verdict.PASS


def test_a_late_answer_to_a_void_turn_is_not_that_to_the_next_one(wav: Path) -> None:
    """The caller is silent until it is over; the next turn has its own latency."""
    world = World(back_s=(BACK_S, BACK_S + 1))
    placed = place(Script(delay_s=2.5), world, scenario(wav))
    *_, void, last = placed.call.turns
    assert (void.outcome, last.outcome) == (TurnOutcome.VOID, TurnOutcome.REPLIED)
    assert last.e2e_s == pytest.approx(2.5, abs=0.02)


def test_where_the_only_turn_after_it_is_void_nothing_can_be_told(wav: Path) -> None:
    """UNKNOWN: neither recovered nor lost."""
    config = scenario(wav, trials=2)
    placed, verdict = called(config, BACK_S, BACK_S + 1)
    assert placed.call.reconnects[0].recovered is None
    assert verdict is Verdict.UNKNOWN
    texts = [each.text for each in PROBE.judge(config, placed.outcome)]
    assert any("no later turn shows whether the agent still answers" in each for each in texts)


def test_an_agent_that_leaves_after_a_last_turn_that_is_void_is_not_accused(wav: Path) -> None:
    """The call is over: nothing is said any more that a late answer could be taken for."""
    placed, verdict = called(scenario(wav, trials=2), BACK_S, BACK_S + 1, dies_after=3)
    assert placed.call.turns[-1].outcome is TurnOutcome.VOID
    assert placed.outcome.reason is None
    assert verdict is Verdict.UNKNOWN


def test_a_connection_that_does_not_come_back_is_lost(wav: Path) -> None:
    """FAIL, though the call may still go on."""
    placed, verdict = called(scenario(wav))
    assert placed.call.reconnects == (CallReconnect("full", answered=True),)
    assert placed.call.reconnects[0].recovered is False
    assert verdict is Verdict.FAIL


def test_an_agent_that_is_gone_after_a_break_has_not_recovered(wav: Path) -> None:
    """The connection is back, and nobody answers."""
    placed, verdict = called(scenario(wav), BACK_S, dies_after=2)
    (found,) = placed.call.reconnects
    assert (found.seconds is not None, found.recovered) == (True, False)
    assert placed.outcome.reason is Reason.AGENT_LEFT
    assert verdict is Verdict.FAIL


def test_a_call_that_ends_in_the_break_is_lost(wav: Path) -> None:
    """The agent left while the connection was away."""
    placed, verdict = called(scenario(wav), dies_after=2)
    assert placed.call.reconnects == (CallReconnect("full"),)
    assert placed.outcome.reason is Reason.AGENT_LEFT
    assert verdict is Verdict.FAIL


def test_there_is_a_turn_before_the_break_and_one_after_it(wav: Path) -> None:
    """Also where the target measures one turn in each call."""
    placed, verdict = called(scenario(wav, trials=1), BACK_S)
    assert len(placed.call.turns) == 3
    assert placed.call.reconnects[0].recovered is True
    assert verdict is Verdict.PASS


class Silent:
    """A relay that lets through nothing for so long as it is told."""

    rtc_config = None
    silences: tuple[float, ...] = ()

    def silence(self, seconds: float) -> None:
        """Note it."""
        self.silences += (seconds,)

    def stop(self) -> None:
        """Stop."""

    def counts(self) -> LineCounts:
        """Count nothing."""
        return LineCounts(NOTHING, NOTHING)


def test_a_silence_needs_a_relay_on_a_good_line_too(wav: Path) -> None:
    """Its own length is part of the time until media comes again."""
    relay, asked = Silent(), []

    async def start(*_: object, needed: bool) -> Silent:
        asked.append(needed)
        return relay

    with patch.object(measure, "start_relay", start):
        placed, verdict = called(scenario(wav, silence="5s"))
    (found,) = placed.call.reconnects
    assert (asked, relay.silences) == ([True], (5.0,))
    assert (found.kind, found.recovered) == ("silence", True)
    assert found.seconds == pytest.approx(5.0, abs=0.1)
    assert verdict is Verdict.PASS


def test_a_deadline_holds_the_break(wav: Path) -> None:
    """And the silence, which comes on top."""
    plain = scenario(wav, trials=10)
    assert scenario(wav, trials=10, silence="20s").deadline == plain.deadline + 20
