"""How far one exporter goes: calls at one time, targets in its configuration, workers in Redis.

Run by `make bench-scale`; prints a table for each part. A slow machine makes the times longer, and
says so: its load is printed at the end.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bench.endurance import MB, Exporter, fetch, wait_for
from bench.machine import machine_told
from bench.report import Figures, Report
from bench.stage import AGENT, livekit_stage
from exporter.demo.livekit_server import free_ports
from exporter.demo.processes import Child
from exporter.roster.types import Worker, WorkerStatus
from exporter.server_api import Server
from tests import plain_http
from tests.integration.scripts import Script
from tests.integration.workers import truth_worker
from tests.redis_server import RedisServer

PREFIX = "bench"
INTERVAL_S = 300.0
"""Of the targets that a core carries."""
VOIDS = 0.02
"""Share of void turns above which a tier did not hold."""
TRIALS = 3
LOOKS = 20
"""Requests of each kind."""
_LIMIT_S = 300.0
_SAMPLE_S = 0.5
_NOBODY = Server("ws://127.0.0.1:1", "key", "a-secret-that-nobody-uses")


class Host:
    """A running `serve` whose configuration can be changed."""

    def __init__(self, server: Server, folder: Path, **sections: object) -> None:
        """Start it; returns when it listens.

        Args:
            server: What it watches.
            folder: For its configuration, its ledger and its log.
            sections: Of its configuration.
        """
        folder.mkdir()
        self.address = f"127.0.0.1:{free_ports().signal}"
        self._file = folder / "config.yaml"
        off = {"enabled": False}
        self._base: dict[str, object] = {
            "web": {"listen_address": self.address},
            "store": {"folder": str(folder / "state")},
            "calibrate": {"interval": "1d", "calls": 1, "trials": 1},
            **dict.fromkeys(("sfu", "reach", "reconnect"), off),
        }
        self.configure(**sections)
        environ = os.environ | {
            "LIVEKIT_URL": server.url,
            "LIVEKIT_API_KEY": server.api_key,
            "LIVEKIT_API_SECRET": server.api_secret,
        }
        argv = [sys.executable, "-m", "exporter", "serve", "--config", str(self._file)]
        began = time.monotonic()
        child = Child(folder.name, argv, log=folder / "exporter.log", environ=environ)
        wait_for(lambda: fetch(self.url("/-/healthy")) is not None, _LIMIT_S, child)
        self.exporter = Exporter(child, self.address, time.monotonic() - began)

    def configure(self, **sections: object) -> None:
        """Write a configuration, which is used from the next start or reload on."""
        self._file.write_text(yaml.safe_dump(self._base | sections), encoding="utf-8")

    def url(self, path: str) -> str:
        """Return the URL of a page."""
        return f"http://{self.address}{path}"

    def reload_s(self) -> float:
        """Read the configuration anew; return how long that took, in seconds.

        Raises:
            RuntimeError: It was refused.
        """
        began = time.monotonic()
        answer = plain_http.post(self.url("/-/reload"), timeout_s=_LIMIT_S)
        if not answer.is_success:
            raise RuntimeError(f"reload: {answer.text.strip()}")
        return time.monotonic() - began

    def looks(self, path: str) -> tuple[list[float], int]:
        """Ask for a page again and again; return the milliseconds, and the bytes of the page."""
        took, size = [], 0
        for _ in range(LOOKS):
            began = time.monotonic()
            answer = plain_http.get(self.url(path), timeout_s=_LIMIT_S)
            took.append((time.monotonic() - began) * 1000)
            answer.raise_for_status()
            size = len(answer.content)
        return took, size

    def sum(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of a series whose labels have these values."""
        return sum(self.values(name, **labels))

    def values(self, name: str, **labels: str) -> list[float]:
        """Return the samples of a series whose labels have these values."""
        page = plain_http.get(self.url("/metrics"), timeout_s=_LIMIT_S).text
        return [
            sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]


@contextmanager
def host(server: Server, folder: Path, **sections: object) -> Iterator[Host]:
    """Run an exporter until the block ends."""
    found = Host(server, folder, **sections)
    try:
        yield found
    finally:
        found.exporter.child.stop()


def targets_of(count: int, **more: object) -> list[dict[str, object]]:
    """Return targets that are called once a day."""
    return [{"agent_name": f"agent-{place}", "interval": "1d", **more} for place in range(count)]


