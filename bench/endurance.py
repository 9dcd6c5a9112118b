"""What the exporter costs: start, idle, and after some hundred real calls.

Run by `make bench-endurance`; prints a table and exits 1 when a bound does not hold.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import yaml

from bench.report import Report
from bench.stage import AGENT, livekit_stage
from exporter.demo.livekit_server import free_ports
from exporter.demo.processes import Child
from exporter.server_api import Server, ServerApi
from tests.integration.scripts import Script
from tests.integration.workers import truth_worker

MB = 1024 * 1024
CALLS = 200
WARM_CALLS = 20
"""Calls after which the main process has loaded all that it will ever load."""
LANES = 4
IDLE_S = 30.0
INTERVAL_S = 10


@dataclass(frozen=True, slots=True)
class Exporter:
    """A running `voice-exporter serve`."""

    child: Child
    address: str
    ready_after_s: float

    @property
    def main(self) -> psutil.Process:
        """Its main process."""
        return psutil.Process(self.child.pid)

    def processes(self) -> int:
        """Return how many processes it has started."""
        return len(self.main.children(recursive=True))

    def attempts(self) -> int:
        """Return how many calls have come to an end."""
        page = fetch(f"http://{self.address}/metrics") or ""
        lines = [
            line for line in page.splitlines() if line.startswith("voice_probe_attempts_total")
        ]
        return round(sum(float(line.split()[-1]) for line in lines if 'probe="latency"' in line))


def fetch(url: str) -> str | None:
    """Return a page, or None when it does not answer with 200."""
    try:
        answer = httpx.get(url, timeout=2)
    except httpx.HTTPError:
        return None
    return answer.text if answer.is_success else None


def start(
    server: Server,
    folder: Path,
    name: str,
    targets: list[dict[str, object]],
    **settings: object,
) -> Exporter:
    """Start an exporter and wait until it is ready; `settings` are further sections."""
    address = f"127.0.0.1:{free_ports().signal}"
    config = {
        "web": {"listen_address": address},
        "store": {"folder": f"{name}-state"},
        "targets": targets,
        "pool": {"processes": LANES},
        "calibrate": {"interval": "1d"},
        **settings,
    }
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    environ = os.environ | {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }
    argv = [sys.executable, "-m", "exporter", "serve", "--config", str(file)]
    began = time.monotonic()
    child = Child(name, argv, log=folder / f"{name}.log", environ=environ)
    wait_for(lambda: fetch(f"http://{address}/-/ready") is not None, 30.0, child)
    return Exporter(child, address, time.monotonic() - began)


def wait_for(condition: Callable[[], bool], limit_s: float, child: Child) -> None:
    """Wait until the condition holds.

    Raises:
        RuntimeError: It did not in time, or the program ended.
    """
    deadline = time.monotonic() + limit_s
    while not condition():
        if child.wait(0.02) or time.monotonic() > deadline:
            raise RuntimeError(f"{child.name}: not in time\n{child.tail()}")


def idle(report: Report, server: Server, folder: Path) -> None:
    """Print what an exporter without targets costs; it lists rooms each 15 s."""
    exporter = start(server, folder, "idle", [])
    try:
        exporter.child.wait(5.0)  # what belongs to the start shall not count
        before = sum(exporter.main.cpu_times()[:2])
        exporter.child.wait(IDLE_S)
        used = (sum(exporter.main.cpu_times()[:2]) - before) / IDLE_S
        resident = exporter.main.memory_info().rss / MB
    finally:
        exporter.child.stop()
    rows = report.figures("an idle exporter, main process")
    ready = exporter.ready_after_s
    rows.check("start to ready", 1, f"{ready:.2f} s", bound="< 3 s", holds=ready < 3)
    rows.check("CPU, of one core", 1, f"{used:.2%}", bound="< 2 %", holds=used < 0.02)
    rows.check("resident", 1, f"{resident:.0f} MB", bound="< 150 MB", holds=resident < 150)
    rows.show()


def many_calls(report: Report, server: Server, folder: Path, calls: int) -> None:
    """Print what some hundred calls leave behind."""
    target = {
        "agent_name": AGENT,
        "metadata": Script(delay_s=0.3).metadata(),
        "interval": INTERVAL_S,
        "trials": 1,
        "warmup": False,
        "greeting": "none",
    }
    targets = [target | {"scenario": f"lane-{number}"} for number in range(LANES)]
    exporter = start(server, folder, "busy", targets)
    try:
        limit = calls * 30.0
        wait_for(lambda: exporter.attempts() >= WARM_CALLS, limit, exporter.child)
        before, processes = exporter.main.memory_info().rss, exporter.processes()
        wait_for(lambda: exporter.attempts() >= calls, limit, exporter.child)
        growth = (exporter.main.memory_info().rss - before) / MB
        more = exporter.processes() - processes
        done = exporter.attempts()
        family = exporter.main.children(recursive=True)
        began = time.monotonic()
        exporter.child.terminate()
        exporter.child.wait(30.0)
        ended = time.monotonic() - began
    finally:
        exporter.child.stop()
    # multiprocessing's own tracker goes when it reads that its parent has gone.
    _, alive = psutil.wait_procs(family, timeout=5)
    rooms = asyncio.run(rooms_of_probes(server))
    rows = report.figures("after real calls")
    rows.check(
        "growth of the main process", done, f"{growth:+.1f} MB", bound="< 10 MB", holds=growth < 10
    )
    rows.check("more processes than before", done, f"{more:+d}", bound="0", holds=more <= 0)
    rows.check("SIGTERM to exit", 1, f"{ended:.1f} s", bound="< 10 s", holds=ended < 10)
    rows.check("processes left", done, str(len(alive)), bound="0", holds=not alive)
    rows.check("rooms left", done, str(rooms), bound="0", holds=rooms == 0)
    rows.show()


async def rooms_of_probes(server: Server) -> int:
    """Return how many rooms of probes exist."""
    async with ServerApi(server) as api:
        return sum(room.startswith("voice-exporter-") for room in await api.list_rooms())


def main() -> int:
    """Run both parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS)
    calls = parser.parse_args().calls
    report = Report()
    with livekit_stage(report.say) as stage:
        idle(report, stage.server, stage.folder)
        with truth_worker(stage.server, stage.folder, AGENT):
            many_calls(report, stage.server, stage.folder, calls)
    help_s = min(timed_help() for _ in range(5))
    rows = report.figures("the command line")
    rows.check("--help, best of five", 5, f"{help_s:.2f} s", bound="< 0.5 s", holds=help_s < 0.5)
    rows.show()
    return 0 if report.held else 1


def timed_help() -> float:
    """Return the seconds that `voice-exporter --help` takes."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "exporter", "--help"], check=True, capture_output=True)
    return time.monotonic() - began


if __name__ == "__main__":
    sys.exit(main())
