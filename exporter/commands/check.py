"""The command `check`: agents, latency and the SFU, one after the other."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from exporter.commands.once import (
    LatencyOrder,
    Progress,
    ask_fleet,
    call_agents,
    known_agents,
    one_runner,
    plan_calls,
    run,
    save_to,
    with_known,
)
from exporter.probes.sfu.spec import SfuConfig
from exporter.report.call_figures import LatencyReport
from exporter.report.check import CheckReport
from exporter.report.sfu import SfuReport
from exporter.settings.load import override
from exporter.settings.settings import Settings

TRIALS = 2
"""Measured turns in each call: each one costs money, and two show whether the agent answers."""


@dataclass(frozen=True, slots=True)
class CheckOrder:
    """What `check` is asked to do."""

    agent: str | None
    """The agent to call; every one that is configured, in a room or on the roster if None."""
    call_flags: Mapping[str, object]
    """Keys of a target that replace what is configured; None means not given."""
    sfu_flags: Mapping[str, object]
    """The same for the section `sfu`."""
    save: Path | None = None
    """Where each call is kept, to be seen and heard; nowhere if None."""

    def calls(self) -> LatencyOrder:
        """Return how agents are called."""
        return LatencyOrder(self.agent, {"trials": TRIALS} | _given(self.call_flags))


def check(settings: Settings, order: CheckOrder, progress: Progress) -> CheckReport:
    """Run all three diagnostics, whatever the others find.

    Raises:
        ConfigError: Credentials are missing, or a flag is impossible; nothing was called.
    """
    settings.server()
    sfu = override(settings.sfu, _given(order.sfu_flags), "sfu")
    plan_calls(settings, order.calls(), "any" if order.agent is None else order.agent)
    return run(_check(settings, order, sfu, progress))


async def _check(
    settings: Settings, order: CheckOrder, sfu: SfuConfig, progress: Progress
) -> CheckReport:
    started, server = datetime.now(UTC), settings.server()
    async with one_runner(server, save_to(order.save, settings)) as runner:
        progress.doing("looking for agents")
        fleet = await ask_fleet(runner, settings)
        wanted = known_agents(fleet, settings) if order.agent is None else [order.agent]
        calls = await call_agents(runner, settings, order.calls(), wanted, progress)
        progress.doing("measuring the network path to the SFU")
        baseline = await runner.run("sfu", sfu)
    calls = with_known(calls, fleet)
    failure = None if fleet.listing.ok or wanted else fleet.listing
    latency = LatencyReport(started, server.name, calls, failure=failure)
    return CheckReport(fleet, latency, SfuReport(sfu, baseline))


def _given(flags: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in flags.items() if value is not None}
