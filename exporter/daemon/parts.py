"""The parts of the daemon, put together, and how they follow the configuration."""

import logging
from collections.abc import Callable
from functools import partial

from prometheus_client import CollectorRegistry

from exporter import logs
from exporter.daemon.asked import AskedCalls
from exporter.daemon.credentials import CredentialFiles
from exporter.daemon.current import Current
from exporter.daemon.discovery import Discovery
from exporter.daemon.fleet import Fleet
from exporter.daemon.group import make_group
from exporter.daemon.health import Health, Readiness, Watches
from exporter.daemon.known_rooms import KnownRooms
from exporter.daemon.ledger import Ledger
from exporter.daemon.live_turns import LiveTurns
from exporter.daemon.persistence import Persistence, make_keeper
from exporter.daemon.plan import FOUND, Changes, call_work
from exporter.daemon.real_calls import RealCalls
from exporter.daemon.reload import Reloader
from exporter.daemon.run_log import RunLog
from exporter.daemon.runs import Runs
from exporter.daemon.works import Followers, Works
from exporter.evidence.keeper import Keeper
from exporter.metrics.agent_names import AgentNames
from exporter.metrics.own import OwnSeries, PoolSeries
from exporter.metrics.real_calls import RealCallSeries
from exporter.metrics.recorder import Recorder
from exporter.metrics.registry import Metrics
from exporter.outcome import Outcome
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.ramp.processes import cores
from exporter.run.demand import LEAST, Demand, PoolSize
from exporter.run.process import ProbeTable
from exporter.run.runner import PROBES_TABLE, Runner
from exporter.run.scheduler import FIRST_CALL_S, stagger
from exporter.server_api import Server
from exporter.settings.settings import Settings
from exporter.web.refusals import Refusals
from exporter.web.watched import WatchList
from exporter.web.web_config import WebConfigWatch

log = logging.getLogger(__name__)


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
        self.table = table
        self.current = current = Current(settings, server)
        self.metrics = metrics = Metrics(CollectorRegistry(), server.name, current.buckets)
        keeper = make_keeper(settings, metrics)
        self.runner = _runner(current, table, keeper, metrics)
        self.pool = PoolSize(
            Demand(table.load(), cores()),
            lambda: current.settings.pool.processes,
            self.runner.resize,
        )
        self.refusals = Refusals(metrics)
        self.own = OwnSeries(metrics)
        self.own.configuration_read(successful=True)
        self.own.configure(settings.slo.objective, settings.alerts.by_alert)
        self.recorder = Recorder(metrics, settings.sfu.vantage)
        self.ledger = Ledger(settings.store, metrics, table, self.runner.delete_rooms)
        self.persistence = Persistence(self.ledger, keeper, self.recorder, current)
        called = (target.agent_name for target in settings.targets)
        self.names = AgentNames(metrics, settings.max_agent_names, called)
        self.fleet = Fleet(settings, metrics, self.names)
        known_rooms = KnownRooms()
        self.real_calls = RealCalls(
            settings,
            lambda: current.server,
            self.ledger.store,
            RealCallSeries(metrics, self.names),
            known_rooms.note,
        )
        self.live_turns = LiveTurns(metrics, self.names)
        self.watch_list = WatchList(server.name)
        self.run_log = RunLog()
        self.readiness = Readiness()
        self.credentials = CredentialFiles(lambda: current.settings, self._use_credentials)
        self.discovery = Discovery(
            settings.discover, settings.targets, self._add_found, self.remove_target
        )
        self.listeners = self._listeners()
        self.runs = Runs(self.runner, known_rooms, self.fleet)
        self.works = Works(
            self._followers(),
            self.runs.run,
            self.listeners,
            partial(make_group, settings, server.name, metrics),
        )
        self.runs.group = self.works.group
        self.asked = AskedCalls(self.watch_list, self.works.call)
        self.watches = Watches()
        self.health = Health((self.works.scheduler.check, self.runner.check, self.watches.check))
        self.reloader = Reloader(load, self.apply, self.own.configuration_read)
        self.web_config = WebConfigWatch(settings.web.config_file)

    def _listeners(self) -> tuple[Callable[[Outcome], None], ...]:
        """Return what takes note of every Outcome, in this order."""
        return (
            self.run_log.record,
            self.discovery.record,  # first: who is called has a label of its own in this listing
            lambda outcome: self.recorder.record(self.names.capped(outcome)),
            self.ledger.record,
            self.fleet.record,
            self.persistence.ramps.record,
            self.persistence.agent_loads.record,
            self.live_turns.record,
            self.watch_list.record,
            self.readiness.record,
            self.credentials.record,
        )

    def _followers(self) -> Followers:
        """Return what follows which works there are."""
        last_found = {
            "ramp": self.persistence.ramps.restore,
            "agent_load": self.persistence.agent_loads.restore,
        }
        return Followers(
            self.watch_list,
            self.run_log,
            self.ledger,
            self.recorder,
            self.discovery,
            self.pool,
            last_found,
        )

    def _add_found(self, target: LatencyConfig) -> None:
        self.works.add(call_work(target, FOUND), FIRST_CALL_S)
        self._label_called()

    def remove_target(self, target: LatencyConfig) -> None:
        """Call this target no more, and let its series go."""
        self.works.remove(call_work(target))
        self._label_called()

    def _label_called(self) -> None:
        """Let all that is known of an agent that is called have its name, as its calls have."""
        targets = (*self.current.settings.targets, *self.watch_list.targets)
        called = (target.agent_name for target in targets)
        if self.names.reconfigure(self.current.settings.max_agent_names, called):
            self.fleet.relabel()

    def apply(self, settings: Settings) -> None:
        """Follow a new configuration without a gap in what it does not change.

        Raises:
            ConfigError: Credentials are missing; nothing was changed.
        """
        changes = Changes.between(self.current.settings, settings)
        self._use_credentials(settings)
        self.recorder.reconfigure(settings.sfu.vantage)
        self.own.configure(settings.slo.objective, settings.alerts.by_alert)
        self.persistence.reconfigure(settings)
        self.fleet.reconfigure(settings)
        self.real_calls.reconfigure(settings)
        if self.works.group is not None:
            self.works.group.reconfigure(settings.sfu.vantage)
        # What comes before what goes: an agent that keeps a target keeps its counters.
        starts = stagger([work.interval_s for work in changes.new])
        for work, first_in_s in zip(changes.new, starts, strict=True):
            self.works.add(work, first_in_s)
        self.discovery.reconfigure(settings.discover, settings.targets)
        for work in changes.gone:
            self.works.remove(work)
        self.pool.fit()
        self._label_called()
        for key in self.current.after_restart():
            log.warning("setting takes effect after a restart", extra={"key": key})

    def _use_credentials(self, settings: Settings) -> None:
        """Let the next runs have what the settings give, and keep it out of the logs."""
        self.current.use(settings)
        logs.configure(self.current.log_setup)
        self.runner.reconfigure(self.current.server, self.current.log_setup)

    def reload_soon(self) -> None:
        """Begin to read the configuration anew."""
        if not self.works.stopping:
            self.reloader.reload_soon()


def _runner(current: Current, table: ProbeTable, keeper: Keeper | None, metrics: Metrics) -> Runner:
    pool = current.settings.pool
    return Runner(
        current.server,
        processes=pool.processes or LEAST,  # works are added later
        recycle_after=pool.recycle_after,
        table=table,
        log_setup=current.log_setup,
        keeper=keeper,
        watch=PoolSeries(metrics),
    )
