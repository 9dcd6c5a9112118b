"""The daemon: put the parts together, start, drain, stop.

Targets come and go by `add_target` and `remove_target`: the start, discovery and, one day, a
reload of the configuration use the same two.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Iterator

import uvicorn
from prometheus_client import CollectorRegistry

from exporter import __version__, logs
from exporter.config.settings import Settings
from exporter.errors import ConfigError
from exporter.metrics.loop_lag import watch_loop_lag
from exporter.metrics.recorder import Recorder
from exporter.metrics.registry import Metrics
from exporter.outcome import Outcome
from exporter.probes.latency import LatencyConfig
from exporter.run.discovery import Discovery
from exporter.run.process import ProbeTable
from exporter.run.runner import PROBES_TABLE, Runner
from exporter.run.scheduler import FIRST_CALL_S, Scheduler, Work, stagger
from exporter.run_log import RunLog
from exporter.server_api import Server
from exporter.web.app import Sources, make_app
from exporter.web.board import Board, call_work
from exporter.web.settings import WebSettings
from exporter.web.status import status_page

log = logging.getLogger(__name__)

DRAIN_S = 5.0
"""For calls to leave and rooms to be deleted; with what follows it stays under 10 s."""
_CALIBRATION_AFTER_S = 20.0
"""The first calibration comes so long after the last of the first calls was started."""
_CALIBRATION_WITHIN_S = 60.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def serve(settings: Settings, table: ProbeTable = PROBES_TABLE) -> int:
    """Serve until SIGTERM or SIGINT, then stop in order; a second signal stops at once.

    Args:
        settings: The whole configuration.
        table: The probes.

    Returns:
        The exit status: 0.

    Raises:
        ConfigError: Credentials are missing, or the address cannot be listened on.
    """
    server = settings.server()
    with contextlib.closing(_listen(settings.web)) as listener:
        secrets = (server.api_secret,)
        setup = logs.LogSetup(settings.log.level, settings.log.format, secrets)
        logs.configure(setup)
        asyncio.run(_serve(settings, server, listener, setup, table))
    return 0


async def _serve(
    settings: Settings,
    server: Server,
    listener: socket.socket,
    setup: logs.LogSetup,
    table: ProbeTable,
) -> None:
    daemon = Daemon(settings, server, setup, table)
    stop = asyncio.Event()
    with _signals(stop):
        await daemon.run(listener, stop)


class Daemon:
    """The parts of the exporter and their life."""

    def __init__(
        self,
        settings: Settings,
        server: Server,
        setup: logs.LogSetup,
        table: ProbeTable = PROBES_TABLE,
    ) -> None:
        """Put the parts together; nothing runs before `run`.

        Args:
            settings: The whole configuration.
            server: What is watched.
            setup: How the probe processes log.
            table: The probes.
        """
        self._settings = settings
        self._listed = False
        self._stopping = False
        self._runner = Runner(
            server,
            processes=settings.pool.processes,
            recycle_after=settings.pool.recycle_after,
            table=table,
            log_setup=setup,
        )
        self.registry = CollectorRegistry()
        metrics = Metrics(self.registry, server.name, _thresholds(settings))
        self._recorder = Recorder(metrics, stuck_after_s=settings.agents.stuck_after)
        self._recorder.configured(successful=True)
        self._board = Board(server.name)
        named = frozenset(target.agent_name for target in settings.targets)
        discovery = Discovery(settings.discover, named, self.add_target, self.remove_target)
        listeners = (RunLog().record, self._recorder.record, self._board.record, self._note_listing)
        self._scheduler = Scheduler(
            self._runner.run, (*listeners, discovery.record), self._recorder.skip
        )

    def add_target(self, target: LatencyConfig, first_in_s: float = FIRST_CALL_S) -> None:
        """Call this target from now on."""
        self._recorder.add_target(target)
        self._add(call_work(target), first_in_s)

    def remove_target(self, target: LatencyConfig) -> None:
        """Call this target no more, and let its series go."""
        name = call_work(target).id
        self._scheduler.remove(name)
        self._board.remove(name)
        self._recorder.remove_target(target)

    async def run(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Serve on a listening socket until told to stop; then drain.

        Args:
            listener: Bound; closed by the caller.
            stop: Set to stop.
        """
        web = _make_web(self._make_sources())
        serving = asyncio.create_task(web.serve(sockets=[listener]))
        lag = asyncio.create_task(watch_loop_lag(self._recorder.loop_lag))
        stopping = asyncio.create_task(stop.wait())
        self._start()
        host, port = listener.getsockname()[:2]
        log.info("serving", extra={"version": __version__, "address": f"{host}:{port}"})
        try:
            await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._drain()
            web.should_exit = True
            for task in (lag, stopping):
                task.cancel()
            await asyncio.gather(serving, lag, stopping, return_exceptions=True)
        log.info("stopped")

    def _start(self) -> None:
        """Schedule everything: the listing at once, then the calls, then the calibration."""
        settings = self._settings
        self._add(Work("agents", "agents", "", settings.agents, settings.agents.interval), 0)
        starts = stagger([target.interval for target in settings.targets])
        for target, first_in_s in zip(settings.targets, starts, strict=True):
            self.add_target(target, first_in_s)
        after_s = min(max(starts, default=0) + _CALIBRATION_AFTER_S, _CALIBRATION_WITHIN_S)
        calibrate = settings.calibrate
        self._add(Work("calibrate", "calibrate", "", calibrate, calibrate.interval), after_s)
        self._scheduler.start()

    def _add(self, work: Work, first_in_s: float) -> None:
        self._board.add(work)
        self._scheduler.add(work, first_in_s)

    async def _drain(self) -> None:
        log.info("stopping: calls are ended and their rooms deleted")
        self._stopping = True
        self._scheduler.stop()
        await self._runner.aclose(DRAIN_S)

    def _note_listing(self, outcome: Outcome) -> None:
        self._listed = self._listed or outcome.probe == "agents"

    def _make_sources(self) -> Sources:
        return Sources(
            registry=self.registry,
            not_healthy=lambda: "" if self._scheduler.running else "the scheduler does not run",
            not_ready=self._not_ready,
            status_page=lambda: status_page(self._board, self._scheduler.next_run),
        )

    def _not_ready(self) -> str:
        if self._stopping:
            return "stopping"
        return "" if self._listed else "the first listing of agents and rooms has not ended yet"


