"""Run probes once: the one-shot commands."""

import asyncio
import math
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from exporter.config.values import is_name
from exporter.daemon.fleet import roster_limits
from exporter.errors import ConfigError, ProbeError
from exporter.evidence.keeper import Keeper
from exporter.logs import LogSetup, configure
from exporter.outcome import Finding, Listing, Outcome, Reason, Turn, Verdict
from exporter.probes.agents.spec import AgentsConfig
from exporter.probes.latency.key import DEFAULT_SCENARIO
from exporter.probes.latency.scenarios.config import built_in
from exporter.probes.latency.scenarios.variants import FaultyScenarioError, variant_of
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.latency.utterances import Utterance
from exporter.report.agents import NO_ROSTER, FleetReport, page_notes
from exporter.report.call_figures import CallReport, LatencyReport
from exporter.report.sfu import PreflightReport, SfuReport
from exporter.roster.collector import fetch_workers
from exporter.roster.roster import Roster
from exporter.roster.types import WorkerStatus
from exporter.run.process import ProbeTable
from exporter.run.runner import PROBES_TABLE, Runner
from exporter.server_api import Server
from exporter.settings.load import override
from exporter.settings.settings import Settings

T = TypeVar("T")
MOST_NAMED = 3
"""Worker pages that are named by their address."""


class Progress(Protocol):
    """Receives the progress."""

    def doing(self, what: str) -> None:
        """Something begins."""

    def calling(self, config: LatencyConfig) -> None:
        """A call begins."""

    def turn(self, turn: Turn) -> None:
        """A turn of the call has ended."""


@dataclass(frozen=True, slots=True)
class LatencyOrder:
    """What `latency` is asked to do."""

    agent: str | None
    """The agent to call; if None, every agent that is configured, in a room or on the roster."""
    flags: Mapping[str, object]
    """Keys of a target that replace what is configured; None means not given."""
    floor: bool = False
    """Measure the floor first."""
    save: Path | None = None
    """Where each call is kept, to be seen and heard; nowhere if None."""


def measure_latency(settings: Settings, order: LatencyOrder, progress: Progress) -> LatencyReport:
    """Call one agent, or every agent that is known, and report what a caller would hear.

    Raises:
        ConfigError: Credentials are missing, or a flag is impossible; nothing was called.
    """
    server = settings.server()
    # Flags are checked before the first request, even where the agents are not known yet.
    plan_calls(settings, order, "any" if order.agent is None else order.agent)
    return run(_measure(server, settings, order, progress))


def list_fleet(settings: Settings) -> FleetReport:
    """List agents, rooms, dispatches and workers once.

    Workers are those whose pages are configured, and those that a running exporter knows: what
    cannot be learned of them is a note, not a failure.

    Raises:
        ConfigError: Credentials are missing.
    """
    return run(_list_fleet_once(settings.server(), settings))


async def _list_fleet_once(server: Server, settings: Settings) -> FleetReport:
    async with one_runner(server) as runner:
        return await ask_fleet(runner, settings)


async def ask_fleet(runner: Runner, settings: Settings) -> FleetReport:
    """Ask the server, the workers' pages and a running exporter for all that they know."""
    config, notes = settings.workers, []
    unasked: list[Finding] = []
    roster = Roster(roster_limits(config))
    if settings.collector.url:
        try:
            told = await fetch_workers(settings.collector)
            roster.restore(view.worker(time()) for view in told)
        except ProbeError as error:
            notes.append(f"cannot read the roster of the running exporter: {error.detail}")
            unasked.append(Finding(Verdict.UNKNOWN, notes[-1]))
    listing = await runner.run("agents", _all_of(settings.agents))
    roster.record(listing)
    if config.scrape:
        scrape = await runner.run("workers", config)
        roster.record(scrape)
        notes += page_notes(scrape)
        unasked += scrape.findings or ()
    asked = bool(config.scrape or settings.collector.url)
    if not asked:
        notes.append(NO_ROSTER)
    return FleetReport(
        listing,
        roster.workers(),
        asked,
        time(),
        tuple(notes),
        tuple(unasked),
        _looked(settings),
    )


def _all_of(config: AgentsConfig) -> AgentsConfig:
    """Return how to list every room at once: a limit for listings that follow each other is none.

    One that is configured is kept.
    """
    if "requests_per_minute" in config.model_fields_set:
        return config
    return config.model_copy(update={"requests_per_minute": 0})


