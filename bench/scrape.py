"""How fast /metrics answers with thousands of worker series, while workers report themselves.

Run by `make bench-scrape`; prints a table and exits 1 when a bound does not hold. The exporter's
own web server runs in a process of its own, with its gate, the roster and the metrics of a fleet;
scrapes and heartbeats come over HTTP, each heartbeat on a connection of its own, as from workers.
"""

import argparse
import asyncio
import socket
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field

import httpx
import psutil

from bench.report import Report
from exporter.config.settings import Settings
from exporter.metrics.exposition import PageRegistry, choose_encoder
from exporter.metrics.loop_lag import watch_loop_lag
from exporter.metrics.recorder import Recorder
from exporter.metrics.registry import Metrics
from exporter.metrics.table import TABLE
from exporter.probes.latency import LatencyConfig
from exporter.run.fleet import Fleet
from exporter.web.app import make_server
from exporter.web.refusals import Refusals
from exporter.web.sources import Sources
from exporter.web.web_config import WebConfigWatch

SERVER = "livekit.example.com"
TARGETS = 20
SERIES_BOUND_MS = 100.0
SERIES_PER_WORKER = 10
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
    registry = PageRegistry()
    metrics = Metrics(registry, SERVER)
    recorder = Recorder(metrics, stuck_after_s=30)
    for number in range(TARGETS):
        recorder.add_target(LatencyConfig(agent_name=f"agent-{number}"))
    fleet = Fleet(settings, metrics, registry, SERVER)
    sources = Sources(
        registry=registry,
        server_name=SERVER,
        thresholds=(),
        not_healthy=lambda: "",
        not_ready=lambda: "",
        status_page=lambda: "",
        roster=fleet.roster,
    )
    refusals = Refusals(metrics)
    web = make_server(sources, lambda: settings.web, WebConfigWatch(None), refusals)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        print(listener.getsockname()[1], flush=True)
        lag = asyncio.create_task(watch_loop_lag(recorder.loop_lag))
        following = asyncio.create_task(fleet.watch())
        await web.serve(sockets=[listener])
        lag.cancel()
        following.cancel()


@dataclass
class Figures:
    """What was measured."""

    scrapes_ms: dict[str, list[float]] = field(default_factory=dict)
    beats_ms: list[float] = field(default_factory=list)
    failed: int = 0
    page_bytes: int = 0
    worker_series: int = 0
    series: int = 0
    cpu_ratio: float = 0.0
    memory_mb: float = 0.0
    lag_ms: float = 0.0
    seconds: float = 0.0


