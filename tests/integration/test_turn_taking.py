"""Scenarios with the demo's real agent, which tells a long story: what it does is found.

Each call lasts for a minute or so. Outcomes of every kind, on agents of which the truth is known:
tests/unit/call/test_turn_taking.py.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from exporter.outcome import (
    AnswerOutcome,
    CallResult,
    InterruptionOutcome,
    Outcome,
    PauseOutcome,
    Reason,
)
from exporter.probes.latency.scenarios.config import ScenarioConfig
from exporter.probes.latency.scenarios.variants import variant_of
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.runner import Runner
from exporter.server_api import Server
from tests import patience
from tests.integration.voids import assert_late
from tests.lateness import watching

pytestmark = [pytest.mark.integration, pytest.mark.long]

LEAST_S, MOST_S = 0.4, 2.0
"""LiveKit's agents yield after 0.5 s of speech by default; a busy machine adds to it."""


def called(server: Server, kind: str, *, interruptible: bool = True, **settings: Any) -> Outcome:
    """Return a call to the demo's agent in a scenario."""
    story = {"llm": {"story": True}, "agent": {"interruptible": interruptible}}
    target = LatencyConfig(
        agent_name="demo",
        join_timeout=patience.WAIT_S,
        trials=1,
        target_ms=10_000,
        metadata=json.dumps(story if kind != "pause" else {}),
    )
    config = variant_of(target, ScenarioConfig(name=kind, **settings))

    async def place() -> Outcome:
        runner = Runner(server, processes=1)
        try:
            return await runner.run("latency", config)
        finally:
            await runner.aclose()

    return asyncio.run(place())


def result_of(outcome: Outcome) -> CallResult:
    """Return what a call found."""
    assert isinstance(outcome.result, CallResult), outcome
    return outcome.result


def is_spoiled(outcome: Outcome, details: list[str]) -> bool:
    """Tell whether the machine spoiled a call, by its own word; it must have been late."""
    return outcome.reason is Reason.VOID or any("prober" in each for each in details)


def test_the_agent_yields_and_answers(livekit: Server, providers: str, tmp_path: Path) -> None:
    """It stops after it has heard half a second of speech, and tells that it was interrupted."""
    assert providers
    with watching(tmp_path) as watch:
        outcome = called(livekit, "barge_in", target_ms=5000)
    call = result_of(outcome)
    if is_spoiled(outcome, [each.detail for each in call.interruptions]):
        assert_late([outcome], watch, call.turns)
        return
    (found,) = call.interruptions
    assert found.outcome is InterruptionOutcome.YIELDED, outcome
    assert found.yield_s is not None
    assert LEAST_S < found.yield_s < MOST_S
    assert found.answer is AnswerOutcome.ANSWERED, outcome


def test_an_agent_that_cannot_be_interrupted_talks_on(
    livekit: Server, providers: str, tmp_path: Path
) -> None:
    """Its session has interruptions off: it tells the story to its end."""
    assert providers
    with watching(tmp_path) as watch:
        outcome = called(livekit, "barge_in", interruptible=False)
    call = result_of(outcome)
    if is_spoiled(outcome, [each.detail for each in call.interruptions]):
        assert_late([outcome], watch, call.turns)
        return
    assert [each.outcome for each in call.interruptions] == [InterruptionOutcome.TALKED_ON]


def test_the_agent_waits_at_a_short_pause(livekit: Server, providers: str, tmp_path: Path) -> None:
    """Its model for the end of turns waits for longer than 0.6 s at what sounds unfinished."""
    assert providers
    with watching(tmp_path) as watch:
        outcome = called(livekit, "pause", pause="0.6s")
    call = result_of(outcome)
    if is_spoiled(outcome, [each.detail for each in call.pauses]):
        assert_late([outcome], watch, call.turns)
        return
    assert {each.outcome for each in call.pauses} <= {PauseOutcome.WAITED, PauseOutcome.CUT_IN}