def _looked(settings: Settings) -> tuple[str, ...]:
    """Say where agents and workers were looked for."""
    pages, more = settings.workers.scrape[:MOST_NAMED], settings.workers.scrape[MOST_NAMED:]
    return (
        f"the rooms of {settings.livekit.url or settings.livekit.url_file}",
        *(f"the worker page {page}" for page in pages),
        *([f"{len(more)} more worker pages"] if more else []),
        *([f"the roster of {settings.collector.url}"] if settings.collector.url else []),
    )


def calibrate(settings: Settings, flags: Mapping[str, object]) -> Outcome:
    """Measure the floor once.

    Raises:
        ConfigError: Credentials are missing, or a flag is impossible.
    """
    config = override(settings.calibrate, flags, "calibrate")
    return run(probe_once(settings.server(), "calibrate", config))


def measure_sfu(settings: Settings, flags: Mapping[str, object]) -> SfuReport:
    """Take one baseline of the way to the SFU.

    Raises:
        ConfigError: Credentials are missing, or a flag is impossible.
    """
    config = override(settings.sfu, flags, "sfu")
    return SfuReport(config, run(probe_once(settings.server(), "sfu", config)))


def try_ways(settings: Settings) -> PreflightReport:
    """Try every way to the SFU once.

    Raises:
        ConfigError: Credentials are missing.
    """
    return PreflightReport(
        settings.reach, run(probe_once(settings.server(), "reach", settings.reach))
    )


def plan_calls(settings: Settings, order: LatencyOrder, agent_name: str) -> list[LatencyConfig]:
    """Return the calls for one agent: its configured targets or the defaults, under the flags.

    Scenarios are called where they are asked for.

    Raises:
        ConfigError: A flag is impossible, or names no scenario.
    """
    named = [each for each in settings.targets if each.agent_name == agent_name]
    targets = [target for target in named if target.does is None]
    call_type = order.flags.get("call_type")
    same_type = [target for target in targets if target.call_type == call_type]
    bases = same_type or (targets[:1] if call_type else targets)
    bases = bases or [settings.discover.target(agent_name)]
    if order.flags.get("utterance.wav") is not None:
        # The sound file takes the place of all that is configured to be said.
        nothing = {"utterance": Utterance(), "utterances": (), "script": (), "stop_at": "none"}
        bases = [base.model_copy(update=nothing) for base in bases]
    flags = {key: value for key, value in order.flags.items() if key != "scenario"}
    bases = [override(base, flags, f"target {agent_name!r}") for base in bases]
    if (asked := order.flags.get("scenario")) is None:
        return bases
    names = dict.fromkeys(each.strip() for each in str(asked).split(","))
    return [call for name in names for call in _in_scenario(bases, name)]


def _in_scenario(bases: Sequence[LatencyConfig], name: str) -> list[LatencyConfig]:
    """Return targets in a scenario: that of the configuration, else the built-in one.

    Raises:
        ConfigError: There is neither, or it does not fit to the target.
    """
    found = [base for base in bases if base.scenario == name]
    pairs = [(base, each) for base in bases for each in base.scenarios if each.name == name]
    if not found and not pairs:
        plain = [base for base in bases if base.scenario == DEFAULT_SCENARIO] or bases[:1]
        pairs = [(base, built_in(name)) for base in plain]
    try:
        return [*found, *(variant_of(base, scenario) for base, scenario in pairs)]
    except ValidationError as error:
        why = str(FaultyScenarioError(0, error)).replace("{value}", "its value")
        raise ConfigError(f"scenario {name}: {why}") from None


