"""Run the whole demo: a server, the providers, an agent, and the exporter that calls it."""

import contextlib
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import FrameType

import yaml

from exporter.demo.breaking import CONFIG, FAULTS, FOLDER
from exporter.demo.livekit_binary import find_server
from exporter.demo.livekit_server import LiveKitServer, ServerStartError
from exporter.demo.options import DemoOptions
from exporter.demo.processes import Child, stop_all
from exporter.demo.progress import Reading, describe, read_metrics
from exporter.demo.ready import RUNBOOKS, announced
from exporter.errors import ConfigError, ExporterError
from exporter.server_api import Server
from exporter.settings.load import load_settings

AGENT_NAME = "demo"
_DEFAULT_PORT = 9465
_HOST = "127.0.0.1"
_EVERYWHERE = ("", "0.0.0.0", "[::]")  # noqa: S104 - is compared
_POLL_S = 0.2
_MOST_CLIPPED = 0.02
"""Share of the samples of speech: none of a good voice is clipped."""
_READY_S = {"providers": 120.0, "agent": 180.0, "exporter": 60.0}
"""A first start reads everything from a disk that may be slow: 35 s have been seen."""
_EXPORTER_GRACE_S = 12.0
_OTHERS_GRACE_S = 8.0
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy"})
# What would make the exporter, the SDK or its plugins look elsewhere, or behave otherwise.
_FOREIGN = ("LIVEKIT_", "OPENAI_", "OTEL_", "VOICE_EXPORTER_")

Tell = Callable[[str], None]
"""Takes one line for the person who watches."""


class DemoError(ExporterError):
    """A process of the demo died or did not become ready; the message says which and why."""


def run_demo(options: DemoOptions, tell: Tell) -> int:
    """Run the demo until its duration is over, Ctrl-C, SIGTERM, or one of its processes dies.

    Returns:
        The exit status: 0; 1 when a process died, or when the duration ended with no turn
        measured.

    Raises:
        ConfigError: There is no livekit-server to be had, or the environment names one badly.
    """
    interrupt = _Interrupt()
    with interrupt.installed():
        folder = Path(tempfile.mkdtemp(prefix=FOLDER))
        status = 1
        demo = _Demo(options, folder, tell, interrupt)
        try:
            status = _start_and_watch(demo)
        except ConfigError:
            status = 0  # nothing ran, so there is no log to keep
            raise
        except (DemoError, ServerStartError) as error:
            tell(str(error))
        finally:
            demo.stop()
            if status == 0:
                shutil.rmtree(folder, ignore_errors=True)
            else:
                tell(f"logs           {folder}")
    return status


def _start_and_watch(demo: "_Demo") -> int:
    try:
        demo.start()
        return demo.watch()
    except KeyboardInterrupt:
        return 0


