"""What a worker imports: it reports, and never harms the worker."""

import json
import logging
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from exporter.instrument import beater, register, register_worker
from exporter.instrument.worker_page import WorkerPages
from exporter.instrument.worker_server import ServerSource
from exporter.roster.wire import Heartbeat
from tests.patience import START_S, WAIT_S, until

FORBIDDEN = {
    "apscheduler",
    "fastapi",
    "livekit",
    "numpy",
    "prometheus_client",
    "pydantic",
    "starlette",
    "uvicorn",
}

SOON_S = 0.05
"""Between two heartbeats."""


@dataclass
class Collector:
    """An HTTP server that keeps what it is posted."""

    status: int = 204
    beats: list[tuple[str, str | None, Heartbeat]] = field(default_factory=list)
    url: str = ""

    def ids(self) -> list[str]:
        """Return the worker ids in the order of the heartbeats."""
        return [worker_id for worker_id, _, _ in self.beats]


@contextmanager
def collecting(port: int = 0) -> Iterator[Collector]:
    """Run a collector."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            beat = Heartbeat.model_validate_json(self.rfile.read(length))
            assert self.path.startswith("/api/v1/workers/")
            worker_id = self.path.split("/")[4]
            if collector.status < 300:
                collector.beats.append((worker_id, self.headers["Authorization"], beat))
            self.send_response(collector.status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            pass

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        collector.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an interval be short: nobody waits a second for each heartbeat."""
    monkeypatch.setattr(register, "_SHORTEST_INTERVAL_S", SOON_S)


@pytest.fixture(autouse=True)
def _none_left() -> Iterator[None]:
    """Wait for the threads of a test, which would write into the log of the next one."""
    yield
    until(lambda: all(each.name != "voice-exporter" for each in threading.enumerate()))


def agent_server(**more: object) -> SimpleNamespace:
    """Return what is read of an AgentServer in production."""
    shape: dict[str, object] = {
        "id": "AW_1",
        "active_jobs": [],
        "draining": False,
        "worker_info": SimpleNamespace(http_port=8081),
        "_worker_load": 0.25,
        "_load_threshold": SimpleNamespace(dev_default=float("inf"), prod_default=0.7),
        "_devmode": False,
    }
    return SimpleNamespace(**(shape | more))