async def _measure(
    server: Server, settings: Settings, order: LatencyOrder, progress: Progress
) -> LatencyReport:
    started = datetime.now(UTC)
    floor: Outcome | None = None
    async with one_runner(server, save_to(order.save, settings)) as runner:
        names: Sequence[str] = [order.agent] if order.agent is not None else []
        unasked: tuple[Finding, ...] = ()
        if order.agent is None:
            progress.doing("looking for agents")
            fleet = await ask_fleet(runner, settings)
            if not fleet.listing.ok:
                return LatencyReport(started, server.name, failure=fleet.listing)
            names = known_agents(fleet, settings)
            unasked = tuple(replace(each, verdict=Verdict.UNKNOWN) for each in fleet.unasked)
        if order.floor and names:
            progress.doing("measuring the floor against an echo")
            floor = await runner.run("calibrate", settings.calibrate)
        calls = await call_agents(runner, settings, order, names, progress)
        if order.agent is not None and any(map(lacks_worker, calls)):
            calls = with_known(calls, await ask_fleet(runner, settings))
    return LatencyReport(started, server.name, calls, floor, unasked=unasked)


def lacks_worker(call: CallReport) -> bool:
    """Whether no worker took a call."""
    return call.outcome.reason is Reason.NO_WORKER


def with_known(calls: Iterable[CallReport], fleet: FleetReport) -> tuple[CallReport, ...]:
    """Return calls, those that no worker took with the agents that have one."""
    known = tuple(sorted(filter(None, _seen(fleet))))
    return tuple(replace(each, known=known) if lacks_worker(each) else each for each in calls)


async def call_agents(
    runner: Runner,
    settings: Settings,
    order: LatencyOrder,
    names: Iterable[str],
    progress: Progress,
) -> tuple[CallReport, ...]:
    """Call each of these agents as it is configured, one after the other."""
    calls: list[CallReport] = []
    for config in [call for name in names for call in plan_calls(settings, order, name)]:
        progress.calling(config)
        outcome = await runner.run("latency", config, on_turn=progress.turn)
        calls.append(CallReport(config, outcome))
    return tuple(calls)


def known_agents(fleet: FleetReport, settings: Settings) -> list[str]:
    """Return the names of all agents to call: configured, in a room, or with a worker.

    An idle agent is in no room; only the roster knows of it. Excluded ones are not called unless
    they are configured.
    """
    configured = [target.agent_name for target in settings.targets]
    others = sorted(filter(is_name, _seen(fleet) - set(settings.discover.exclude)))
    return list(dict.fromkeys((*configured, *others)))


def _seen(fleet: FleetReport) -> set[str]:
    """Return the names of the agents in a room, or with a worker."""
    listing = fleet.listing.result
    in_rooms = listing.agents if isinstance(listing, Listing) else ()
    there = [each for each in fleet.workers if each.status is not WorkerStatus.OFFLINE]
    return {each.agent_name for each in in_rooms} | {each.agent_name for each in there}


async def probe_once(
    server: Server, probe: str, config: BaseModel, table: ProbeTable = PROBES_TABLE
) -> Outcome:
    """Run one probe, of a table."""
    async with one_runner(server, table=table) as runner:
        return await runner.run(probe, config)


def save_to(folder: Path | None, settings: Settings) -> Keeper | None:
    """Return what keeps every call in a folder, whatever is kept of scheduled ones.

    Args:
        folder: Where; nothing is kept if None.
        settings: Say whether with sound and text.

    Raises:
        ConfigError: The folder cannot be made.
    """
    if folder is None:
        return None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"--save: {str(folder)!r} cannot be made: {error.strerror}") from None
    everything = {"keep": "all", "max_mb": math.inf, "days": math.inf}
    return Keeper(folder, settings.evidence.model_copy(update=everything))


@asynccontextmanager
async def one_runner(
    server: Server, keeper: Keeper | None = None, table: ProbeTable = PROBES_TABLE
) -> AsyncIterator[Runner]:
    """Run probes in one process, and clean up whatever ends the block."""
    setup = LogSetup(level="error", secrets=server.secrets)
    configure(setup)
    runner = Runner(server, processes=1, log_setup=setup, keeper=keeper, table=table)
    try:
        yield runner
    finally:
        await runner.aclose()
        if keeper is not None:
            await keeper.aclose()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; Ctrl-C and SIGTERM cancel it, so that it cleans up.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
        SystemExit: SIGTERM came.
    """
    terminated: list[int] = []

    async def main() -> T:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        cancel: Callable[[], object] = task.cancel if task else loop.stop

        def on_term() -> None:
            terminated.append(signal.SIGTERM)
            cancel()

        loop.add_signal_handler(signal.SIGTERM, on_term)
        return await work

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        if terminated:
            raise SystemExit(128 + signal.SIGTERM) from None
        raise