class _Interrupt:
    """Ctrl-C and SIGTERM: noted at once, raised only where nothing can be left half done."""

    def __init__(self) -> None:
        self._asked = False
        self._allowed = False

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Handle both signals inside the block."""
        before = {each: signal.signal(each, self._note) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, old in before.items():
                signal.signal(each, old)

    @contextlib.contextmanager
    def allowed(self) -> Iterator[None]:
        """Raise KeyboardInterrupt inside the block, also for a signal that came before it."""
        self._allowed = True
        try:
            if self._asked:
                raise KeyboardInterrupt
            yield
        finally:
            self._allowed = False

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._asked = True
        if self._allowed:
            raise KeyboardInterrupt


class _Demo:
    """The processes of one demo, in the order in which they were started."""

    def __init__(
        self, options: DemoOptions, folder: Path, tell: Tell, interrupt: _Interrupt
    ) -> None:
        self._options = options
        self._folder = folder
        self._config = folder / CONFIG
        self._tell = tell
        self._interrupt = interrupt
        self._own_server: LiveKitServer | None = None
        self._children: list[Child] = []
        self._exporter: Child | None = None
        self._metrics_url = ""

    def start(self) -> None:
        """Start everything, each when what it needs is ready, and print the addresses."""
        listen = self._options.listen_address or _free_address()
        exporter = _url_here(listen)
        server = self._server(f"{exporter}/webhook/livekit")
        environ = _environment(os.environ, server, local=self._own_server is not None)
        providers = self._program(
            "providers", ["--settings", self._options.settings().model_dump_json()], environ
        )
        agent = self._program(
            "agent",
            [
                *("--providers", providers, "--agent-name", AGENT_NAME),
                *("--greeting", self._options.greeting),
                *("--collector", exporter),
            ],
            environ,
        )
        self._metrics_url = f"{exporter}/metrics"
        self._start_exporter(server, listen, agent, environ, providers)
        for line in (
            f"agent          {AGENT_NAME}, {agent}/worker",
            f"metrics        {self._metrics_url}",
            f"status page    {exporter}/",
            *self._looks(),
            f"settings       {providers}/settings (docs/demo.md)",
            "to break it    while it runs, in another terminal; its next call shows it",
            *(
                f"               {_program()} demo break {name:<6} {fault.about}; "
                f"{fault.shown_by(self._config)}"
                for name, fault in FAULTS.items()
            ),
            f"to mend it     {_program()} demo mend",
        ):
            self._tell(line)

    def _looks(self) -> Iterator[str]:
        """Yield how to list the agent's worker, where the configuration says all for it."""
        if self._own_server:
            yield f"worker         {_program()} agents --config {self._config}"

    def watch(self) -> int:
        """Print what is measured until the duration is over; return the exit status."""
        duration_s = self._options.duration
        ends = None if duration_s is None else time.monotonic() + duration_s
        self._tell(
            "calling        Ctrl-C stops"
            + ("" if duration_s is None else f"; else it stops after {duration_s:g} s")
        )
        last = Reading()
        while ends is None or time.monotonic() < ends:
            self._all_alive()
            reading = read_metrics(self._metrics_url, AGENT_NAME)
            if reading is not None and (line := describe(last, reading)):
                self._tell(f"{time.strftime('%H:%M:%S')}       {line}")
            last = reading or last
            self._pause()
        if last.measured == 0:
            self._tell("no turn was measured")
            return 1
        return 0

    def stop(self) -> None:
        """End every process: first the exporter, which still needs the others to hang up."""
        if self._children:
            self._tell("stopping")
        if self._exporter is not None:
            self._exporter.stop(_EXPORTER_GRACE_S)
        stop_all(self._children, _OTHERS_GRACE_S)
        if self._own_server is not None:
            self._own_server.stop()

    def _server(self, webhooks: str) -> Server:
        """Return the server that the environment names, else start one with webhooks."""
        if any(os.environ.get(name) for name in ("LIVEKIT_URL", "LIVEKIT_URL_FILE")):
            server = load_settings(None, {}).server()
            self._tell(f"livekit        {server.url}, from the environment")
            return server
        with self._interrupt.allowed():
            program = find_server(os.environ, self._tell)
        self._own_server = LiveKitServer(program, self._folder, webhooks=webhooks)
        server = self._own_server.start()
        self._tell(f"livekit        {server.url}, livekit-server from {program.origin}")
        return server

    def _program(self, name: str, arguments: list[str], environ: Mapping[str, str]) -> str:
        """Start `python -m exporter.demo.NAME` and return its URL once it is ready."""
        ready = self._folder / f"{name}.url"
        module = f"exporter.demo.{name}"
        child = self._launch(
            name,
            [sys.executable, "-m", module, "--ready-file", str(ready), *arguments],
            environ,
        )
        url: list[str] = []

        def has_announced() -> bool:
            url.extend(filter(None, [announced(ready)]))
            return bool(url)

        self._wait_ready(child, has_announced)
        return url[0]

    def _start_exporter(
        self,
        server: Server,
        listen: str,
        agent: str,
        environ: Mapping[str, str],
        providers: str,
    ) -> None:
        """Start the exporter, which knows the agent's worker by its page and by its heartbeats.

        Args:
            server: That it watches.
            listen: Its own address, `HOST:PORT`.
            agent: URL of the worker's page.
            environ: Its environment.
            providers: URL of what has the runbooks as well.
        """
        target = {
            "agent_name": AGENT_NAME,
            "interval": self._options.interval,
            "trials": self._options.trials,
            "greeting": "expected" if self._options.greeting else "none",
            "sound": {"max_clipped_ratio": _MOST_CLIPPED},
        }
        local = {"url": server.url, "api_key": server.api_key, "api_secret": server.api_secret}
        self._config.touch(mode=0o600)
        self._config.write_text(
            yaml.safe_dump(
                {
                    # Keys of its own server only: others are nobody's to write down.
                    **({"livekit": local} if self._own_server else {}),
                    "server_name": server.name or AGENT_NAME,
                    "web": {"listen_address": listen} | _runbooks(providers),
                    "store": {"folder": "state"},
                    "targets": [target],
                    "workers": {"scrape": [agent]},
                    # A floor for someone who watches: sooner, and less sure.
                    "calibrate": {"calls": 3, "trials": 1},
                }
            ),
            encoding="utf-8",
        )
        command = [sys.executable, "-m", "exporter", "serve", "--config", str(self._config)]
        self._exporter = self._launch("exporter", command, environ)
        self._wait_ready(
            self._exporter, lambda: read_metrics(self._metrics_url, AGENT_NAME) is not None
        )

    def _launch(self, name: str, argv: list[str], environ: Mapping[str, str]) -> Child:
        child = Child(name, argv, log=self._folder / f"{name}.log", environ=environ)
        self._children.append(child)
        return child

    def _wait_ready(self, child: Child, ready: Callable[[], bool]) -> None:
        limit_s = _READY_S[child.name]
        ends = time.monotonic() + limit_s
        while not ready():
            self._all_alive()
            if time.monotonic() > ends:
                raise DemoError(
                    f"{child.name} was not ready within {limit_s:g} s; its last lines:\n"
                    f"{child.tail()}"
                )
            self._pause()

    def _pause(self) -> None:
        with self._interrupt.allowed():
            time.sleep(_POLL_S)

    def _all_alive(self) -> None:
        own = [] if self._own_server is None else [self._own_server.child]
        for child in (*own, *self._children):
            if child.exit_code is not None:
                raise DemoError(child.obituary())