def test_it_imports_nothing_of_the_daemon() -> None:
    """A worker gets httpx and psutil, not the exporter's web stack, metrics or settings."""
    code = (
        "import sys; before = set(sys.modules); from exporter.instrument import register_worker; "
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(out.stdout.split())
    assert {"exporter", "httpx", "psutil"} <= loaded
    assert not FORBIDDEN & loaded


def test_a_worker_is_told_of_from_start_to_end() -> None:
    """Heartbeats have all that the server tells; closing it says goodbye; the token is sent."""
    server = agent_server()
    with collecting() as collector:
        handle = register_worker("demo", collector.url, "t0ken", SOON_S, server)
        until(lambda: collector.beats)
        server.active_jobs = [1, 2]
        # The next one may have been under way already when the jobs came.
        until(lambda: collector.beats[-1][2].status == "busy")
        handle.close()
        handle.close()
        until(lambda: collector.beats[-1][2].status == "offline")
    (worker_id, bearer, first), *_, (_, _, last) = collector.beats
    busy = next(beat for _, _, beat in collector.beats if beat.status == "busy")
    assert (worker_id, bearer) == ("AW_1", "Bearer t0ken")
    assert (first.agent_name, first.status, first.active_jobs) == ("demo", "idle", 0)
    assert (first.load, first.http_port, first.cpu_ratio) == (0.25, 8081, None)
    assert (first.memory_bytes or 0) > 2**20
    assert busy.active_jobs == 2
    assert busy.cpu_ratio is not None
    assert (last.status, last.active_jobs, last.replaces) == ("offline", None, None)


def test_a_worker_that_registers_anew_says_whom_it_replaces() -> None:
    """Before LiveKit knows it nothing is sent; under a new id the old one is named, once."""
    server = agent_server(id="unregistered")
    with collecting() as collector:
        handle = register_worker("demo", collector.url, interval=SOON_S, server=server)
        server.id = "AW_1"
        until(lambda: collector.beats)
        server.id = "AW_2"
        until(lambda: collector.ids().count("AW_2") > 1)
        handle.close()
    assert collector.ids()[0] == "AW_1"
    replaced = [beat.replaces for worker_id, _, beat in collector.beats if worker_id == "AW_2"]
    assert replaced[:2] == ["AW_1", None]


@pytest.mark.parametrize(
    ("shape", "status"),
    [
        ({}, "idle"),
        ({"active_jobs": [1]}, "busy"),
        ({"_worker_load": 0.7}, "full"),
        ({"_worker_load": 0.7, "_devmode": True}, "idle"),
        ({"_worker_load": 0.7, "_load_threshold": 0.9}, "idle"),
        ({"_worker_load": 0.9, "draining": True}, "draining"),
        ({"_worker_load": float("nan")}, "idle"),
    ],
)
def test_status_follows_from_the_server(shape: dict[str, object], status: str) -> None:
    """As the worker itself decides whether it takes jobs."""
    facts = ServerSource("demo", agent_server(**shape)).facts()
    assert facts is not None
    assert facts.status == status


def test_a_collector_that_is_away_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """One line says that it is away, one that it is back; then the heartbeats are there."""
    caplog.set_level(logging.INFO)
    with collecting() as first:
        url = first.url
    handle = register_worker("demo", url, "t0ken", SOON_S, agent_server())
    until(lambda: "heartbeat not sent, trying again: ConnectError" in caplog.text)
    with collecting(int(url.rpartition(":")[2])) as collector:
        collector.status = 503
        until(lambda: caplog.text)
        collector.status = 204
        until(lambda: collector.beats)
        handle.close()
    lines = [each.getMessage() for each in caplog.records if each.name.startswith("voice_")]
    assert lines[0] == "heartbeat not sent, trying again: ConnectError"
    assert lines[1].startswith("heartbeats are sent again after")
    assert "t0ken" not in caplog.text


def test_a_sandbox_that_hides_everything_is_no_reason_for_silence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Memory, processor time and addresses are unknown then; the worker is still there."""

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(psutil, "net_if_addrs", refuse)
    for name in ("children", "oneshot"):
        monkeypatch.setattr(psutil.Process, name, refuse)
    with collecting() as collector:
        handle = register_worker("demo", collector.url, interval=SOON_S, server=agent_server())
        until(lambda: len(collector.beats) > 1)
        handle.close()
    for _, _, beat in collector.beats:
        assert (beat.memory_bytes, beat.cpu_ratio, beat.addresses) == (None, None, ())
    assert collector.beats[0][2].status == "idle"


def test_the_worker_s_random_numbers_are_its_own() -> None:
    """A worker that seeded them gets the same ones with heartbeats as without."""
    before = random.getstate()
    with collecting() as collector:
        handle = register_worker("demo", collector.url, interval=SOON_S, server=agent_server())
        until(lambda: len(collector.beats) > 1)
        handle.close()
    assert random.getstate() == before


def test_closing_does_not_wait_for_a_collector_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The end of the worker is delayed by 2 s at most; here by a tenth of that."""
    assert beater.CLOSE_LIMIT_S == 2
    monkeypatch.setattr(beater, "CLOSE_LIMIT_S", 0.2)
    server = agent_server()
    with collecting() as collector:
        handle = register_worker("demo", collector.url, interval=SOON_S, server=server)
        until(lambda: collector.beats)

        asked, answer = threading.Event(), threading.Event()

        class Hanging:
            def __len__(self) -> int:
                asked.set()
                answer.wait(WAIT_S)
                return 0

        server.active_jobs = Hanging()
        assert asked.wait(WAIT_S)
        started = time.monotonic()
        handle.close()
        assert time.monotonic() - started >= 0.19  # the goodbye had its time
        assert any(each.name == "voice-exporter" for each in threading.enumerate())
        answer.set()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "no collector is given; expected http://HOST:PORT"),
        ({"collector": "exporter:9465"}, "the collector's address is none; expected"),
        ({"collector": "http://u:s3cr3t@h:1"}, "the collector's address is none; expected"),
        ({"collector": "http://h:1", "token": "a\nb"}, "the token cannot be sent in a header"),
        ({"collector": "http://h:1", "interval": 0.01}, "interval is too short"),
        ({"collector": "http://h:1", "interval": "x"}, "interval is too short"),
        ({"collector": "http://h:1", "interval": float("nan")}, "interval is too short"),
        ({"collector": 5}, "AttributeError"),
    ],
)
def test_bad_arguments_are_one_line_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    arguments: dict[str, object],
    expected: str,
) -> None:
    """The worker goes on; the line says what was expected, and repeats no secret."""
    monkeypatch.delenv("VOICE_EXPORTER_COLLECTOR_URL", raising=False)
    register_worker("demo", **arguments).close()  # type: ignore[arg-type]
    [line] = caplog.messages
    assert line.startswith("worker is not reported to the exporter: ")
    assert expected in line
    assert "s3cr3t" not in line
    assert caplog.records[0].exc_info is None


