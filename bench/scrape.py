"""How fast /metrics answers with thousands of worker series, while workers report themselves.

Run by `make bench-scrape`; prints a table and exits 1 when a bound does not hold. The exporter's
own web server runs in a process of its own, with its gate, the roster and the metrics of a fleet;
scrapes and heartbeats come over HTTP, each heartbeat on a connection of its own, as from workers.
"""

import argparse
import asyncio
import json
import socket
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field

import httpx
import psutil
from prometheus_client import CollectorRegistry, generate_latest

from bench.parts import line_of, running
from bench.report import Report
from exporter.daemon.fleet import Fleet as WorkerFleet
from exporter.metrics.agent_names import AgentNames
from exporter.metrics.own import OwnSeries, watch_loop_lag
from exporter.metrics.recorder import Recorder
from exporter.metrics.registry import Metrics
from exporter.metrics.table import ROWS
from exporter.probes.latency.spec import LatencyConfig
from exporter.settings.settings import Settings
from exporter.web.app import make_server
from exporter.web.refusals import Refusals
from exporter.web.sources import Sources
from exporter.web.web_config import WebConfigWatch
from tests import plain_http

MODULE = "bench.scrape"
SERVER = "livekit.example.com"
TARGETS = 20
SERIES_BOUND_MS = 100.0
SERIES_PER_WORKER = 10
LOOK_EVERY_S = 0.2
ACCEPTS = {
    "OpenMetrics, gzip": {
        "Accept": "application/openmetrics-text;version=1.0.0",
        "Accept-Encoding": "gzip",
    },
    "text, plain": {"Accept": "text/plain;version=0.0.4", "Accept-Encoding": "identity"},
}


async def serve() -> None:
    """Serve the pages of an exporter with some targets and an empty roster, until ended."""
    settings = Settings()
    metrics = Metrics(CollectorRegistry(), SERVER)
    recorder = Recorder(metrics)
    for number in range(TARGETS):
        recorder.add("latency", LatencyConfig(agent_name=f"agent-{number}"))
    fleet = WorkerFleet(settings, metrics, AgentNames(metrics, 500))
    sources = Sources(
        metrics=metrics,
        server_name=SERVER,
        thresholds=(),
        not_healthy=lambda: "",
        not_ready=lambda: "",
        status_page=lambda _viewer: lambda: "",
        roster=fleet.roster,
    )
    refusals = Refusals(metrics)
    web = make_server(sources, lambda: settings.web, WebConfigWatch(None), refusals)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        print(listener.getsockname()[1], flush=True)
        lag = asyncio.create_task(watch_loop_lag(OwnSeries(metrics).loop_lag))
        following = asyncio.create_task(fleet.watch())
        await web.serve(sockets=[listener])
        lag.cancel()
        following.cancel()


@dataclass(slots=True)
class Beats:
    """What became of the heartbeats."""

    took_ms: list[float] = field(default_factory=list)
    failed: int = 0


@dataclass(slots=True)
class Figures:
    """What was measured."""

    scrapes_ms: dict[str, list[float]] = field(default_factory=dict)
    beats: Beats = field(default_factory=Beats)
    page_bytes: int = 0
    worker_series: int = 0
    series: int = 0
    cpu_ratio: float = 0.0
    memory_mb: float = 0.0
    lag_ms: float = 0.0
    seconds: float = 0.0

    def count(self, page: str) -> None:
        """Take what a page tells."""
        lines = [line for line in page.splitlines() if not line.startswith("#")]
        self.page_bytes = len(page)
        self.series = len(lines)
        self.worker_series = sum("worker_id=" in line for line in lines)
        lag = next(line for line in lines if line.startswith("voice_exporter_loop_lag_seconds"))
        self.lag_ms = max(self.lag_ms, float(lag.split()[-1]) * 1000)


