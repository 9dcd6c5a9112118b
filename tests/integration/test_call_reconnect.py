"""Real calls to the demo's agent whose connection breaks in the middle: it still answers."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from exporter.outcome import CallResult, Outcome
from exporter.probes.latency.scenarios.config import ScenarioConfig
from exporter.probes.latency.scenarios.variants import variant_of
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.runner import Runner
from exporter.server_api import Server
from tests import patience
from tests.integration.voids import assert_late
from tests.lateness import watching

pytestmark = [pytest.mark.integration, pytest.mark.long]

BREAKS: dict[str, dict[str, Any]] = {
    "signal": {"breaks": "signal"},
    "full": {"breaks": "full"},
    "migration": {"breaks": "migration"},
    "silence": {"silence": 3.0},
}
MOST_SPOILED = 1
"""Of these calls a busy machine may spoil so many, or the test proves nothing."""


async def called(server: Server) -> dict[str, Outcome]:
    """Return a call for each kind of break."""
    target = LatencyConfig(agent_name="demo", join_timeout=patience.WAIT_S, target_ms=10_000)
    runner = Runner(server, processes=1)
    try:
        return {
            kind: await runner.run(
                "latency", variant_of(target, ScenarioConfig(name="reconnect", **settings))
            )
            for kind, settings in BREAKS.items()
        }
    finally:
        await runner.aclose()


def test_the_next_turn_is_answered(livekit: Server, providers: str, tmp_path: Path) -> None:
    """Whatever broke: the call recovers, and at most the turn that was hit is void."""
    assert providers
    with watching(tmp_path) as watch:
        outcomes = asyncio.run(called(livekit))
    spoiled = 0
    for kind, outcome in outcomes.items():
        call = outcome.result
        assert isinstance(call, CallResult), outcome
        print(kind, call.reconnects, [str(each.outcome) for each in call.turns])  # noqa: T201 - the table
        if not call.reconnects or call.reconnects[0].recovered is None:
            assert_late([outcome], watch, call.turns[-1:])
            spoiled += 1
            continue
        assert [each.kind for each in call.reconnects] == [kind]
        assert call.reconnects[0].recovered, (outcome, outcome.log)
    assert spoiled <= MOST_SPOILED
