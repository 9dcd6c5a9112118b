"""A collector that heartbeats are sent to, and an `AgentServer` that they report."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

from exporter.roster.wire import Heartbeat


@dataclass
class Collector:
    """An HTTP server that keeps what it is posted."""

    status: int = 204
    beats: list[tuple[str, str | None, Heartbeat]] = field(default_factory=list)
    url: str = ""

    def ids(self) -> list[str]:
        """Return the worker ids in the order of the heartbeats."""
        return [worker_id for worker_id, _, _ in self.beats]

    def statuses(self) -> list[str]:
        """Return the statuses in the order of the heartbeats."""
        return [str(beat.status) for _, _, beat in self.beats]


class Handler(BaseHTTPRequestHandler):
    """Writes nothing to stderr."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
        """Ignore it."""


@contextmanager
def serving(handler: type[Handler], port: int = 0) -> Iterator[int]:
    """Serve HTTP from a thread; gives the port."""
    with ThreadingHTTPServer(("127.0.0.1", port), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def collecting(port: int = 0, status: int = 204) -> Iterator[Collector]:
    """Run a collector, which reads heartbeats as the exporter does."""
    collector = Collector(status)

    class Collecting(Handler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            beat = Heartbeat.model_validate_json(self.rfile.read(length))
            assert self.path.startswith("/api/v1/workers/")
            worker_id = self.path.split("/")[4]
            if collector.status < 300:
                collector.beats.append((worker_id, self.headers["Authorization"], beat))
            self.send_response(collector.status)
            self.end_headers()

    with serving(Collecting, port) as at:
        collector.url = f"http://127.0.0.1:{at}"
        yield collector


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