class Fleet:
    """Sends heartbeats by hand: a client library would need more of the machine than the server."""

    def __init__(self, port: int, workers: int) -> None:
        self._port = port
        self._workers = workers
        self._sent = 0
        self.beats = Beats()

    async def fill(self) -> None:
        """Let every worker report once, some at a time."""
        for _ in range(0, self._workers, 10):
            await asyncio.gather(*(self._beat() for _ in range(10)))

    async def report(self, rate: float, seconds: float) -> None:
        """Send so many heartbeats a second, each on a connection of its own."""
        running: set[asyncio.Task[None]] = set()
        due = time.monotonic()
        until = due + seconds
        while due < until:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            task = asyncio.create_task(self._beat())
            running.add(task)
            task.add_done_callback(running.discard)
            due += 1 / rate
        await asyncio.gather(*running)

    async def _beat(self) -> None:
        body = json.dumps(self._body())
        number = self._sent % self._workers
        self._sent += 1
        began = time.monotonic()
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            writer.write(
                f"POST /api/v1/workers/AW_{number:08x}/heartbeat HTTP/1.1\r\n"
                f"Host: 127.0.0.1:{self._port}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()
            )
            self.beats.failed += b" 204 " not in await reader.readline()
            writer.close()
            await writer.wait_closed()
        except OSError:
            self.beats.failed += 1
        self.beats.took_ms.append((time.monotonic() - began) * 1000)

    def _body(self) -> dict[str, object]:
        number = self._sent % self._workers
        return {
            "agent_name": f"agent-{number % TARGETS}",
            "status": "busy" if self._sent % 3 else "idle",
            "active_jobs": self._sent % 3,
            "load": self._sent % 100 / 100,
            "memory_bytes": 500_000_000 + self._sent,
            "cpu_ratio": 0.5,
            "sdk_version": "1.8.9",
            "addresses": [f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"],
            "http_port": 8081,
        }


async def report(port: int, workers: int, rate: float, seconds: float) -> None:
    """Be the fleet, in a process of its own; prints a line when all are known, then the result."""
    fleet = Fleet(port, workers)
    await fleet.fill()
    print("filled", flush=True)
    fleet.beats = Beats()
    await fleet.report(rate, seconds)
    print(json.dumps(asdict(fleet.beats)), flush=True)


def measure(workers: int, rate: float, seconds: float) -> Figures:
    """Fill the roster, then scrape while heartbeats arrive."""
    figures = Figures()
    with running(MODULE, "--serve") as serving:
        port = int(line_of(serving))
        order = (str(port), str(workers), str(rate), str(seconds))
        with running(MODULE, "--fleet", *order) as fleet:
            line_of(fleet)
            until, url = time.monotonic() + seconds, f"http://127.0.0.1:{port}/metrics"
            wait_until_shown(url, workers, until)
            server = psutil.Process(serving.pid)
            spent, began = sum(server.cpu_times()[:2]), time.monotonic()
            scrape(figures, url, until - 1)
            figures.seconds = time.monotonic() - began
            figures.cpu_ratio = (sum(server.cpu_times()[:2]) - spent) / figures.seconds
            figures.memory_mb = server.memory_info().rss / 2**20
            figures.beats = Beats(**json.loads(line_of(fleet)))
    return figures


def wait_until_shown(url: str, workers: int, until: float) -> None:
    """Wait until the metrics have followed the roster.

    Raises:
        TimeoutError: They had not by then.
    """
    while plain_http.get(url).text.count("\nvoice_worker_load_ratio{") < workers:
        if time.monotonic() > until:
            raise TimeoutError(f"not all of {workers} workers are on {url}")
        time.sleep(LOOK_EVERY_S)


def scrape(figures: Figures, url: str, until: float) -> None:
    """Scrape each format once a second until that time."""
    with httpx.Client(timeout=30) as client:
        while time.monotonic() < until:
            for name, headers in ACCEPTS.items():
                began = time.monotonic()
                response = client.get(url, headers=headers)
                took_ms = (time.monotonic() - began) * 1000
                figures.scrapes_ms.setdefault(name, []).append(took_ms)
                figures.count(response.text)
                time.sleep(max(0.0, began + 1 / len(ACCEPTS) - time.monotonic()))


def library_ms(series: int) -> float:
    """Return what the client library takes to render as many gauges, for comparison."""
    registry = CollectorRegistry()
    metrics = Metrics(registry, SERVER, families=[ROWS["voice_workers"]])
    for number in range(series):
        metrics.set("voice_workers", number / 7, f"AW_{number:08x}", "idle")
    began = time.monotonic()
    generate_latest(registry)
    return (time.monotonic() - began) * 1000


def show(report: Report, figures: Figures, workers: int, rate: float) -> None:
    """Print one table."""
    series = workers * SERIES_PER_WORKER
    table = report.figures(f"{workers} workers, {rate:g} heartbeats/s for {figures.seconds:.0f} s")
    table.add("series on the page", 0, f"{figures.series}")
    table.check(
        "series of workers", 1, f"{figures.worker_series}", bound=f"{series}",
        holds=figures.worker_series == series,
    )  # fmt: skip
    for name, took in figures.scrapes_ms.items():
        p95 = statistics.quantiles(took, n=20)[-1]
        table.add(f"scrape p50, {name}", len(took), f"{statistics.median(took):.0f} ms")
        bound = f"< {SERIES_BOUND_MS:g} ms"
        if series <= 10_000:
            holds = p95 < SERIES_BOUND_MS
            table.check(f"scrape p95, {name}", len(took), f"{p95:.0f} ms", bound=bound, holds=holds)
        else:
            table.add(f"scrape p95, {name}", len(took), f"{p95:.0f} ms")
        table.add(f"scrape max, {name}", len(took), f"{max(took):.0f} ms")
    beats = figures.beats.took_ms
    table.add("heartbeat p50", len(beats), f"{statistics.median(beats):.1f} ms")
    table.add("heartbeat p95", len(beats), f"{statistics.quantiles(beats, n=20)[-1]:.1f} ms")
    table.check(
        "heartbeats not taken", len(beats), f"{figures.beats.failed}", bound="0",
        holds=figures.beats.failed == 0,
    )  # fmt: skip
    table.add("heartbeats a second", 0, f"{len(beats) / (figures.seconds + 3):.0f}")
    table.add("cores used", 0, f"{figures.cpu_ratio:.2f}")
    table.add("resident memory", 0, f"{figures.memory_mb:.0f} MB")
    table.add("largest lag of the loop", 0, f"{figures.lag_ms:.0f} ms")
    table.add("page", 0, f"{figures.page_bytes / 1e6:.2f} MB")
    table.show()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--fleet", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--rate", type=float, default=300.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
        return 0
    if options.fleet:
        port, workers, rate, seconds = options.fleet
        asyncio.run(report(int(port), int(workers), float(rate), float(seconds)))
        return 0
    printed = Report()
    for workers in options.workers:
        figures = measure(workers, options.rate, options.seconds)
        show(printed, figures, workers, options.rate)
    printed.say(f"the client library alone renders 10,000 gauges in {library_ms(10_000):.0f} ms")
    return 0 if printed.held else 1


if __name__ == "__main__":
    sys.exit(main())
