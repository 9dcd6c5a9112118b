"""A call to a real agent whose model fails: AgentSession behind local providers.

A machine may be busy meanwhile: see `voids`.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter.outcome import CallResult, Outcome, Reason
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.runner import Runner
from exporter.server_api import Server
from tests import patience
from tests.integration.voids import assert_late, measured
from tests.lateness import Watch, watching

pytestmark = [pytest.mark.integration, pytest.mark.whole_machine]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where everything that runs in this file writes its log."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def watch(folder: Path) -> Iterator[Watch]:
    """Tells how late the machine was."""
    with watching(folder) as watch:
        yield watch


def call(server: Server, **settings: Any) -> Outcome:
    """Place one call."""
    config = LatencyConfig(agent_name="demo", join_timeout=patience.WAIT_S, **settings)

    async def place() -> Outcome:
        runner = Runner(server, processes=1)
        try:
            return await runner.run("latency", config)
        finally:
            await runner.aclose()

    return asyncio.run(place())


@pytest.mark.long
def test_an_agent_whose_model_fails_is_an_agent_error(
    livekit: Server, providers: str, watch: Watch
) -> None:
    """Without a reply, the error that the agent itself reports is the reason."""
    broken = {"llm": {"failure_rate": 1.0}}
    httpx.put(f"{providers}/settings", json=broken).raise_for_status()
    try:
        outcome = call(livekit, trials=2, warmup=False, reply_timeout=15)
    finally:
        httpx.put(f"{providers}/settings", json={"llm": {"failure_rate": 0.0}}).raise_for_status()
    assert isinstance(outcome.result, CallResult), outcome
    if outcome.reason is Reason.VOID:
        assert measured(outcome.result.turns) == []
        assert_late([outcome], watch, outcome.result.turns)
        return
    assert outcome.reason is Reason.AGENT_ERROR, outcome
