"""What one exporter takes of its host with the processes of its probes: memory and CPU.

Run as `python -m bench.footprint`; prints a table. Memory is the proportional set size, so that
what processes share counts once. CPU is the time that all of them used, over the calls that ended
meanwhile; it is of the work and not of the clock, so it holds on a busy machine as well.
"""

import argparse
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import yaml

from bench.endurance import MB, Exporter, wait_for
from bench.report import Report
from bench.stage import AGENT, truth_stage
from exporter.demo.livekit_server import free_ports
from exporter.demo.processes import Child
from exporter.server_api import Server
from tests.integration.scripts import Script

LANES = 2
"""As `pool.processes` has at least by default."""
CALLS = 12
"""Fewer than after which a process is replaced, with what it has used."""
IDLE_S = 30.0
TRIALS = 3
INTERVAL_S = 10
_LIMIT_S = 600.0
_SAMPLE_S = 0.5


@dataclass(slots=True)
class Use:
    """What the processes of an exporter used while someone watched."""

    exporter: Exporter
    largest: float = 0.0
    """Bytes of all of them together, at most."""
    processes: int = 0
    """How many there were at most."""
    began: float = field(default_factory=time.monotonic)
    cpu_s: float = 0.0
    _before_s: float = 0.0

    def __post_init__(self) -> None:
        self._before_s = self._cpu()

    def sample(self) -> None:
        """Look at them once."""
        family = self._family()
        self.largest = max(self.largest, sum(_pss(each) for each in family))
        self.processes = max(self.processes, len(family))
        self.cpu_s = self._cpu() - self._before_s

    @property
    def seconds(self) -> float:
        """How long it has been watched."""
        return time.monotonic() - self.began

    def _family(self) -> list[psutil.Process]:
        main = self.exporter.main
        return [main, *main.children(recursive=True)]

    def _cpu(self) -> float:
        return sum(sum(each.cpu_times()[:2]) for each in self._family())


def _pss(process: psutil.Process) -> float:
    try:
        return float(process.memory_full_info().pss)
    except psutil.NoSuchProcess:
        return 0.0


def start(server: Server, folder: Path, targets: int) -> Exporter:
    """Start an exporter that does nothing but call its targets, and list and calibrate once."""
    address = f"127.0.0.1:{free_ports().signal}"
    target = {
        "agent_name": AGENT,
        "metadata": Script(delay_s=1.0).metadata(),
        "interval": INTERVAL_S,
        "trials": TRIALS,
        "greeting": "none",
    }
    off = {"enabled": False}
    config = {
        "web": {"listen_address": address},
        "store": {"folder": f"state-{targets}"},
        "targets": [target | {"scenario": f"lane-{number}"} for number in range(targets)],
        "pool": {"processes": LANES},
        "calibrate": {"interval": "1d", "calls": 1, "trials": 1},
        "sfu": off,
        "reach": off,
        "reconnect": off,
    }
    file = folder / f"{targets}.yaml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    environ = os.environ | {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }
    argv = [sys.executable, "-m", "exporter", "serve", "--config", str(file)]
    child = Child(f"{targets}-targets", argv, log=folder / f"{targets}.log", environ=environ)
    exporter = Exporter(child, address, 0.0)
    wait_for(lambda: exporter.attempts() >= targets, _LIMIT_S, child)  # warm, and calibrated soon
    return exporter


def main() -> int:
    """Watch an exporter that idles, and one that calls as fast as it may."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    report = Report()
    with truth_stage(report.say) as stage:
        idle(report, start(stage.server, stage.folder, 0))
        calling(report, start(stage.server, stage.folder, LANES))
    return 0


def idle(report: Report, exporter: Exporter) -> None:
    """Print what an exporter without targets takes, once its only calibration is over."""
    try:
        exporter.child.wait(45.0)
        use = Use(exporter)
        while use.seconds < IDLE_S:
            use.sample()
            exporter.child.wait(_SAMPLE_S)
    finally:
        exporter.child.stop()
    rows = report.figures("without targets: a listing each 15 s")
    rows.add("processes", 1, str(use.processes))
    rows.add("memory of all of them, at most (PSS)", 1, f"{use.largest / MB:.0f} MB")
    rows.add("CPU of all of them, of one core", 1, f"{use.cpu_s / use.seconds:.1%}")
    rows.show()


def calling(report: Report, exporter: Exporter) -> None:
    """Print what calls take, as many at a time as there are processes for them."""
    try:
        before = exporter.attempts()
        use = Use(exporter)
        while exporter.attempts() < before + CALLS and use.seconds < _LIMIT_S:
            use.sample()
            exporter.child.wait(_SAMPLE_S)
        use.sample()
        calls = exporter.attempts() - before
    finally:
        exporter.child.stop()
    rows = report.figures(f"{LANES} calls at a time, of {TRIALS + 1} turns")
    rows.add("processes", calls, str(use.processes))
    rows.add("memory of all of them, at most (PSS)", calls, f"{use.largest / MB:.0f} MB")
    rows.add("CPU of a call, of all processes", calls, f"{use.cpu_s / calls:.1f} core seconds")
    rows.add("calls ended in", calls, f"{use.seconds:.0f} s")
    rows.show()


if __name__ == "__main__":
    sys.exit(main())
