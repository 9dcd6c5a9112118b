"""What a listing of 1,000 rooms takes over a network with delay, and what many of them leave.

Run by `make bench-listing` as root; prints a table and exits 1 when a bound does not hold.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench.report import Report
from exporter.demo.livekit_binary import find_server
from exporter.probes.agents.spec import AgentsConfig
from exporter.server_api import Server
from tests.netlab.lab import NetLab, what_is_missing
from tests.netlab.livekit import credentials, livekit_behind

ROOMS = 1000
RTT_MS = 20.0
ALONE = 3
"""Listings of one request after another; each takes most of a minute."""
CYCLES = 200
CHANGE_CYCLES = 80
"""Listings by changes: 20 minutes of them."""
SETTLED_CYCLES = 40
"""Of these the first reads of all rooms, and what follows from them, are over."""
WARM_CYCLES = 20
"""Cycles after which the process has loaded all that it will ever load."""
MB = 1024 * 1024
MAX_GROWTH_MB = 5.0
LEAST_RATIO = 10.0
LIMIT_S = 3000.0


@dataclass(frozen=True, slots=True)
class Cycle:
    """One listing of all rooms."""

    duration_s: float
    rooms: int
    detail: str
    """Why it failed; "" if it did not."""
    rss_bytes: int
    """Memory of the process after it."""
    cpu_s: float
    """CPU time of the process since its start."""
    requests: int
    unread: int
    """Rooms that were never read."""
    oldest_s: float
    """Since the room was read that was read least recently."""


def run_cycles(
    lab: NetLab, server: Server, cycles: int, concurrency: int, *more: str
) -> list[Cycle]:
    """List all rooms over the link, again and again in one process."""
    options = ["--rooms", str(ROOMS), "--cycles", str(cycles), "--concurrency", str(concurrency)]
    options += more
    done = lab.client.run(
        [sys.executable, "-m", "bench.listing_cycles", *options],
        environ=os.environ | credentials(server),
        limit_s=LIMIT_S,
    )
    if done.returncode:
        raise RuntimeError(f"the listing ended with status {done.returncode}:\n{done.stderr}")
    return [Cycle(**json.loads(line)) for line in done.stdout.splitlines()]


def tell(report: Report, alone: list[Cycle], together: list[Cycle], concurrency: int) -> None:
    """Print the figures and hold them to their bounds."""
    everything = alone + together
    complete = sum(each.rooms == ROOMS for each in everything)
    warm = together[WARM_CYCLES:] or together
    slow = statistics.median(each.duration_s for each in alone)
    fast = statistics.median(each.duration_s for each in warm)
    cpu_s = (together[-1].cpu_s - together[0].cpu_s) / max(1, len(together) - 1)
    growth_mb = (warm[-1].rss_bytes - warm[0].rss_bytes) / MB
    rows = report.figures(f"{ROOMS} rooms, {RTT_MS:g} ms round trip")
    rows.add("one request after another, median", len(alone), f"{slow:.2f} s")
    rows.add(f"{concurrency} rooms at a time, median", len(warm), f"{fast:.2f} s")
    rows.add("CPU time of one listing", len(together) - 1, f"{cpu_s:.2f} s")
    rows.check(
        "how much faster",
        len(warm),
        f"{slow / fast:.1f} times",
        bound=f"≥ {LEAST_RATIO:g} times",
        holds=slow / fast >= LEAST_RATIO,
    )
    rows.check(
        "complete listings",
        len(everything),
        str(complete),
        bound="all",
        holds=complete == len(everything),
    )
    rows.add("memory after the first cycle", 1, f"{together[0].rss_bytes / MB:.1f} MB")
    rows.add("memory after the last cycle", 1, f"{together[-1].rss_bytes / MB:.1f} MB")
    rows.check(
        f"memory grown since cycle {WARM_CYCLES}",
        len(warm),
        f"{growth_mb:+.1f} MB",
        bound=f"≤ {MAX_GROWTH_MB:g} MB",
        holds=growth_mb <= MAX_GROWTH_MB,
    )
    rows.show()
    for each in everything:
        if each.detail:
            report.say(f"  a listing failed: {each.detail}")


def tell_requests(report: Report, whole: list[Cycle], changes: list[Cycle]) -> None:
    """Print how many requests listings take in a minute, of everything and by changes."""
    per_minute = 60 / AgentsConfig().interval
    allowed = AgentsConfig().requests_per_minute
    settled = changes[SETTLED_CYCLES:]
    minutes = [
        sum(each.requests for each in changes[first : first + round(per_minute)])
        for first in range(len(changes))
    ]
    rows = report.figures(f"{ROOMS} rooms, a listing each {AgentsConfig().interval:g} s")
    every = statistics.median(each.requests for each in whole) * per_minute
    rows.add("requests a minute, everything read", len(whole), f"{every:.0f}")
    by_changes = statistics.mean(each.requests for each in settled) * per_minute
    rows.add("requests a minute, by changes", len(settled), f"{by_changes:.0f}")
    rows.check(
        "most requests of four listings in a row",
        len(minutes),
        str(max(minutes)),
        bound=f"≤ {allowed}",
        holds=max(minutes) <= allowed,
    )
    rows.add(
        "listings until every room was read", 1, str(sum(bool(each.unread) for each in changes))
    )
    oldest_s = max(each.oldest_s for each in settled)
    rows.add("oldest room", len(settled), f"{oldest_s:.0f} s")
    rows.show()


def main() -> int:
    """Open the rooms, list them both ways, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=CYCLES, help="default: %(default)s")
    arguments = parser.parse_args()
    if missing := what_is_missing():
        print(missing, file=sys.stderr)
        return 2
    report = Report()
    report.say(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}"
    )
    concurrency = AgentsConfig().concurrency
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        NetLab(limit_s=2 * LIMIT_S) as lab,
        livekit_behind(lab, find_server(os.environ, report.say), Path(folder)) as running,
    ):
        lab.link.set(rtt_ms=RTT_MS)
        alone = run_cycles(lab, running.server, ALONE, concurrency=1)
        together = run_cycles(lab, running.server, arguments.cycles, concurrency)
        changes = run_cycles(lab, running.server, CHANGE_CYCLES, concurrency, "--changes")
        late_ms = max(lab.link.counts().up.late_ms_max, lab.link.counts().down.late_ms_max)
    tell(report, alone, together, concurrency)
    tell_requests(report, together, changes)
    report.say(f"the link itself was late by {late_ms:.2f} ms at worst")
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main())