class Load:
    """Sends heartbeats of a fleet, and scrapes."""

    def __init__(self, url: str, workers: int, rate: float) -> None:
        self._url = url
        self._workers = workers
        self._rate = rate
        self._next = 0
        self.figures = Figures()

    async def fill(self) -> None:
        """Let every worker report once."""
        async with httpx.AsyncClient() as client:
            for _ in range(self._workers):
                await self._beat(client)
        self.figures.beats_ms.clear()

    async def report(self, until: float) -> None:
        """Send heartbeats at the rate, each on a new connection, until that time."""
        limits = httpx.Limits(max_keepalive_connections=0)
        running: set[asyncio.Task[None]] = set()
        async with httpx.AsyncClient(limits=limits) as client:
            due = time.monotonic()
            while due < until:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                task = asyncio.create_task(self._beat(client))
                running.add(task)
                task.add_done_callback(running.discard)
                due += 1 / self._rate
            await asyncio.gather(*running)

    async def scrape(self, until: float) -> None:
        """Scrape each format once a second until that time."""
        async with httpx.AsyncClient(timeout=30) as client:
            while time.monotonic() < until:
                for name, headers in ACCEPTS.items():
                    began = time.monotonic()
                    response = await client.get(f"{self._url}/metrics", headers=headers)
                    took_ms = (time.monotonic() - began) * 1000
                    self.figures.scrapes_ms.setdefault(name, []).append(took_ms)
                    self._count(response.text)
                    await asyncio.sleep(max(0.0, 1 / len(ACCEPTS) - took_ms / 1000))

    def _count(self, page: str) -> None:
        lines = [line for line in page.splitlines() if not line.startswith("#")]
        self.figures.page_bytes = len(page)
        self.figures.series = len(lines)
        self.figures.worker_series = sum("worker_id=" in line for line in lines)
        lag = next(line for line in lines if line.startswith("voice_exporter_loop_lag_seconds"))
        self.figures.lag_ms = max(self.figures.lag_ms, float(lag.split()[-1]) * 1000)

    async def _beat(self, client: httpx.AsyncClient) -> None:
        number, self._next = self._next % self._workers, self._next + 1
        body = {
            "agent_name": f"agent-{number % TARGETS}",
            "status": "busy" if self._next % 3 else "idle",
            "active_jobs": self._next % 3,
            "load": self._next % 100 / 100,
            "memory_bytes": 500_000_000 + self._next,
            "cpu_ratio": 0.5,
            "sdk_version": "1.8.9",
            "addresses": [f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"],
            "http_port": 8081,
        }
        began = time.monotonic()
        url = f"{self._url}/api/v1/workers/AW_{number:08x}/heartbeat"
        try:
            answer = await client.post(url, json=body)
            self.figures.failed += answer.status_code != httpx.codes.NO_CONTENT
        except httpx.HTTPError:
            self.figures.failed += 1
        self.figures.beats_ms.append((time.monotonic() - began) * 1000)


async def measure(workers: int, rate: float, seconds: float) -> Figures:
    """Fill the roster, then scrape while heartbeats arrive."""
    argv = [sys.executable, "-m", "bench.scrape", "--serve"]
    process = await asyncio.to_thread(subprocess.Popen, argv, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None  # noqa: S101 - for the type checker
        url = f"http://127.0.0.1:{int(process.stdout.readline())}"
        load = Load(url, workers, rate)
        await load.fill()
        await asyncio.sleep(2)  # until the roster's metrics have followed
        server = psutil.Process(process.pid)
        spent, began = sum(server.cpu_times()[:2]), time.monotonic()
        until = began + seconds
        await asyncio.gather(load.report(until), load.scrape(until))
        figures = load.figures
        figures.seconds = time.monotonic() - began
        figures.cpu_ratio = (sum(server.cpu_times()[:2]) - spent) / figures.seconds
        figures.memory_mb = server.memory_info().rss / 2**20
        return figures
    finally:
        process.terminate()
        process.wait()


def library_ms(series: int) -> float:
    """Return what the client library takes to render as many gauges, for comparison."""
    registry = PageRegistry()
    metrics = Metrics(registry, SERVER, rows=[row for row in TABLE if row.name == "voice_workers"])
    for number in range(series):
        metrics.set("voice_workers", number / 7, f"AW_{number:08x}", "idle")
    encode, _ = choose_encoder(ACCEPTS["text, plain"]["Accept"])
    began = time.monotonic()
    encode(registry)
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
    beats = figures.beats_ms
    table.add("heartbeat p50", len(beats), f"{statistics.median(beats):.1f} ms")
    table.add("heartbeat p95", len(beats), f"{statistics.quantiles(beats, n=20)[-1]:.1f} ms")
    table.check(
        "heartbeats not taken", len(beats), f"{figures.failed}", bound="0",
        holds=figures.failed == 0,
    )  # fmt: skip
    table.add("heartbeats a second", 0, f"{len(beats) / figures.seconds:.0f}")
    table.add("cores used", 0, f"{figures.cpu_ratio:.2f}")
    table.add("resident memory", 0, f"{figures.memory_mb:.0f} MB")
    table.add("largest lag of the loop", 0, f"{figures.lag_ms:.0f} ms")
    table.add("page", 0, f"{figures.page_bytes / 1e6:.2f} MB")
    table.show()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--rate", type=float, default=300.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
        return 0
    report = Report()
    for workers in options.workers:
        show(report, asyncio.run(measure(workers, options.rate, options.seconds)), workers,
             options.rate)  # fmt: skip
    report.say(f"the client library alone renders 10,000 gauges in {library_ms(10_000):.0f} ms")
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main())
