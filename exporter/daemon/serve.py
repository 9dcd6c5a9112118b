"""The daemon: put the parts together, start, reload, drain, stop.

Targets come and go by `add_target` and `remove_target`: the start, discovery and a reload of the
configuration use the same two.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Coroutine
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
from exporter.daemon.group import ELSEWHERE, Group, Parts, make_client
from exporter.daemon.health import Health, LoopGuard
from exporter.daemon.known_rooms import KnownRooms
from exporter.daemon.ledger import Ledger
from exporter.daemon.live_turns import LiveTurns
from exporter.daemon.plan import (
    FOUND,
    Changes,
    call_id,
    call_work,
    needs_restart,
    server_works,
    thresholds,
)
from exporter.daemon.ramps import Ramps
from exporter.daemon.real_calls import RealCalls
from exporter.daemon.recall import recall
from exporter.daemon.reload import Reloader
from exporter.daemon.run_log import RunLog
from exporter.daemon.signals import handle_signals
from exporter.metrics.agent_names import AgentNames
from exporter.metrics.leases import LeaseSeries
from exporter.metrics.own import OwnSeries, watch_loop_lag
from exporter.metrics.real_calls import RealCallSeries
from exporter.metrics.recorder import Recorder
from exporter.metrics.registry import Metrics
from exporter.outcome import Outcome, Turn
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.process import ProbeTable
from exporter.run.runner import PROBES_TABLE, Runner
from exporter.run.scheduler import FIRST_CALL_S, Refused, Scheduler, Work, stagger
from exporter.server_api import Server
from exporter.settings.settings import Settings
from exporter.web.app import make_server
from exporter.web.refusals import Refusals
from exporter.web.server import listen, pages_url, shown
from exporter.web.sources import NotNowError, Sources
from exporter.web.status import Pool, Viewer, status_page
from exporter.web.watched import WatchList, target_statuses
from exporter.web.web_config import WebConfigWatch

log = logging.getLogger(__name__)

DRAIN_S = 5.0
"""For calls to leave and rooms to be deleted; with what follows it stays under 10 s."""
_AFTER_CALLS_S = 20.0
"""What takes a call's place, and is no call, begins so long after the last of the first calls."""
_OTHERS_WITHIN_S = 60.0
_OTHERS_APART_S = 15.0
_KEEP_ROSTER_EVERY_S = 60.0
_ASK_AGAIN_S = 60.0
_REFUSALS = {
    "busy": "no probe process became free in time",
    "overlap": "a call to it is in progress",
    "removed": "its configuration changed during the wait",
    "window": "it is outside its time windows",
    "budget": "its budget for today is spent",
    ELSEWHERE: "another exporter of the group calls it",
}


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
        self._stopping = False
        self.metrics = metrics = Metrics(CollectorRegistry(), server.name, self._buckets)
        self._keeper = make_keeper(settings, metrics)
        self._runner = Runner(
            server,
            processes=settings.pool.processes,
            recycle_after=settings.pool.recycle_after,
            table=table,
            log_setup=_log_setup(settings, server),
            keeper=self._keeper,
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
        self._asked = AskedCalls(self._watch_list, self._call)
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
        self._group = self._make_group()
        of_group = self._group
        self._scheduler = Scheduler(
            self._run,
            self.listeners,
            self._recorder.skip,
            (*((of_group.gate,) if of_group else ()), *self._ledger.gates),
            (*((of_group.begin,) if of_group else ()), *self._ledger.reserve),
        )
        self._watching: tuple[asyncio.Task[None], ...] = ()
        self._health = Health((self._scheduler.check, self._runner.check, self._check_watches))
        self._reloader = Reloader(load, self.apply, self._own.configuration_read)
        self._reloads: set[asyncio.Task[str]] = set()

    def add_target(self, target: LatencyConfig, first_in_s: float = FIRST_CALL_S) -> None:
        """Call this target from now on."""
        self._add(call_work(target), first_in_s)

    def _add_found(self, target: LatencyConfig) -> None:
        self._add(call_work(target, FOUND), FIRST_CALL_S)
        self._label_called()

    def remove_target(self, target: LatencyConfig) -> None:
        """Call this target no more, and let its series go."""
        self._remove(call_work(target))
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
            self._add(work, first_in_s)
        self._discovery.reconfigure(settings.discover, settings.targets)
        for work in changes.gone:
            self._remove(work)
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
        on_start: Callable[[], Awaitable[None]] | None = None,
        on_turn: Callable[[Turn], None] | None = None,
    ) -> Outcome:
        """Run a probe, and judge a listing by all that the daemon knows of the fleet."""
        before = self._known_rooms.before if probe == "agents" else None

        async def run(
            on_start: Callable[[], Awaitable[None]] | None, on_turn: Callable[[Turn], None] | None
        ) -> Outcome:
            found = await self._runner.run(
                probe, config, run_id, on_start=on_start, on_turn=on_turn, before=before
            )
            return self._known_rooms.take(found)

        if self._group is None:
            return self._fleet.judged(await run(on_start, on_turn))
        return self._fleet.judged(
            await self._group.fenced(probe, config, run_id, run, on_start=on_start, on_turn=on_turn)
        )

    def reload_soon(self) -> None:
        """Begin to read the configuration anew."""
        if not self._stopping:
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
            self._watching += (_watch("evidence", self._keeper.watch()),)
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
        await self._start()
        self._watching += (
            _watch("loop lag", watch_loop_lag(self._own.loop_lag)),
            _watch("health", self._health.watch()),
            _watch("workers", self._fleet.watch()),
            _watch("real calls", self._real_calls.watch()),
            _watch("live turns", self._live_turns.watch()),
            _watch("credentials", self._credentials.watch()),
            _watch("roster on disk", self._keep_roster()),
        )
        if self._group is not None:
            self._watching += (_watch("leases", self._group.watch()),)
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

    async def _start(self) -> None:
        """Schedule everything: what only asks the server at once, then calls, then the rest.

        A thousand targets take seconds, in which pages are served all the same.
        """
        settings = self._settings
        starts = stagger([target.interval for target in settings.targets])
        first_s = min(max(starts, default=0) + _AFTER_CALLS_S, _OTHERS_WITHIN_S)
        others = 0
        for work in server_works(settings):
            if self._table.load()[work.probe].lane == "api":
                self._add(work, 0)
            else:
                self._add(work, first_s + others * _OTHERS_APART_S)
                others += 1
        for target, first_in_s in zip(settings.targets, starts, strict=True):
            self.add_target(target, first_in_s)
            await asyncio.sleep(0)
        self._scheduler.start()

    def _make_group(self) -> Group | None:
        settings = self._settings
        client = make_client(settings, self._server.name)
        if client is None or settings.group is None:
            return None
        parts = Parts(self._take, self._park, self._refuse)
        series = LeaseSeries(self.metrics)
        return Group(settings.group, client, settings.sfu.vantage, series, parts)

    def _add(self, work: Work, first_in_s: float) -> None:
        self._watch_list.add(work)
        if self._group is None:
            self._take(work, first_in_s)
        else:
            self._group.add(work, first_in_s)

    def _take(self, work: Work, first_in_s: float) -> None:
        """Run this here from now on."""
        self._recorder.add(work.probe, work.config)
        self._ledger.add(work)
        self._scheduler.add(work, first_in_s)

    def _park(self, work: Work) -> None:
        """Run this here no more, because another exporter of the group does."""
        self._scheduler.remove(work.id)
        self._watch_list.park(work.id)
        self._run_log.forget(work)
        self._ledger.remove(work)
        self._recorder.park(work.probe, work.config)
        if work.probe == "agents":
            self._discovery.forget()

    def _refuse(self, outcome: Outcome) -> None:
        """Note what a run cost whose result is not used."""
        self._run_log.record(outcome)
        self._ledger.record(outcome)

    def _remove(self, work: Work) -> None:
        if self._group is not None:
            self._group.remove(work)
        self._scheduler.remove(work.id)
        self._watch_list.remove(work.id)
        self._run_log.forget(work)
        self._ledger.remove(work)
        self._recorder.remove(work.probe, work.config)

    async def _drain(self) -> None:
        log.info("stopping: ending calls and deleting their rooms")
        self._stopping = True
        self._scheduler.stop()
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

    async def _call(self, target: LatencyConfig, on_turn: Callable[[Turn], None]) -> Outcome:
        """Call a target for someone who asks: the ledger knows of it, the series do not.

        Raises:
            NotNowError: It is being called, its windows or its budget forbid it, or we stop.
        """
        if self._stopping:
            raise NotNowError("exporter stopped", _ASK_AGAIN_S)
        work_id = call_id(target.key)
        listeners = (
            self._run_log.record,
            self._ledger.record,
            lambda outcome: self._watch_list.record_asked(work_id, outcome),
        )
        known = self._watch_list.lines.get(work_id)
        work = replace(known.work, config=target) if known else call_work(target)
        try:
            return await self._scheduler.ask(work, on_turn, listeners)
        except Refused as refusal:
            raise NotNowError(_REFUSALS[refusal.reason], _ASK_AGAIN_S) from None

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
            status_page=self._status_page,
            vantage=lambda: self._settings.sfu.vantage,
            notes=self._notes,
            reload=self._reloader.reload,
            targets=lambda: self._watch_list.targets,
            call=self._call,
            call_soon=self._asked.begin,
            roster=self._fleet.roster,
            history=self._ledger.store,
            runbooks=lambda: self._settings.web.runbooks or "",
            kept=self._keeper,
            elsewhere=self._evidence.elsewhere,
            take_ramp=self._ramps.take,
            deliveries=self._real_calls,
            take_turns=self._live_turns.take,
            watched=lambda: target_statuses(self._watch_list, self._scheduler.next_run),
        )

    def _status_page(self, viewer: Viewer) -> Callable[[], str]:
        watched = self._watch_list.copy()
        due = {each: self._scheduler.next_run(each) for each in watched.lines}
        return partial(
            status_page,
            watched,
            due.get,
            remaining={each: self._ledger.remaining(each) for each in watched.lines}.__getitem__,
            workers=tuple(self._fleet.roster.workers()),
            notes=tuple(filter(None, (self._health.problem, *self._notes()))),
            pools=[Pool(*lane) for lane in self._runner.busy()],
            viewer=viewer,
            group=self._group.view() if self._group is not None else None,
        )

    def _notes(self) -> tuple[str, ...]:
        parts = (self._reloader, self._credentials, self._web_config, self._ledger, self._group)
        return tuple(part.problem for part in parts if part is not None and part.problem)

    def _not_ready(self) -> str:
        if self._stopping:
            return "stopping"
        if self._group is not None and self._group.problem and not self._group.leases.held:
            return self._group.problem
        if self._listed or (self._group is not None and self._group.has_looked):
            return ""
        return "the first room listing has not ended yet"


def _watch(name: str, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
    """Begin what runs for ever, and say so if it does not."""

    def note(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            log.error(
                "internal task ended unexpectedly", extra={"part": name}, exc_info=task.exception()
            )

    task = asyncio.create_task(work, name=name)
    task.add_done_callback(note)
    return task


def _log_setup(settings: Settings, server: Server) -> logs.LogSetup:
    secrets = (*server.secrets, settings.web.write_token, *settings.store.redis.secrets)
    return logs.LogSetup(settings.log.level, settings.log.format, secrets)
