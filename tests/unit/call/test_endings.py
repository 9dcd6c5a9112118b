"""Calls that the agent ends or hands over: a failure only where the target does not expect it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.outcome import Reason, TurnOutcome, Verdict
from exporter.probes.latency.judge import judge
from exporter.probes.latency.spec import LatencyConfig
from tests.fake_call.calls import Placed, World, place, target
from tests.fake_call.script import Script

FIRST_S, SECOND_S = 1.0, 0.7
SUCCESSOR = World(successor=Script(delay_s=SECOND_S, greet_s=1.0))


def config(wav: Path, **settings: Any) -> LatencyConfig:
    """Return a target of two measured turns after the warm-up."""
    return target(utterance={"wav": wav}, **({"trials": 2} | settings))


def latencies(placed: Placed) -> list[float | None]:
    """Return the latency of each turn."""
    return [turn.e2e_s for turn in placed.call.turns]


def test_a_hand_over_is_named(wav: Path) -> None:
    """The agent has left and another is there: the line says so, without its name."""
    placed = place(Script(goodbye=True), SUCCESSOR, config(wav))
    assert placed.outcome.reason is Reason.AGENT_LEFT
    assert (
        placed.outcome.detail
        == "the agent left the room during the call, and another agent is there"
    )


def test_a_caller_may_follow_a_hand_over(wav: Path) -> None:
    """The other agent's greeting is waited for, and the turns go on with it."""
    placed = place(Script(goodbye=True), SUCCESSOR, config(wav, follow=True))
    assert placed.outcome.reason is None, placed.outcome
    assert latencies(placed) == pytest.approx([FIRST_S, SECOND_S, SECOND_S], abs=0.001)


def test_a_hand_over_to_nobody_is_an_agent_that_left(wav: Path) -> None:
    """Nobody comes within `join_timeout`."""
    placed = place(Script(goodbye=True), World(), config(wav, follow=True, join_timeout=3))
    assert placed.outcome.reason is Reason.AGENT_LEFT


def test_a_second_hand_over_ends_the_call(wav: Path) -> None:
    """A caller is not passed on for ever."""
    world = World(successor=Script(goodbye=True))
    placed = place(Script(goodbye=True), world, config(wav, follow=True, join_timeout=3))
    assert placed.outcome.reason is Reason.AGENT_LEFT
    assert latencies(placed) == pytest.approx([FIRST_S, FIRST_S, None], abs=0.001)


@pytest.mark.parametrize(
    "script", [Script(ends_after=2), Script(ends_after=2, reports=True)], ids=["bare", "reports"]
)
def test_an_agent_may_end_the_call(script: Script, wav: Path) -> None:
    """After a measured turn that is no failure: what was measured counts, and no turn failed."""
    settings = config(wav, may_end=True)
    placed = place(script, World(), settings)
    assert placed.outcome.reason is None, placed.outcome
    assert latencies(placed) == pytest.approx([FIRST_S] * 2, abs=0.001)
    assert judge(settings, placed.outcome) == ()
    assert any("the agent ended the call" in line for line in placed.outcome.log)


def test_who_may_hand_over_may_also_end_the_call(wav: Path) -> None:
    """Nobody comes after it: then the call has ended in order."""
    settings = config(wav, may_end=True, follow=True, warmup=False, join_timeout=3)
    placed = place(Script(goodbye=True), World(), settings)
    assert placed.outcome.reason is None, placed.outcome
    assert latencies(placed) == pytest.approx([FIRST_S], abs=0.001)


def test_a_transcriber_is_no_successor(wav: Path) -> None:
    """It was there before the agent, and has no voice."""
    world = replace(SUCCESSOR, transcriber=True)
    placed = place(Script(goodbye=True), world, config(wav, follow=True))
    assert placed.outcome.reason is None, placed.outcome
    assert latencies(placed) == pytest.approx([FIRST_S, SECOND_S, SECOND_S], abs=0.001)


def test_a_successor_may_greet_late(wav: Path) -> None:
    """It is known as little as the first agent was."""
    greets = Script(delay_s=SECOND_S, greet_s=2.0, greet_after_s=5.4, listens_first=True)
    settings = config(wav, follow=True, greeting="auto", greeting_wait=5)
    placed = place(Script(goodbye=True), World(successor=greets), settings)
    assert placed.outcome.reason is None, placed.outcome
    assert latencies(placed) == pytest.approx([FIRST_S, SECOND_S, SECOND_S], abs=0.001)


def test_an_agent_that_leaves_may_end_the_call(wav: Path) -> None:
    """It may leave as well as delete the room."""
    settings = config(wav, may_end=True, warmup=False)
    placed = place(Script(goodbye=True), World(), settings)
    assert placed.outcome.reason is None, placed.outcome
    assert latencies(placed) == pytest.approx([FIRST_S], abs=0.001)


@pytest.mark.parametrize(
    ("script", "settings", "reason"),
    [
        pytest.param(Script(ends_after=2), {"may_end": False}, Reason.ROOM_CLOSED, id="not told"),
        pytest.param(Script(ends_after=1), {}, Reason.ROOM_CLOSED, id="before a measured turn"),
        pytest.param(Script(dies_after=2), {}, Reason.AGENT_LEFT, id="dropped by the server"),
        pytest.param(Script(leave=True), {}, Reason.AGENT_LEFT, id="without a reply"),
    ],
)
def test_any_other_end_is_a_failure(
    script: Script, settings: dict[str, Any], reason: Reason, wav: Path
) -> None:
    """Not before a measured turn, and an agent that dies has not ended the call."""
    found = config(wav, **({"may_end": True} | settings))
    placed = place(script, World(), found)
    assert placed.outcome.reason is reason
    assert placed.call.turns[-1].outcome is TurnOutcome.FAILED
    assert judge(found, placed.outcome)[0].verdict is Verdict.FAIL
