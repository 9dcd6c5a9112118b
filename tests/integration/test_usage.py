"""What a call is said to have used is what the providers of a real agent delivered to it."""

import asyncio
import json
from dataclasses import asdict, replace

import httpx
import pytest

from exporter.demo.counts import Counts
from exporter.outcome import CallResult
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.runner import Runner
from exporter.server_api import Server
from tests import patience

pytestmark = pytest.mark.integration

ROOM = "what-is-used"


def call(server: Server) -> CallResult:
    """Place a call of three turns in a room of that name."""
    config = LatencyConfig(
        agent_name="demo",
        trials=2,
        room_name=ROOM,
        metadata=json.dumps({"llm": {"cached_tokens": 3}}),
        join_timeout=patience.WAIT_S,
    )

    async def place() -> CallResult:
        runner = Runner(server, processes=1)
        try:
            outcome = await runner.run("latency", config)
        finally:
            await runner.aclose()
        assert isinstance(outcome.result, CallResult), outcome
        return outcome.result

    return asyncio.run(place())


def test_usage_is_what_the_providers_delivered(livekit: Server, providers: str) -> None:
    """Tokens and characters to the last one; seconds of sound as the agent cuts them."""
    found = call(livekit)
    answer = httpx.get(f"{providers}/counts", params={"room": ROOM})
    counted = Counts(**answer.raise_for_status().json())
    assert len(found.turns) == 3
    assert counted.llm_cached == 3 * 3
    (used,) = found.usage  # all three are called `demo`
    assert used.stt_seconds == pytest.approx(counted.stt_seconds)
    assert asdict(replace(used, stt_seconds=counted.stt_seconds)) == {
        "model": "demo",
        **asdict(counted),
    }