def configuration(report: Report, folder: Path, count: int) -> None:
    """Print what many targets in the configuration cost: start, reload, pages, memory."""
    with host(_NOBODY, folder / "none") as empty:
        start_s, bare = empty.exporter.ready_after_s, empty.exporter.main.memory_info().rss
    rows = report.figures(f"{count} targets in the configuration, called once a day")
    rows.add("start to listening, without targets", 1, f"{start_s:.2f} s")
    with host(_NOBODY, folder / "many", targets=targets_of(count)) as many:
        rows.add("start to listening", 1, f"{many.exporter.ready_after_s:.2f} s")
        rows.add("first page", 1, f"{many.looks('/metrics')[0][0]:.0f} ms")
        memory = (many.exporter.main.memory_info().rss - bare) / count
        rows.add("memory of a target", 1, f"{memory / 1000:.1f} kB")
        rows.add("reload, nothing changed", 1, f"{many.reload_s():.2f} s")
        many.configure(targets=[*targets_of(count - 1), *targets_of(1, call_type="new")])
        rows.add("reload, one target changed", 1, f"{many.reload_s():.2f} s")
        many.configure(targets=targets_of(count, target_ms=1234))
        rows.add("reload, all targets changed", 1, f"{many.reload_s():.2f} s")
        pages(rows, many, ("/metrics", "/", "/api/v1/targets"))
        many.configure()
        rows.add("reload, all targets gone", 1, f"{many.reload_s():.2f} s")
        rows.add("largest lag of the loop", 1, f"{lag_ms(many):.0f} ms")
    rows.show()


def workers(report: Report, folder: Path, count: int) -> None:
    """Print what a roster in Redis costs: start, and the pages that show it."""
    with RedisServer(folder / "redis") as redis:
        store = redis.opener(PREFIX)()
        now = time.time()
        store.save_workers(
            [
                Worker(
                    f"AW_{place:08x}",
                    f"agent-{place % 20}",
                    WorkerStatus.IDLE,
                    active_jobs=0,
                    load=place % 100 / 100,
                    memory_bytes=500_000_000 + place,
                    cpu_ratio=0.5,
                    sdk_version="1.8.9",
                    addresses=(f"10.{place >> 16}.{place >> 8 & 255}.{place & 255}",),
                    http_port=8081,
                    last_heartbeat=now,
                )
                for place in range(count)
            ]
        )
        store.close()
        file = folder / "redis-url"
        file.write_text(redis.url, encoding="utf-8")
        file.chmod(0o600)
        ledger = {"folder": str(folder / "state"), "redis": {"url_file": str(file)}}
        ledger["redis"] |= {"prefix": PREFIX}  # type: ignore[operator] # of two kinds
        limits = {"max_workers": count, "offline_after": "1h", "forget_after": "2h"}
        with host(_NOBODY, folder / "fleet", store=ledger, workers=limits) as fleet:
            rows = report.figures(f"{count} workers, read from Redis")
            rows.add("start to listening", 1, f"{fleet.exporter.ready_after_s:.2f} s")
            shown = len(fleet.values("voice_worker_load_ratio"))
            rows.check("workers on /metrics", 1, f"{shown}", bound=f"{count}", holds=shown == count)
            pages(rows, fleet, ("/metrics", "/api/v1/workers", "/api/v1/runs", "/"))
            memory = fleet.exporter.main.memory_info().rss / MB
            rows.add("resident", 1, f"{memory:.0f} MB")
            rows.add("largest lag of the loop", 1, f"{lag_ms(fleet):.0f} ms")
    rows.show()


def pages(rows: Figures, exporter: Host, paths: Sequence[str]) -> None:
    """Add how long pages take, each over a connection of its own."""
    for path in paths:
        took, size = exporter.looks(path)
        middle, late = statistics.median(took), statistics.quantiles(took, n=20)[-1]
        text = f"p50 {middle:.0f} ms, p95 {late:.0f} ms, {size / 1e6:.2f} MB"
        rows.add(f"GET {path}", len(took), text)


def lag_ms(exporter: Host) -> float:
    """Return the largest lag of the main loop since the last look, in milliseconds."""
    return 1000 * max(exporter.values("voice_exporter_loop_lag_seconds"))