def test_collector_and_token_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The address from one variable, the token from a file that another names."""
    secret = tmp_path / "token"
    secret.write_text("from-file\n")
    with collecting() as collector:
        monkeypatch.setenv("VOICE_EXPORTER_COLLECTOR_URL", f"{collector.url}/")
        monkeypatch.setenv("VOICE_EXPORTER_TOKEN_FILE", str(secret))
        handle = register_worker("demo", interval=SOON_S, server=agent_server())
        until(lambda: collector.beats)
        handle.close()
    assert collector.beats[0][1] == "Bearer from-file"


PROGRAM = """
import json, multiprocessing, os, sys, time
from types import SimpleNamespace
from exporter.instrument import register_worker
from tests.patience import until

server = SimpleNamespace(id="AW_1", active_jobs=[], worker_info=None, draining=False)
handle = register_worker("demo", sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:1",
                         interval=1, server=server)

def job():
    print("thread" if any(t.name == "voice-exporter" for t in __import__("threading").enumerate())
          else "none", flush=True)

if __name__ == "__main__":
    for method in ("spawn", "forkserver"):
        context = multiprocessing.get_context(method)
        if method == "forkserver":
            context.set_forkserver_preload(["program"])
        child = context.Process(target=job)
        child.start()
        child.join()
    if not os.fork():
        sys.exit()
    os.wait()
    print("ready", flush=True)
    sys.stdin.readline()
"""


def test_only_the_worker_s_own_process_reports_and_its_end_is_told(tmp_path: Path) -> None:
    """Job processes import the program too and stay silent; the end of the worker is a goodbye.

    The end of a process that it forks is none.
    """
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    with collecting() as collector:
        child = subprocess.Popen(
            [sys.executable, str(program), collector.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        out, _ = child.communicate("\n", timeout=START_S)
    assert out.split() == ["none", "none", "ready"]
    statuses = [str(beat.status) for _, _, beat in collector.beats]
    assert (statuses[0], statuses.count("offline"), statuses[-1]) == ("idle", 1, "offline")
    assert set(collector.ids()) == {"AW_1"}


def test_a_page_without_an_end_holds_nothing_up() -> None:
    """Other ports of the process may answer anything at /worker, for ever."""

    class Stream(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            with suppress(OSError):
                while True:
                    self.wfile.write(bytes(1000))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Stream) as other:
        thread = threading.Thread(target=other.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        assert WorkerPages("demo").facts() is None
        other.shutdown()
        thread.join()


PAGE = json.dumps({"agent_name": "demo", "active_jobs": 1.0, "sdk_version": "1.8.9"})


def test_without_the_server_the_worker_s_own_page_is_found() -> None:
    """The page is among the ports of the process; its id is the worker's own."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/worker"
            self.send_response(200)
            self.end_headers()
            self.wfile.write(PAGE.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as worker, collecting() as collector:
        thread = threading.Thread(target=worker.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        handle = register_worker("demo", collector.url, interval=1)
        other = register_worker("other", collector.url, interval=1)
        until(lambda: collector.beats)
        handle.close()
        other.close()
        port = worker.server_address[1]
        worker.shutdown()
        thread.join()
    assert {beat.agent_name for _, _, beat in collector.beats} == {"demo"}
    worker_id, _, beat = collector.beats[0]
    assert (beat.status, beat.active_jobs, beat.http_port) == ("busy", 1, port)
    assert not worker_id.startswith("AW_")
