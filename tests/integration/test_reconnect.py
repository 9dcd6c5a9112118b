"""Connections of our own, broken on purpose on a real server."""

import asyncio

import pytest

from exporter.outcome import Outcome, SfuReconnects
from exporter.probes.reconnect.spec import ReconnectConfig
from exporter.run.runner import Runner
from exporter.server_api import Server

pytestmark = pytest.mark.integration


def test_every_kind_comes_back(livekit: Server) -> None:
    """Each break ends with media: the gap is longer than a packet where the track went with it."""
    config = ReconnectConfig()

    async def measure() -> Outcome:
        runner = Runner(livekit, processes=1)
        try:
            return await runner.run("reconnect", config)
        finally:
            await runner.aclose()

    outcome = asyncio.run(measure())
    assert outcome.ok, outcome.detail
    assert isinstance(outcome.result, SfuReconnects)
    found = {each.kind: each for each in outcome.result.reconnects}
    assert list(found) == ["signal", "full", "migration"]
    for each in found.values():
        assert each.resume_s is not None
        assert each.media_gap_s is not None
        assert 0 < each.resume_s < config.timeout
        assert each.media_gap_s < config.timeout
    gaps = [found[kind].media_gap_s or 0.0 for kind in ("full", "migration")]
    assert min(gaps) > 0.02