def calls(report: Report, folder: Path, tiers: Sequence[int], each: int) -> None:
    """Print how many calls at one time a core carries, and so how many targets."""
    table = report.table(
        f"calls at one time, on {os.cpu_count()} cores",
        *("calls", "turns", "void", "lag p95", "lag max", "CPU of a call", "a call takes"),
        "targets per core",
    )
    held = 0.0
    with (
        livekit_stage(report.say) as stage,
        truth_worker(stage.server, stage.folder, AGENT, idle=max(tiers)),
    ):
        for tier in tiers:
            tier_found = Tier(stage.server, folder / f"tier-{tier}", tier, each)
            table.add_row(*tier_found.row())
            report.say(" ".join(tier_found.row()))
            if tier_found.voids > VOIDS:
                break
            held = tier_found.targets_per_core
    report.console.print(table)
    report.say(
        f"{held:.1f} targets per core at an interval of {INTERVAL_S:.0f} s, with the agent and the "
        f"server on the same cores"
    )


class Tier:
    """So many calls at one time, one after the other in each process."""

    def __init__(self, server: Server, folder: Path, calls: int, each: int) -> None:
        """Call, and take the figures.

        Args:
            server: Where the agent is.
            folder: Of the exporter.
            calls: At one time.
            each: How many a process makes.
        """
        self.calls = calls
        target = {
            "agent_name": AGENT,
            "metadata": Script(delay_s=1.0).metadata(),
            "interval": 10,
            "trials": TRIALS,
            "greeting": "none",
            "budget": {"turns_per_day": None},
        }
        targets = [target | {"scenario": f"lane-{place}"} for place in range(calls)]
        with host(server, folder, targets=targets, pool={"processes": calls}) as exporter:
            child = exporter.exporter.child
            wait_for(lambda: self._ended(exporter) >= calls, _LIMIT_S, child)  # all are warm
            before, void_before = self._turns(exporter)
            began, cpu = time.monotonic(), cpu_s(exporter)
            ended = self._ended(exporter)
            lags: list[float] = []

            def enough() -> bool:
                lags.extend(exporter.values("voice_probe_loop_lag_seconds", probe="latency"))
                return self._ended(exporter) >= ended + calls * each

            wait_for(enough, _LIMIT_S * each, child)
            done = self._ended(exporter) - ended
            took_s = time.monotonic() - began
            self.cpu_s = (cpu_s(exporter) - cpu) / done
            after, void_after = self._turns(exporter)
            self.turns = round(after - before)
            self.voids = (void_after - void_before) / max(1, self.turns)
            self.call_s = took_s * calls / done
            self.lags_s = sorted(lags)

    @property
    def targets_per_core(self) -> float:
        """How many targets keep that many calls going, of each core of this host."""
        return self.calls * INTERVAL_S / self.call_s / (os.cpu_count() or 1)

    def row(self) -> tuple[str, ...]:
        """Return the row of the table."""
        late = statistics.quantiles(self.lags_s, n=20)[-1] if len(self.lags_s) > 1 else 0.0
        return (
            f"{self.calls}",
            f"{self.turns}",
            f"{self.voids:.1%}",
            f"{late * 1000:.0f} ms",
            f"{max(self.lags_s, default=0.0) * 1000:.0f} ms",
            f"{self.cpu_s:.1f} s",
            f"{self.call_s:.1f} s",
            f"{self.targets_per_core:.1f}",
        )

    def _ended(self, exporter: Host) -> float:
        return exporter.sum("voice_probe_attempts_total", probe="latency")

    def _turns(self, exporter: Host) -> tuple[float, float]:
        return (
            exporter.sum("voice_turns_total"),
            exporter.sum("voice_turns_total", outcome="void"),
        )


def cpu_s(exporter: Host) -> float:
    """Return the CPU seconds of all its processes until now."""
    main = exporter.exporter.main
    total = 0.0
    for each in (main, *main.children(recursive=True)):
        try:
            total += sum(each.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    return total


def main() -> int:
    """Run the parts that are asked for."""
    parts: dict[str, Callable[[Report, Path], None]] = {
        "targets": lambda report, folder: configuration(report, folder, options.targets),
        "workers": lambda report, folder: workers(report, folder, options.workers),
        "calls": lambda report, folder: calls(report, folder, options.calls, options.each),
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=parts, action="append", help="default: all")
    parser.add_argument("--targets", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=10_000)
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--each", type=int, default=10, help="calls of a process in each tier")
    options = parser.parse_args()
    report = Report()
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
        stack.enter_context(machine_told(report.say))
        for part in options.part or parts:
            folder = Path(name) / part
            folder.mkdir()
            parts[part](report, folder)
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main())
