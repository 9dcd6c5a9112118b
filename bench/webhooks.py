"""Whether webhooks at a high rate are all taken, soon, and without harm to the event loop.

Run by `make bench-webhooks`; prints a table and exits 1 when a bound does not hold. The exporter's
own web server runs in a process of its own, with its gate, its ledger on the disk and the figures
of real calls. Deliveries come over HTTP on connections that are kept, as from a LiveKit server, at
the time at which they are due, whether or not those before them were answered.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import socket
import statistics
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from itertools import count
from pathlib import Path

import psutil
from livekit.api import AccessToken
from prometheus_client import CollectorRegistry

from bench.parts import line_of, running
from bench.report import Report
from exporter.daemon.real_calls import RealCalls
from exporter.daemon.serve import SWITCH_S
from exporter.garbage import leave_out_what_is_there
from exporter.metrics.agent_names import AgentNames
from exporter.metrics.ledger import StoreSeries
from exporter.metrics.own import OwnSeries, watch_loop_lag
from exporter.metrics.real_calls import RealCallSeries
from exporter.metrics.registry import Metrics
from exporter.server_api import Server
from exporter.settings.settings import Settings
from exporter.store.buffered import BufferedStore
from exporter.store.sqlite import open_sqlite
from exporter.web.app import make_server
from exporter.web.refusals import Refusals
from exporter.web.sources import Sources
from exporter.web.web_config import WebConfigWatch
from tests import plain_http

MODULE = "bench.webhooks"
NAME = "lk.example.com"
KEY, SECRET = "APIbench", "a-secret-of-the-bench-of-32-chars-"
CONNECTIONS = 16
PER_CALL = 8
OPEN_CALLS = 500
"""Calls whose events come in turn."""
AGENTS = 20
P95_BOUND_MS = 50.0
LAG_BOUND_MS = 50.0
WEBHOOK = "/webhook/livekit"
_FORGED = {"Content-Type": "application/webhook+json", "Authorization": "forged"}
_CODECS = [
    {"mime": f"video/{name}"} for name in ("PCMU", "opus", "red", "VP8", "H264", "AV1", "rtx")
]
"""A server names all that a room may use in most of its events."""
SETTLED_WITHIN_S = 30.0
LOOK_EVERY_S = 0.5


async def serve(folder: Path) -> None:
    """Serve an exporter that follows real calls, until ended."""
    sys.setswitchinterval(SWITCH_S)  # as the daemon does
    leave_out_what_is_there()
    settings = Settings()
    metrics = Metrics(CollectorRegistry(), NAME)
    server = Server(url="ws://127.0.0.1:1", api_key=KEY, api_secret=SECRET)
    store = BufferedStore(lambda: open_sqlite(folder), StoreSeries(metrics, "sqlite"))
    await store.start()
    series = RealCallSeries(metrics, AgentNames(metrics, 500))
    calls = RealCalls(settings, lambda: server, store, series)
    sources = Sources(
        metrics=metrics,
        server_name=NAME,
        thresholds=(),
        not_healthy=lambda: "",
        not_ready=lambda: "",
        status_page=lambda _viewer: lambda: "",
        deliveries=calls,
    )
    web = make_server(sources, lambda: settings.web, WebConfigWatch(None), Refusals(metrics))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        print(listener.getsockname()[1], flush=True)
        lag = asyncio.create_task(watch_loop_lag(OwnSeries(metrics).loop_lag))
        counting = asyncio.create_task(calls.watch())
        await web.serve(sockets=[listener])
        lag.cancel()
        counting.cancel()


def events(calls: int) -> Iterator[bytes]:
    """Yield the bodies of all events of so many calls, of which some hundreds are open at once."""
    numbers = count()
    for first in range(0, calls, OPEN_CALLS):
        block = range(first, min(first + OPEN_CALLS, calls))
        scripts = [_script(call) for call in block]
        for step in range(PER_CALL):
            for call, script in zip(block, scripts, strict=True):
                room = {"name": f"room-{call}", "sid": f"RM_{call}", "enabledCodecs": _CODECS}
                head = {"id": f"EV_{next(numbers)}", "createdAt": f"{1_000_000 + step}"}
                yield json.dumps({**head, "room": room, **script[step]}).encode()


def _script(call: int) -> tuple[dict[str, object], ...]:
    """Return what is special in each event of a call that its caller ends."""
    at = {"joinedAtMs": "1000000500", "state": "ACTIVE"}
    caller = {"sid": f"PA_c{call}", "identity": f"caller-{call}", "kind": "STANDARD", **at}
    named = {"lk.agent_name": f"agent-{call % AGENTS}"}
    agent = {"sid": f"PA_a{call}", "identity": "agent", "kind": "AGENT", "attributes": named, **at}
    track = {"sid": f"TR_{call}", "type": "AUDIO", "source": "MICROPHONE"}
    gone = {"disconnectReason": "CLIENT_INITIATED"}
    return (
        {"event": "room_started"},
        {"event": "participant_joined", "participant": caller},
        {"event": "participant_joined", "participant": agent},
        {"event": "track_published", "participant": caller, "track": track},
        {"event": "track_published", "participant": agent, "track": track},
        {"event": "participant_left", "participant": caller | gone},
        {"event": "participant_left", "participant": agent | gone},
        {"event": "room_finished"},
    )


def request(body: bytes) -> bytes:
    """Return a whole delivery, signed."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    token = AccessToken(KEY, SECRET).with_sha256(digest).with_ttl(timedelta(hours=1)).to_jwt()
    head = (
        f"POST {WEBHOOK} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Content-Type: application/webhook+json\r\nAuthorization: {token}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass(slots=True)
class Deliveries:
    """What became of the deliveries."""

    took_ms: list[float] = field(default_factory=list)
    """From the moment at which each was due to its answer."""
    failed: int = 0
    late_ms: float = 0.0
    """How late the sender itself was at most."""


class Sender:
    """Delivers by hand: a client library would need more of the machine than the server."""

    def __init__(self, port: int, requests: deque[bytes]) -> None:
        self._port = port
        self._requests = requests
        self._due: asyncio.Queue[tuple[float, bytes] | None] = asyncio.Queue()
        self.became = Deliveries()

    async def send(self, rate: float) -> None:
        """Send all, so many a second."""
        connections = [asyncio.create_task(self._deliver()) for _ in range(CONNECTIONS)]
        due = time.monotonic()
        while self._requests:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.became.late_ms = max(self.became.late_ms, (time.monotonic() - due) * 1000)
            self._due.put_nowait((due, self._requests.popleft()))
            due += 1 / rate
        for _ in connections:
            self._due.put_nowait(None)
        await asyncio.gather(*connections)

    async def _deliver(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while next_ := await self._due.get():
            due, whole = next_
            writer.write(whole)
            answer = await reader.readuntil(b"\r\n\r\n")
            self.became.failed += not answer.startswith(b"HTTP/1.1 204 ")
            self.became.took_ms.append((time.monotonic() - due) * 1000)
        writer.close()


async def deliver(port: int, rate: float, calls: int) -> None:
    """Be the LiveKit server, in a process of its own; prints when it begins, then the result."""
    sender = Sender(port, deque(request(body) for body in events(calls)))
    print("signed", flush=True)
    await sender.send(rate)
    print(json.dumps(asdict(sender.became)), flush=True)


@dataclass(slots=True)
class Figures:
    """What was measured."""

    deliveries: Deliveries
    accepted: float = 0.0
    calls: float = 0.0
    lag_ms: float = 0.0
    cpu_ms: float = 0.0
    memory_mb: float = 0.0

    def read(self, page: str) -> None:
        """Take what /metrics says."""
        self.accepted = _sum(page, "voice_webhook_events_total")
        self.calls = _sum(page, "voice_calls_total")
        self.lag_ms = max(self.lag_ms, _sum(page, "voice_exporter_loop_lag_seconds") * 1000)


def _sum(page: str, name: str) -> float:
    lines = (line for line in page.splitlines() if line.startswith(f"{name}{{"))
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def measure(rate: float, calls: int) -> Figures:
    """Deliver the events of so many calls, and look at the exporter meanwhile and afterwards."""
    figures = Figures(Deliveries())
    with tempfile.TemporaryDirectory() as folder, running(MODULE, "--serve", folder) as serving:
        port = int(line_of(serving))
        url = f"http://127.0.0.1:{port}/metrics"
        # The first delivery imports the SDK.
        plain_http.post(f"http://127.0.0.1:{port}{WEBHOOK}", content=b"{}", headers=_FORGED)
        server = psutil.Process(serving.pid)
        with running(MODULE, "--deliver", str(port), str(rate), str(calls)) as sender:
            line_of(sender)
            spent, until = sum(server.cpu_times()[:2]), time.monotonic() + calls * PER_CALL / rate
            while time.monotonic() < until:
                figures.read(plain_http.get(url).text)
                time.sleep(LOOK_EVERY_S)
            figures.deliveries = Deliveries(**json.loads(line_of(sender)))
            figures.cpu_ms = (sum(server.cpu_times()[:2]) - spent) * 1000 / (calls * PER_CALL)
        until = time.monotonic() + SETTLED_WITHIN_S
        while figures.calls < calls and time.monotonic() < until:
            time.sleep(LOOK_EVERY_S)
            figures.read(plain_http.get(url).text)
        figures.memory_mb = server.memory_info().rss / 2**20
    return figures


def show(report: Report, figures: Figures, rate: float, calls: int) -> None:
    """Print the table."""
    table = report.figures(f"{rate:g} events/s, {calls} calls")
    sent, took = calls * PER_CALL, figures.deliveries.took_ms
    p95 = statistics.quantiles(took, n=20)[-1]
    failed, accepted = figures.deliveries.failed, figures.accepted
    table.check("not answered with 204", sent, f"{failed}", bound="0", holds=failed == 0)
    table.check("events accepted", sent, f"{accepted:.0f}", bound=f"{sent}", holds=accepted == sent)
    table.check(
        "calls counted", calls, f"{figures.calls:.0f}", bound=f"{calls}",
        holds=figures.calls == calls,
    )  # fmt: skip
    table.add("answer p50", len(took), f"{statistics.median(took):.1f} ms")
    bound = f"< {P95_BOUND_MS:g} ms"
    table.check("answer p95", len(took), f"{p95:.1f} ms", bound=bound, holds=p95 < P95_BOUND_MS)
    table.add("answer max", len(took), f"{max(took):.1f} ms")
    table.add("sender's own delay, max", len(took), f"{figures.deliveries.late_ms:.1f} ms")
    lag, bound = figures.lag_ms, f"< {LAG_BOUND_MS:g} ms"
    table.check(
        "largest lag of the loop", 0, f"{lag:.0f} ms", bound=bound, holds=lag < LAG_BOUND_MS
    )
    table.add("CPU per event", sent, f"{figures.cpu_ms:.2f} ms")
    table.add("resident memory", 0, f"{figures.memory_mb:.0f} MB")
    table.show()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--deliver", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=float, default=500.0, help="events a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(Path(options.serve)))
        return 0
    if options.deliver:
        port, rate, calls = options.deliver
        asyncio.run(deliver(int(port), float(rate), int(calls)))
        return 0
    printed = Report()
    calls = max(1, int(options.rate * options.seconds / PER_CALL))
    show(printed, measure(options.rate, calls), options.rate, calls)
    return 0 if printed.held else 1


if __name__ == "__main__":
    sys.exit(main())
