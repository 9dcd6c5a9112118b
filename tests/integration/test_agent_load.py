"""A load of real calls on an agent that is in truth what it seems.

The machine that runs the tests may be busy: that the prober was the limit is a good answer here.
"""

import asyncio
import secrets
import time
from pathlib import Path

import pytest

from exporter.outcome import AgentLoad
from exporter.probe import ROOM_PREFIX, Run
from exporter.probes.agent_load.measure import load
from exporter.probes.agent_load.spec import AgentLoadConfig, agent_knee, judged_tiers
from exporter.probes.ramp.judge import KneeKind
from exporter.server_api import Server, ServerApi
from exporter.settings.settings import Settings
from tests.load_agents import slowing_agent

pytestmark = [pytest.mark.integration, pytest.mark.whole_machine]


def config(**keys: object) -> AgentLoadConfig:
    """Return a load on the agent that joins every room."""
    settings = Settings.model_validate(
        {
            "targets": [{"agent_name": "load", "dispatch": "automatic", "greeting": "none"}],
            "agent_load": {"agent_name": "load", **keys},
        }
    )
    return settings.load_here()


def test_load_of_two_tiers(livekit: Server, tmp_path: Path) -> None:
    """One call, then two, of an agent that carries one: the knee is one, and no room is left."""
    asked = config(calls=(1, 2), duration=5, target_ms=900)
    run = Run(secrets.token_hex(8), livekit, time.monotonic() + asked.deadline)

    with slowing_agent(livekit, tmp_path, delay_s=0.4, carries=1, step_s=1.0):
        outcome = asyncio.run(load(asked, run))

    assert outcome.reason is None, outcome.detail
    assert isinstance(outcome.result, AgentLoad)
    tiers, knee = judged_tiers(asked, outcome), agent_knee(asked, outcome)
    said = [(tier.clients, tier.e2e, tier.broken, tier.limits) for tier in tiers]
    assert tiers[0].clients == 1
    assert knee.kind in (KneeKind.FOUND, KneeKind.LIMITED), said
    if knee.kind is KneeKind.FOUND:
        assert knee.clients == 1, said
    assert not asyncio.run(left(livekit, run.id))


async def left(server: Server, run_id: str) -> list[str]:
    """Return the rooms of a run that are still there."""
    async with ServerApi(server) as api:
        return [n for n in await api.list_rooms() if n.startswith(f"{ROOM_PREFIX}{run_id}")]