class _Web(uvicorn.Server):
    """uvicorn without its signal handlers: the signals are the daemon's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _make_web(sources: Sources) -> _Web:
    config = uvicorn.Config(
        make_app(sources),
        log_config=None,
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    return _Web(config)


@contextlib.contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    """Set `stop` on the first signal; leave at once on the second, probes clean up alone."""
    loop = asyncio.get_running_loop()

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in _SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number in _SIGNALS:
            loop.remove_signal_handler(number)


def _listen(web: WebSettings) -> socket.socket:
    """Return a bound socket.

    Raises:
        ConfigError: The address cannot be had.
    """
    family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((web.host, web.port))
        # Listening from here on: on some systems two may bind, but not two may listen.
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"web.listen_address: cannot listen on {web.listen_address}: "
            f"{(error.strerror or str(error)).lower()}; expected a free address of this host"
        ) from None
    return listener


def _thresholds(settings: Settings) -> tuple[float, ...]:
    """Return every latency that someone wants to know a share of turns below."""
    limits_ms = [target.target_ms for target in settings.targets]
    limits_ms += [target.fail_ms for target in settings.targets if target.fail_ms is not None]
    if settings.discover.enabled:
        limits_ms.append(settings.discover.target_ms)
    return (*(limit / 1000 for limit in limits_ms), *settings.slo.thresholds)
