"""The daemon's life: start, run, drain, stop."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from exporter import __version__, logs
from exporter.daemon.current import Current
from exporter.daemon.health import LoopGuard
from exporter.daemon.pages import sources_of
from exporter.daemon.parts import Daemon
from exporter.daemon.persistence import recall
from exporter.garbage import leave_out_what_is_there
from exporter.metrics.own import watch_loop_lag
from exporter.run.process import ProbeTable
from exporter.run.runner import PROBES_TABLE
from exporter.settings.settings import Settings
from exporter.web.app import make_server
from exporter.web.server import listen, pages_url, shown

log = logging.getLogger(__name__)

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
DRAIN_S = 5.0
"""For calls to leave and rooms to be deleted; with what follows it stays under 10 s."""
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
        logs.configure(Current(settings, server).log_setup)
        sys.setswitchinterval(SWITCH_S)
        leave_out_what_is_there()
        asyncio.run(_serve(Daemon(settings, server, load, table), listener))
    return 0


async def _serve(daemon: Daemon, listener: socket.socket) -> None:
    stop = asyncio.Event()
    with LoopGuard(asyncio.get_running_loop()), _handle_signals(stop, daemon.reload_soon):
        await run(daemon, listener, stop)


@contextlib.contextmanager
def _handle_signals(stop: asyncio.Event, reload: Callable[[], None]) -> Iterator[None]:
    """Set `stop` on the first signal; leave at once on the second, probes clean up alone.

    SIGHUP reloads. Outside of the block, signals do what they did before.
    """
    loop = asyncio.get_running_loop()

    def on_signal(number: int) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield
    finally:
        for number in (*_STOP_SIGNALS, signal.SIGHUP):
            loop.remove_signal_handler(number)


async def run(daemon: Daemon, listener: socket.socket, stop: asyncio.Event) -> None:
    """Serve on a listening socket until stopped; then drain.

    Args:
        daemon: Its parts.
        listener: Bound; closed by the caller.
        stop: Set to stop.

    Raises:
        ConfigError: Another exporter uses the folder of the ledger.
        RuntimeError: The web server ended before; a supervisor is to start the exporter again.
    """
    await _start(daemon, _url(daemon, listener))
    web = make_server(
        sources_of(daemon),
        lambda: daemon.current.settings.web,
        daemon.web_config,
        daemon.refusals,
    )
    serving = asyncio.create_task(web.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    await daemon.works.start(daemon.current.settings, daemon.table)
    _watch(daemon)
    log.info("serving", extra={"version": __version__, "address": shown(listener)})
    try:
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        ended = (stopping, *daemon.watches.tasks, *daemon.reloader.tasks, *daemon.asked.tasks)
        for task in ended:
            task.cancel()
        await _drain(daemon)
        web.should_exit = True
        await asyncio.gather(serving, *ended, return_exceptions=True)
    if not stop.is_set():
        raise RuntimeError("web server ended unexpectedly") from serving.exception()
    log.info("stopped")


def _url(daemon: Daemon, listener: socket.socket) -> str:
    """Return where the pages are."""
    has_tls = daemon.web_config.current.tls is not None
    return pages_url(listener, daemon.current.settings.web, has_tls=has_tls)


async def _start(daemon: Daemon, url: str) -> None:
    """Open what is kept, and know again what was known before this process."""
    daemon.own.reached_at(url)
    await daemon.persistence.start(url)
    if (keeper := daemon.persistence.keeper) is not None:
        daemon.watches.begin("evidence", keeper.watch())
    await daemon.persistence.restore(daemon.fleet.roster)
    daemon.watch_list.restore(await recall(daemon.ledger.store, datetime.now(UTC)))
    await daemon.real_calls.restore()


def _watch(daemon: Daemon) -> None:
    """Begin what runs for ever."""
    begin = daemon.watches.begin
    begin("loop lag", watch_loop_lag(daemon.own.loop_lag))
    begin("health", daemon.health.watch())
    begin("workers", daemon.fleet.watch())
    begin("real calls", daemon.real_calls.watch())
    begin("live turns", daemon.live_turns.watch())
    begin("credentials", daemon.credentials.watch())
    begin("roster on disk", daemon.persistence.keep_roster(daemon.fleet.roster))
    if daemon.works.group is not None:
        begin("leases", daemon.works.group.watch())


async def _drain(daemon: Daemon) -> None:
    """End in order what runs."""
    log.info("stopping: ending calls and deleting their rooms")
    daemon.works.stop()
    await daemon.runner.aclose(DRAIN_S)
    if daemon.works.group is not None:  # no call of ours is under way any more
        await daemon.works.group.aclose()
    await daemon.persistence.aclose(daemon.fleet.roster)
