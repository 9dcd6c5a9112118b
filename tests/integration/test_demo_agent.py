"""Calls to a real agent: AgentSession with speech and language behind local providers.

A machine may be busy meanwhile: see `voids`.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from exporter.demo.settings import DemoSettings, ProviderSettings
from exporter.outcome import CallResult, Outcome, Reason, Turn
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.runner import Runner
from exporter.server_api import Server
from tests import patience
from tests.integration.voids import assert_late, measured, span
from tests.integration.workers import demo_agent
from tests.lateness import Watch, watching

pytestmark = [pytest.mark.integration, pytest.mark.whole_machine]

TOLD = DemoSettings(llm=ProviderSettings(delay_s=0.5), tts=ProviderSettings(delay_s=0.3))
BUSY_S = 0.25
"""What two processes may add to a provider's delay; bench/accuracy.py has the real bound."""

LATE_STEPS = 4
"""An answer passes so many processes that may each be late: two that ask and two that answer."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where everything that runs in this file writes its log."""
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def providers(livekit: Server, folder: Path) -> Iterator[str]:
    """The demo's agent on the shared server; yields the URL of its providers."""
    with demo_agent(livekit, folder, TOLD) as url:
        yield url


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


@dataclass(frozen=True, slots=True)
class Answered:
    """One call in which the agent answered."""

    call: CallResult
    turns: list[Turn]
    """Those that were measured: all, unless the machine was late."""
    late_s: float
    """How late the machine was at worst."""


@pytest.fixture(scope="module")
def answered(livekit: Server, providers: str, watch: Watch) -> Answered:
    """A call of four turns, each measured or void by the prober's own word."""
    assert providers
    outcome = call(livekit, trials=3)
    assert isinstance(outcome.result, CallResult), outcome
    turns = outcome.result.turns
    assert len(turns) == 4, outcome
    replied = measured(turns)
    if len(replied) < 2:
        assert_late([outcome], watch, [turn for turn in turns if turn not in replied])
    return Answered(outcome.result, replied, watch.worst_s(*span(outcome)))


def test_a_real_agents_turn_is_split(answered: Answered) -> None:
    """Every component is there, true to what the providers took, and they add up to the whole."""
    busy_s = BUSY_S + LATE_STEPS * answered.late_s
    assert answered.call.split_absent == "" or not answered.turns
    for turn in answered.turns:
        parts = turn.components
        assert parts.llm_s is not None
        assert 0 <= parts.llm_s - TOLD.llm.delay_s < busy_s
        assert parts.tts_s is not None
        assert 0 <= parts.tts_s - TOLD.tts.delay_s < busy_s
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


def test_the_caller_hears_more_than_the_agent_reports(answered: Answered) -> None:
    """The agent's own figure lacks the way there and back."""
    for turn in answered.turns:
        assert turn.e2e_s is not None
        assert turn.reported_e2e_s is not None
        assert 0 < turn.e2e_s - turn.reported_e2e_s < 1.0 + LATE_STEPS * answered.late_s


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
