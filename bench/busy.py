"""How true calls are while the exporter is busy: a fleet reports itself, and /metrics is scraped.

Run by `make bench-busy`; prints a table and exits 1 when a bound does not hold. Calls to an agent
of known latency come first alone, then beside the fleet, from the same exporter.
"""

import argparse
import json
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.calls import Call, all_excess_ms, check_residuals, sharp_utterance
from bench.depths import Depths
from bench.endurance import Exporter, fetch, start
from bench.parts import line_of, running
from bench.report import Report
from bench.scrape import MODULE, SERIES_BOUND_MS, SERIES_PER_WORKER
from bench.stage import AGENT, truth_stage
from exporter.outcome import Turn, TurnOutcome
from tests import plain_http
from tests.integration.scripts import Script

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
class Scrapes:
    """What scrapes have shown."""

    took_ms: list[float]
    series: int
    """Of workers, on the last page."""


def runs_ended(exporter: Exporter) -> dict[str, dict[str, Any]]:
    """Return the calls that have ended, by the ids of their runs."""
    page = fetch(f"http://{exporter.address}/api/v1/runs?limit=1000&agent_name={AGENT}")
    return {run["run_id"]: run for run in json.loads(page or '{"runs": []}')["runs"]}


def calls_besides(exporter: Exporter, known: Collection[str], depths: Depths) -> list[Call]:
    """Return the calls that have ended, but for those runs; without warm-up turns."""
    calls = []
    for run_id, run in runs_ended(exporter).items():
        if run_id not in known:
            turns = [turn_of(turn) for turn in run["turns"]]
            calls.append(Call.of(DELAY_S, turns, agent_depths_s=depths.of(run_id, turns)))
    return calls


def turn_of(told: dict[str, Any]) -> Turn:
    """Return a turn as the API tells it."""
    return Turn(
        TurnOutcome(told["outcome"]),
        e2e_s=told["e2e_s"],
        jitter_buffer_s=told["jitter_buffer_s"],
        warmup=told["warmup"],
    )


@contextmanager
def fleet(exporter: Exporter, seconds: float) -> Iterator[None]:
    """Let so many workers report themselves; all are known when the block begins."""
    port = exporter.address.rpartition(":")[2]
    order = (port, str(WORKERS), str(BEATS_PER_S), str(seconds))
    with running(MODULE, "--fleet", *order) as process:
        line_of(process)
        yield


def alone(exporter: Exporter, seconds: float, depths: Depths) -> list[Call]:
    """Let calls be placed with nothing beside them."""
    known = runs_ended(exporter)
    exporter.child.wait(seconds)
    return calls_besides(exporter, known, depths)


def beside(exporter: Exporter, seconds: float, depths: Depths) -> tuple[list[Call], Scrapes]:
    """Let calls be placed beside a fleet and scrapes."""
    took_ms: list[float] = []
    page = ""
    with fleet(exporter, seconds + 60):
        known, until = runs_ended(exporter), time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.monotonic()
            page = plain_http.get(f"http://{exporter.address}/metrics").text
            took_ms.append((time.monotonic() - began) * 1e3)
            exporter.child.wait(max(0.0, began + SCRAPE_EVERY_S - time.monotonic()))
        calls = calls_besides(exporter, known, depths)
        return calls, Scrapes(took_ms, page.count("worker_id="))


def show_calls(report: Report, title: str, calls: list[Call]) -> None:
    """Print one part; the bounds are those of calls one at a time."""
    rows = report.figures(title)
    rows.add("calls", len(calls), "")
    check_residuals(rows, calls)
    turns = sum(len(call.turns) for call in calls)
    rows.add("void or failed turns", turns, str(turns - len(all_excess_ms(calls))))
    rows.show()


def show_scrapes(report: Report, scrapes: Scrapes) -> None:
    """Print what the scrapes beside those calls were like."""
    rows = report.figures("scrapes meanwhile")
    series, wanted = scrapes.series, WORKERS * SERIES_PER_WORKER
    rows.check("series of workers", 1, str(series), bound=f"≥ {wanted}", holds=series >= wanted)
    n, slow_ms = len(scrapes.took_ms), float(np.percentile(scrapes.took_ms, 95))
    bound, holds = f"< {SERIES_BOUND_MS:g} ms", slow_ms < SERIES_BOUND_MS
    rows.check("scrape p95", n, f"{slow_ms:.0f} ms", bound=bound, holds=holds)
    rows.show()


def main() -> int:
    """Measure both parts and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each part")
    seconds: float = parser.parse_args().seconds
    report = Report()
    with truth_stage(report.say) as stage:
        depths = Depths(stage.folder / "depths")
        target = {
            "agent_name": AGENT,
            "metadata": Script(delay_s=DELAY_S, depths=str(depths.file)).metadata(),
            "utterance": {"wav": str(sharp_utterance(stage.folder))},
            "interval": INTERVAL_S,
            "trials": TRIALS,
            "greeting": "none",
        }
        # The probes of the SFU would be in the way of both parts.
        off = {"sfu": OFF, "reach": OFF, "reconnect": OFF}
        exporter = start(stage.server, stage.folder, "busy", [target], **off)
        try:
            exporter.child.wait(SETTLE_S)
            quiet = alone(exporter, seconds, depths)
            busy, scrapes = beside(exporter, seconds, depths)
        finally:
            exporter.child.stop()
    show_calls(report, "calls, nothing else running", quiet)
    who = f"{WORKERS} workers, {BEATS_PER_S:.0f} heartbeats/s, a scrape each {SCRAPE_EVERY_S:g} s"
    show_calls(report, f"calls during {who}", busy)
    show_scrapes(report, scrapes)
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main())
