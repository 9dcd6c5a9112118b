"""How true calls are while the exporter is busy: a fleet reports itself, and /metrics is scraped.

Run by `make bench-busy`; prints a table and exits 1 when a bound does not hold. Calls to an agent
of known latency come first alone, then beside the fleet, from the same exporter.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy import p95, sharp_utterance
from bench.endurance import Exporter, fetch, start
from bench.report import Report
from bench.scrape import SERIES_BOUND_MS, SERIES_PER_WORKER, line_of, running
from exporter.demo.livekit_binary import find_server
from exporter.demo.livekit_server import LiveKitServer
from tests import plain_http
from tests.integration.scripts import Script
from tests.integration.workers import truth_worker

AGENT = "truth"
DELAY_S = 1.0
TRIALS = 4
INTERVAL_S = 30
WORKERS = 1000
BEATS_PER_S = WORKERS / 15
SCRAPE_EVERY_S = 5.0
OFF = {"enabled": False}
SETTLE_S = 60.0
"""For the calibration that comes first."""
SECONDS = 300.0
"""Of each part: ten calls."""


@dataclass(frozen=True, slots=True)
class Part:
    """What the exporter measured in one part of the bench."""

    calls: tuple[tuple[float, ...], ...]
    """Measured less true delay of each measured turn of each call, in milliseconds."""
    turns: int
    """Without the warm-up turns."""

    @property
    def excess_ms(self) -> list[float]:
        """Those of all calls."""
        return [value for call in self.calls for value in call]

    @property
    def within_ms(self) -> list[float]:
        """What each turn has over the median of its own call."""
        return [v - float(np.median(call)) for call in self.calls for v in call]


def ended_calls(exporter: Exporter) -> dict[str, dict[str, Any]]:
    """Return the calls that have ended, by the ids of their runs."""
    page = fetch(f"http://{exporter.address}/api/v1/runs?limit=1000&agent_name={AGENT}")
    return {run["run_id"]: run for run in json.loads(page or '{"runs": []}')["runs"]}


def part_of(runs: list[dict[str, Any]]) -> Part:
    """Take the turns of some calls."""
    calls, turns = [], 0
    for run in runs:
        listed = [turn for turn in run["turns"] if not turn["warmup"]]
        turns += len(listed)
        measured = [turn["e2e_s"] for turn in listed if turn["e2e_s"] is not None]
        if measured:
            calls.append(tuple((each - DELAY_S) * 1e3 for each in measured))
    return Part(tuple(calls), turns)


@contextmanager
def fleet(exporter: Exporter, seconds: float) -> Iterator[None]:
    """Let so many workers report themselves; all are known when the block begins."""
    port = exporter.address.rpartition(":")[2]
    order = (port, str(WORKERS), str(BEATS_PER_S), str(seconds))
    with running("--fleet", *order) as process:
        line_of(process)
        yield


def alone(exporter: Exporter, seconds: float) -> Part:
    """Let calls be placed with nothing beside them."""
    before = ended_calls(exporter)
    exporter.child.wait(seconds)
    return part_of([run for key, run in ended_calls(exporter).items() if key not in before])


def beside(exporter: Exporter, seconds: float) -> tuple[Part, list[float], int]:
    """Let calls be placed beside a fleet and scrapes.

    Returns:
        The calls, how long each scrape took in milliseconds, and the series of workers.
    """
    took_ms: list[float] = []
    series = 0
    with fleet(exporter, seconds + 60):
        before, until = ended_calls(exporter), time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.monotonic()
            page = plain_http.get(f"http://{exporter.address}/metrics").text
            took_ms.append((time.monotonic() - began) * 1e3)
            series = page.count("worker_id=")
            exporter.child.wait(max(0.0, began + SCRAPE_EVERY_S - time.monotonic()))
        runs = [run for key, run in ended_calls(exporter).items() if key not in before]
    return part_of(runs), took_ms, series


def show(report: Report, title: str, part: Part) -> None:
    """Print one part; the bounds are those of calls one at a time."""
    rows = report.figures(title)
    excess, n = part.excess_ms, len(part.excess_ms)
    floor = float(np.median(excess)) if excess else float("nan")
    inside, over = p95(part.within_ms), p95([value - floor for value in excess])
    rows.add("calls", len(part.calls), "")
    rows.check(
        "residual p95 within a call", n, f"{inside:.1f} ms", bound="≤ 5 ms", holds=inside <= 5
    )
    rows.check("residual p95 over calls", n, f"{over:.1f} ms", bound="≤ 15 ms", holds=over <= 15)
    rows.add("median offset (the floor)", n, f"{floor:.1f} ms")
    rows.add("void or failed turns", part.turns, str(part.turns - n))
    rows.show()


def main() -> int:
    """Measure both parts and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each part")
    seconds: float = parser.parse_args().seconds
    report = Report()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        target = {
            "agent_name": AGENT,
            "metadata": Script(delay_s=DELAY_S).metadata(),
            "utterance": {"wav": str(sharp_utterance(folder))},
            "interval": INTERVAL_S,
            "trials": TRIALS,
            "greeting": "none",
        }
        program = find_server(os.environ, report.say)
        with (
            LiveKitServer(program, folder) as livekit,
            truth_worker(livekit.server, folder, AGENT),
        ):
            # The probes of the SFU would be in the way of both parts.
            off = {"sfu": OFF, "reach": OFF, "reconnect": OFF}
            exporter = start(livekit.server, folder, "busy", [target], **off)
            try:
                exporter.child.wait(SETTLE_S)
                quiet = alone(exporter, seconds)
                busy, took_ms, series = beside(exporter, seconds)
            finally:
                exporter.child.stop()
    show(report, "calls, nothing beside them", quiet)
    title = f"calls beside {WORKERS} workers, {BEATS_PER_S:.0f} heartbeats/s"
    show(report, f"{title}, a scrape each {SCRAPE_EVERY_S:g} s", busy)
    rows = report.figures("scrapes meanwhile")
    wanted = WORKERS * SERIES_PER_WORKER
    rows.check("series of workers", 1, str(series), bound=f"≥ {wanted}", holds=series >= wanted)
    slow = float(np.percentile(took_ms, 95))
    bound = f"< {SERIES_BOUND_MS:g} ms"
    rows.check(
        "scrape p95", len(took_ms), f"{slow:.0f} ms", bound=bound, holds=slow < SERIES_BOUND_MS
    )
    rows.show()
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main())
