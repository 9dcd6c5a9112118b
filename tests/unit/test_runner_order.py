"""What a run is given when its wait for a process is over."""

import asyncio
from typing import Any

import pytest

from exporter.logs import LogSetup
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
