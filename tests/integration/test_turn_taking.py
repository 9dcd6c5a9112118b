"""Scenarios with the demo's real agent, which tells a long story: what it does is found.

Each call lasts for a minute or so. Outcomes of every kind, on agents of which the truth is known:
tests/unit/call/test_turn_taking.py.
"""

import asyncio
import json
from collections.abc import Sequence
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


def is_spoiled(outcome: Outcome, details: Sequence[str]) -> bool:
    """Tell whether the machine spoiled a call, by its own word."""
    return outcome.reason is Reason.VOID or any("prober" in each for each in details)


def yielded(server: Server) -> Outcome | None:
    """The agent stops after it has heard half a second of speech, and answers what was said."""
    outcome = called(server, "barge_in", target_ms=5000)
    interruptions = result_of(outcome).interruptions
    if is_spoiled(outcome, [each.detail for each in interruptions]):
        return outcome
    (found,) = interruptions
    assert found.outcome is InterruptionOutcome.YIELDED, outcome
    assert found.yield_s is not None
    assert LEAST_S < found.yield_s < MOST_S
    assert found.answer is AnswerOutcome.ANSWERED, outcome
    return None


def talked_on(server: Server) -> Outcome | None:
    """A session that has interruptions off tells the story to its end."""
    outcome = called(server, "barge_in", interruptible=False)
    found = result_of(outcome).interruptions
    if is_spoiled(outcome, [each.detail for each in found]):
        return outcome
    assert [each.outcome for each in found] == [InterruptionOutcome.TALKED_ON], outcome
    return None


def waited(server: Server) -> Outcome | None:
    """Its model for the end of turns may take 0.6 s for the end of what sounds unfinished."""
    outcome = called(server, "pause", pause="0.6s")
    found = result_of(outcome).pauses
    if is_spoiled(outcome, [each.detail for each in found]):
        return outcome
    assert {each.outcome for each in found} <= {PauseOutcome.WAITED, PauseOutcome.CUT_IN}, outcome
    print([str(each) for each in found])  # noqa: T201 - which of the two is the model's to say
    return None


def test_the_demo_agent_does_what_it_is_set_to(
    livekit: Server, providers: str, tmp_path: Path
) -> None:
    """A busy machine may spoil one of the calls, if it was seen to be late."""
    assert providers
    with watching(tmp_path) as watch:
        outcomes = [
            called_and_checked(livekit) for called_and_checked in (yielded, talked_on, waited)
        ]
    spoiled = [each for each in outcomes if each is not None]
    print(f"{len(spoiled)} of {len(outcomes)} calls are void")  # noqa: T201 - n
    for outcome in spoiled:
        assert_late([outcome], watch, result_of(outcome).turns[-1:])
    assert len(spoiled) <= 1, spoiled
