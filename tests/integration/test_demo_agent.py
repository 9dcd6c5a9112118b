"""Calls to a real agent: AgentSession with ears, mind and mouth behind local providers."""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from exporter.demo.settings import DemoSettings, ProviderSettings
from exporter.outcome import CallResult, Outcome, Reason, TurnOutcome
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.runner import Runner
from exporter.server_api import Server
from tests.integration.placing import until_measured
from tests.integration.workers import demo_agent

pytestmark = pytest.mark.integration

TOLD = DemoSettings(llm=ProviderSettings(delay_s=0.5), tts=ProviderSettings(delay_s=0.3))
BUSY_S = 0.25
"""What a busy machine may add to a provider's delay; bench/accuracy.py has the real bound."""


@pytest.fixture(scope="module")
def providers(livekit: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The demo's agent on the shared server; yields the URL of its providers."""
    with demo_agent(livekit, tmp_path_factory.mktemp("demo"), TOLD) as url:
        yield url


def call(server: Server, **settings: Any) -> Outcome:
    """Place one call."""
    config = LatencyConfig(agent_name="demo", join_timeout=40, **settings)

    async def place() -> Outcome:
        runner = Runner(server, processes=1)
        try:
            return await until_measured(partial(runner.run, "latency", config))
        finally:
            await runner.aclose()

    return asyncio.run(place())


@pytest.fixture(scope="module")
def answered(livekit: Server, providers: str) -> CallResult:
    """One call in which the agent answered."""
    assert providers
    outcome = call(livekit, trials=2)
    assert isinstance(outcome.result, CallResult), outcome
    assert any(turn.outcome is TurnOutcome.REPLIED for turn in outcome.result.turns), outcome
    return outcome.result


@pytest.mark.whole_machine
def test_a_real_agents_turn_is_split(answered: CallResult) -> None:
    """Every component is there, true to what the providers took, and they add up to the whole."""
    assert answered.split_absent == ""
    for turn in answered.turns:
        if turn.outcome is not TurnOutcome.REPLIED:
            continue
        parts = turn.components
        assert parts.llm_s is not None
        assert 0 <= parts.llm_s - TOLD.llm.delay_s < BUSY_S
        assert parts.tts_s is not None
        assert 0 <= parts.tts_s - TOLD.tts.delay_s < BUSY_S
        assert parts.transcription_s is not None
        assert parts.transcription_s > TOLD.stt.delay_s
        assert parts.end_of_turn_s is not None
        assert parts.transport_s is not None
        whole = sum(
            (
                parts.transcription_s,
                parts.end_of_turn_s,
                parts.llm_s,
                parts.tts_s,
                parts.transport_s,
            )
        )
        assert turn.e2e_s == pytest.approx(whole)


@pytest.mark.whole_machine
def test_the_caller_hears_more_than_the_agent_reports(answered: CallResult) -> None:
    """The agent's own figure lacks the way there and back."""
    for turn in answered.turns:
        if turn.e2e_s is None:
            continue
        assert turn.reported_e2e_s is not None
        assert 0 < turn.e2e_s - turn.reported_e2e_s < 1.0


def test_an_agent_whose_model_fails_is_an_agent_error(livekit: Server, providers: str) -> None:
    """Without a reply, the error that the agent itself reports is the reason."""
    broken = {"llm": {"failure_rate": 1.0}}
    httpx.put(f"{providers}/settings", json=broken).raise_for_status()
    try:
        outcome = call(livekit, trials=1, warmup=False, reply_timeout=15)
    finally:
        httpx.put(f"{providers}/settings", json={"llm": {"failure_rate": 0.0}}).raise_for_status()
    assert outcome.reason is Reason.AGENT_ERROR, outcome
