"""What a run is given when its wait for a process is over."""

import asyncio
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from exporter.logs import LogSetup
from exporter.metrics.own import PoolSeries
from exporter.metrics.registry import Metrics
from exporter.outcome import Outcome, Reason
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.pool import Slot
from exporter.run.process import Order
from exporter.run.runner import Runner
from exporter.server_api import Server
from tests.unit.calls import WHEN

BEFORE, AFTER = (Server("ws://127.0.0.1:1", "key", secret) for secret in ("before", "after"))


def test_a_run_has_the_credentials_of_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """1. A run waits, as behind a ramp. 2. The API secret is rotated. Result: it has the new one.

    With the old one the call ended with auth_failed, and the agent was FAIL.
    """
    orders: list[Order] = []

    async def call(_slot: Slot, _function: object, order: Order, **_: Any) -> Outcome:
        orders.append(order)
        return Outcome("latency", "demo", WHEN, 1.0, Reason.NO_WORKER, "nobody came")

    async def scenario() -> None:
        runner = Runner(BEFORE, processes=1)

        async def rotate() -> None:
            runner.reconfigure(AFTER, LogSetup(secrets=AFTER.secrets))

        await runner.run("latency", LatencyConfig(agent_name="demo"), on_start=rotate)
        await runner.aclose()

    monkeypatch.setattr(Slot, "call", call)
    asyncio.run(scenario())
    assert [order.server for order in orders] == [AFTER]
    assert orders[0].log.secrets == AFTER.secrets


def test_a_process_that_dies_is_counted_and_so_is_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """1. A call, whose process dies. Result: its lane has one crash, and one wait."""
    metrics = Metrics(CollectorRegistry(), "here")

    async def dies(*_: object, **__: object) -> Outcome:
        raise BrokenProcessPool

    async def nothing(_slot: Slot) -> None:
        """Start no process."""

    async def scenario() -> Outcome:
        runner = Runner(BEFORE, processes=1, watch=PoolSeries(metrics))
        try:
            return await runner.run("latency", LatencyConfig(agent_name="demo"))
        finally:
            await runner.aclose()

    monkeypatch.setattr(Slot, "call", dies)
    monkeypatch.setattr(Slot, "recover", nothing)
    outcome = asyncio.run(scenario())

    def value(name: str, lane: str) -> float | None:
        return metrics.registry.get_sample_value(name, {"server": "here", "lane": lane})

    assert outcome.reason is Reason.PROBE_CRASHED
    assert value("voice_pool_crashes_total", "call") == 1
    assert value("voice_pool_crashes_total", "api") == 0
    assert value("voice_pool_wait_seconds_count", "call") == 1
    assert (value("voice_pool_slots", "call"), value("voice_pool_slots", "api")) == (1, 2)
    assert value("voice_pool_queue_runs", "call") == 0
