"""The daemon: put the parts together, start, reload, drain, stop.

Targets come and go by `add_target` and `remove_target`: the start, discovery and a reload of the
configuration use the same two.
"""

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from prometheus_client import CollectorRegistry

from exporter import __version__, logs
from exporter.config.values import ProbeSection
from exporter.daemon.agent_loads import AgentLoads
from exporter.daemon.asked import AskedCalls
from exporter.daemon.credentials import CredentialFiles
from exporter.daemon.discovery import Discovery
from exporter.daemon.evidence import EvidenceIndex, make_keeper
from exporter.daemon.fleet import Fleet
from exporter.daemon.group import make_group
from exporter.daemon.health import Health, LoopGuard, watched_task
from exporter.daemon.known_rooms import KnownRooms
from exporter.daemon.ledger import Ledger
from exporter.daemon.live_turns import LiveTurns
from exporter.daemon.pages import Pages
from exporter.daemon.plan import FOUND, Changes, call_work, needs_restart, thresholds
from exporter.daemon.pool_size import PoolSize
from exporter.daemon.ramps import Ramps
from exporter.daemon.real_calls import RealCalls
from exporter.daemon.recall import recall
from exporter.daemon.reload import Reloader
from exporter.daemon.run_log import RunLog
from exporter.daemon.signals import handle_signals
from exporter.daemon.works import Followers, Works
from exporter.garbage import leave_out_what_is_there
from exporter.metrics.agent_names import AgentNames
from exporter.metrics.own import OwnSeries, watch_loop_lag
from exporter.metrics.pool import PoolSeries
from exporter.metrics.real_calls import RealCallSeries
from exporter.metrics.recorder import Recorder
from exporter.metrics.registry import Metrics
from exporter.outcome import Outcome, Turn
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.ramp.processes import cores
from exporter.run.demand import LEAST, Demand
from exporter.run.process import ProbeTable
from exporter.run.runner import PROBES_TABLE, Runner
from exporter.run.scheduler import FIRST_CALL_S, stagger
from exporter.server_api import Server
from exporter.settings.settings import Settings
from exporter.web.app import make_server
from exporter.web.refusals import Refusals
from exporter.web.server import listen, pages_url, shown
from exporter.web.sources import Sources
from exporter.web.watched import WatchList, target_statuses
from exporter.web.web_config import WebConfigWatch

log = logging.getLogger(__name__)

DRAIN_S = 5.0
"""For calls to leave and rooms to be deleted; with what follows it stays under 10 s."""
_KEEP_ROSTER_EVERY_S = 60.0
SWITCH_S = 0.001
"""How long one thread may keep the interpreter from the others. With Python's 5 ms the thread that
writes the ledger waited for tens of them, again and again, while the event loop was busy."""


def serve(load: Callable[[], Settings], table: ProbeTable = PROBES_TABLE) -> int:
    """Serve until SIGTERM or SIGINT, then stop in order; a second signal stops at once.

    SIGHUP reads the configuration anew.

    Args:
        load: Reads the whole configuration; raises ConfigError.
        table: The probes.

    Returns:
        The exit status: 0.

    Raises:
        ConfigError: The configuration is bad, credentials are missing, or the address cannot be
            listened on.
    """
    settings = load()
    server = settings.server()
    with contextlib.closing(listen(settings.web)) as listener:
        logs.configure(_log_setup(settings, server))
        sys.setswitchinterval(SWITCH_S)
        leave_out_what_is_there()
        asyncio.run(_serve(Daemon(settings, server, load, table), listener))
    return 0


async def _serve(daemon: "Daemon", listener: socket.socket) -> None:
    stop = asyncio.Event()
    with LoopGuard(asyncio.get_running_loop()), handle_signals(stop, daemon.reload_soon):
        await daemon.run(listener, stop)