def _runbooks(providers: str) -> dict[str, str]:
    """Return the setting for links to runbooks, which the providers serve if there are any."""
    return {"runbooks": f"{providers}/runbooks"} if RUNBOOKS.is_dir() else {}


def _environment(environ: Mapping[str, str], server: Server, *, local: bool) -> dict[str, str]:
    """Return the environment of the children: these credentials, and nothing that leads away.

    Args:
        environ: Ours.
        server: The server to use.
        local: It is a local server, which no proxy leads to.
    """
    kept = {
        name: value
        for name, value in environ.items()
        if not name.startswith(_FOREIGN) and not (local and name.lower() in _PROXIES)
    }
    here = ",".join(filter(None, [environ.get("NO_PROXY") or environ.get("no_proxy"), _HOST]))
    return kept | {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
        "NO_PROXY": here,
        "no_proxy": here,
        "PYTHONUNBUFFERED": "1",
    }


def _program() -> str:
    """Return how a person starts this program, in whichever environment it is."""
    name = "voice-exporter"
    return name if shutil.which(name) else f"{sys.executable} -m exporter"


def _url_here(listen: str) -> str:
    """Return the URL at which this host finds what listens on `HOST:PORT`."""
    host, _, port = listen.rpartition(":")
    return f"http://{_HOST if host in _EVERYWHERE else host}:{port}"


def _free_address() -> str:
    """Return the usual address of the exporter, or one with a free port when it is taken."""
    for port in (_DEFAULT_PORT, 0):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                trial.bind((_HOST, port))
                return f"{_HOST}:{trial.getsockname()[1]}"
    raise ConfigError("--listen-address: there is no free port on 127.0.0.1")