class Daemon:
    """The parts of the exporter and their life."""

    def __init__(
        self,
        settings: Settings,
        server: Server,
        load: Callable[[], Settings],
        table: ProbeTable = PROBES_TABLE,
    ) -> None:
        """Put the parts together; nothing runs before `run`.

        Args:
            settings: The whole configuration.
            server: What is watched.
            load: Reads the configuration anew, for a reload.
            table: The probes.
        """
        self._started_with = self._settings = settings
        self._table = table
        self._server = server
        self._buckets = thresholds(settings)
        self._listed = False
        self.metrics = metrics = Metrics(CollectorRegistry(), server.name, self._buckets)
        self._keeper = make_keeper(settings, metrics)
        self._runner = Runner(
            server,
            processes=settings.pool.processes or LEAST,  # works are added later
            recycle_after=settings.pool.recycle_after,
            table=table,
            log_setup=_log_setup(settings, server),
            keeper=self._keeper,
            watch=PoolSeries(metrics),
        )
        self._pool = PoolSize(
            Demand(table.load(), cores()),
            lambda: self._settings.pool.processes,
            self._runner.resize,
        )
        self._web_config = WebConfigWatch(settings.web.config_file)
        self._refusals = Refusals(metrics)
        self._own = OwnSeries(metrics)
        self._own.configuration_read(successful=True)
        self._own.configure(settings.slo.objective, settings.alerts.by_alert)
        self._recorder = Recorder(metrics, settings.sfu.vantage)
        self._ledger = Ledger(settings.store, metrics, table, self._runner.delete_rooms)
        self._evidence = EvidenceIndex(self._ledger.store)
        called = (target.agent_name for target in settings.targets)
        self._names = AgentNames(metrics, settings.max_agent_names, called)
        self._fleet = Fleet(settings, metrics, self._names)
        self._known_rooms = KnownRooms()
        self._real_calls = RealCalls(
            settings,
            lambda: self._server,
            self._ledger.store,
            RealCallSeries(metrics, self._names),
            self._known_rooms.note,
        )
        self._live_turns = LiveTurns(metrics, self._names)
        self._ramps = Ramps(
            self._ledger.store,
            self._recorder.show,
            lambda: self._settings.ramp_here(),  # noqa: PLW0108 - a reload replaces the settings
        )
        self._agent_loads = AgentLoads(
            self._ledger.store,
            self._recorder.show,
            lambda: self._settings.load_here(),  # noqa: PLW0108 - a reload replaces the settings
        )
        self._watch_list = WatchList(server.name)
        self._run_log = RunLog()
        self._credentials = CredentialFiles(lambda: self._settings, self._use_credentials)
        self._discovery = Discovery(
            settings.discover, settings.targets, self._add_found, self.remove_target
        )
        self.listeners = (
            self._run_log.record,
            self._discovery.record,  # first: who is called has a label of its own in this listing
            lambda outcome: self._recorder.record(self._names.capped(outcome)),
            self._ledger.record,
            self._fleet.record,
            self._ramps.record,
            self._agent_loads.record,
            self._live_turns.record,
            self._watch_list.record,
            self._note_listing,
            self._credentials.record,
        )
        followers = Followers(
            self._watch_list,
            self._run_log,
            self._ledger,
            self._recorder,
            self._discovery,
            self._pool,
            {"ramp": self._ramps.restore, "agent_load": self._agent_loads.restore},
        )
        self._works = Works(
            followers,
            self._run,
            self.listeners,
            partial(make_group, settings, server.name, metrics),
        )
        self._group = self._works.group
        self._asked = AskedCalls(self._watch_list, self._works.call)
        self._watching: tuple[asyncio.Task[None], ...] = ()
        checks = (self._works.scheduler.check, self._runner.check, self._check_watches)
        self._health = Health(checks)
        self._reloader = Reloader(load, self.apply, self._own.configuration_read)
        self._reloads: set[asyncio.Task[str]] = set()
        self._pages = Pages(
            self._works,
            self._watch_list,
            self._ledger,
            self._fleet,
            self._runner,
            self._health,
            (self._reloader, self._credentials, self._web_config, self._ledger, self._group),
        )

    def add_target(self, target: LatencyConfig, first_in_s: float = FIRST_CALL_S) -> None:
        """Call this target from now on."""
        self._works.add(call_work(target), first_in_s)

    def _add_found(self, target: LatencyConfig) -> None:
        self._works.add(call_work(target, FOUND), FIRST_CALL_S)
        self._label_called()

    def remove_target(self, target: LatencyConfig) -> None:
        """Call this target no more, and let its series go."""
        self._works.remove(call_work(target))
        self._label_called()

    def _label_called(self) -> None:
        """Let all that is known of an agent that is called have its name, as its calls have."""
        targets = (*self._settings.targets, *self._watch_list.targets)
        called = (target.agent_name for target in targets)
        if self._names.reconfigure(self._settings.max_agent_names, called):
            self._fleet.relabel()

    def apply(self, settings: Settings) -> None:
        """Follow a new configuration without a gap in what it does not change.

        Raises:
            ConfigError: Credentials are missing; nothing was changed.
        """
        changes = Changes.between(self._settings, settings)
        self._use_credentials(settings)
        self._recorder.reconfigure(settings.sfu.vantage)
        self._own.configure(settings.slo.objective, settings.alerts.by_alert)
        self._ledger.reconfigure(settings.store)
        if self._keeper is not None:
            self._keeper.reconfigure(settings.evidence)
        self._fleet.reconfigure(settings)
        self._real_calls.reconfigure(settings)
        if self._group is not None:
            self._group.reconfigure(settings.sfu.vantage)
        # What comes before what goes: an agent that keeps a target keeps its counters.
        starts = stagger([work.interval_s for work in changes.new])
        for work, first_in_s in zip(changes.new, starts, strict=True):
            self._works.add(work, first_in_s)
        self._discovery.reconfigure(settings.discover, settings.targets)
        for work in changes.gone:
            self._works.remove(work)
        self._pool.fit()
        self._label_called()
        for key in needs_restart(self._started_with, settings, self._buckets):
            log.warning("setting takes effect after a restart", extra={"key": key})

    def _use_credentials(self, settings: Settings) -> None:
        """Let the next runs have what the settings give, and keep it out of the logs."""
        now = self._server
        server = replace(settings.server(), url=now.url, name=now.name, ca_file=now.ca_file)
        self._settings, self._server = settings, server
        setup = _log_setup(settings, server)
        logs.configure(setup)
        self._runner.reconfigure(server, setup)

    async def _run(
        self,
        probe: str,
        config: ProbeSection,
        run_id: str,
        /,
        *,
        soon: bool = False,
        on_start: Callable[[], Awaitable[None]] | None = None,
        on_turn: Callable[[Turn], None] | None = None,
    ) -> Outcome:
        """Run a probe, and judge a listing by all that the daemon knows of the fleet."""
        before = self._known_rooms.before if probe == "agents" else None
        run = partial(self._runner.run, probe, config, run_id, soon=soon, before=before)
        if self._group is None:
            found = await run(on_start=on_start, on_turn=on_turn)
        else:
            found = await self._group.fenced(
                probe, config, run_id, run, on_start=on_start, on_turn=on_turn
            )
        return self._fleet.judged(self._known_rooms.take(found))

    def reload_soon(self) -> None:
        """Begin to read the configuration anew."""
        if not self._works.stopping:
            task = asyncio.create_task(self._reloader.reload())
            self._reloads.add(task)
            task.add_done_callback(self._reloads.discard)

    async def run(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Serve on a listening socket until stopped; then drain.

        Args:
            listener: Bound; closed by the caller.
            stop: Set to stop.

        Raises:
            ConfigError: Another exporter uses the folder of the ledger.
            RuntimeError: The web server ended before; a supervisor is to start the exporter again.
        """
        has_tls = self._web_config.current.tls is not None
        url = pages_url(listener, self._settings.web, has_tls=has_tls)
        self._own.reached_at(url)
        self._evidence.reached_at(url)
        await self._ledger.start()
        if self._keeper is not None:  # after the ledger, which makes sure that the folder is ours
            self._keeper.on_change = self._evidence.update
            await self._keeper.start()
            self._watching += (watched_task("evidence", self._keeper.watch()),)
        self._fleet.roster.restore(await self._ledger.store.workers())
        await self._ramps.restore()
        await self._agent_loads.restore()
        self._watch_list.restore(await recall(self._ledger.store, datetime.now(UTC)))
        await self._real_calls.restore()
        web = make_server(
            self._make_sources(), lambda: self._settings.web, self._web_config, self._refusals
        )
        serving = asyncio.create_task(web.serve(sockets=[listener]))
        stopping = asyncio.create_task(stop.wait())
        await self._works.start(self._settings, self._table)
        self._watching += (
            watched_task("loop lag", watch_loop_lag(self._own.loop_lag)),
            watched_task("health", self._health.watch()),
            watched_task("workers", self._fleet.watch()),
            watched_task("real calls", self._real_calls.watch()),
            watched_task("live turns", self._live_turns.watch()),
            watched_task("credentials", self._credentials.watch()),
            watched_task("roster on disk", self._keep_roster()),
        )
        if self._group is not None:
            self._watching += (watched_task("leases", self._group.watch()),)
        log.info("serving", extra={"version": __version__, "address": shown(listener)})
        try:
            await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended = (stopping, *self._watching, *self._reloads, *self._asked.tasks)
            for task in ended:
                task.cancel()
            await self._drain()
            web.should_exit = True
            await asyncio.gather(serving, *ended, return_exceptions=True)
        if not stop.is_set():
            raise RuntimeError("web server ended unexpectedly") from serving.exception()
        log.info("stopped")

    async def _drain(self) -> None:
        log.info("stopping: ending calls and deleting their rooms")
        self._works.stop()
        await self._runner.aclose(DRAIN_S)
        if self._group is not None:  # no call of ours is under way any more
            await self._group.aclose()
        self._ledger.store.save_workers(self._fleet.roster.export())
        await self._ledger.aclose()
        if self._keeper is not None:
            await self._keeper.aclose()

    async def _keep_roster(self) -> None:
        """Save the roster in the ledger regularly, so that it survives a crash."""
        while True:
            await asyncio.sleep(_KEEP_ROSTER_EVERY_S)
            self._ledger.store.save_workers(self._fleet.roster.export())

    async def _check_watches(self) -> str:
        """Return which of the parts that run for ever have ended, "" when none has."""
        ended = [task.get_name() for task in self._watching if task.done()]
        return f"ended unexpectedly: {', '.join(ended)}" if ended else ""

    def _note_listing(self, outcome: Outcome) -> None:
        self._listed = self._listed or outcome.probe == "agents"

    def _make_sources(self) -> Sources:
        return Sources(
            metrics=self.metrics,
            server_name=self._server.name,
            thresholds=self._buckets,
            not_healthy=lambda: self._health.problem,
            not_ready=self._not_ready,
            status_page=self._pages.status,
            vantage=lambda: self._settings.sfu.vantage,
            notes=self._pages.notes,
            reload=self._reloader.reload,
            targets=lambda: self._watch_list.targets,
            call=self._works.call,
            call_soon=self._asked.begin,
            roster=self._fleet.roster,
            history=self._ledger.store,
            runbooks=lambda: self._settings.web.runbooks or "",
            kept=self._keeper,
            elsewhere=self._evidence.elsewhere,
            take_ramp=self._ramps.take,
            deliveries=self._real_calls,
            take_turns=self._live_turns.take,
            watched=lambda: target_statuses(self._watch_list, self._works.scheduler.next_run),
        )

    def _not_ready(self) -> str:
        if self._works.stopping:
            return "stopping"
        if self._group is not None and self._group.problem and not self._group.leases.held:
            return self._group.problem
        if self._listed or (self._group is not None and self._group.has_looked):
            return ""
        return "the first room listing has not ended yet"


def _log_setup(settings: Settings, server: Server) -> logs.LogSetup:
    secrets = (*server.secrets, settings.web.write_token, *settings.store.redis.secrets)
    return logs.LogSetup(settings.log.level, settings.log.format, secrets)
