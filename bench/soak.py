"""Whether baselines of the SFU leave anything behind: half an hour of them, one every 15 s.

Run by `make bench-soak`; prints a table and exits 1 when a bound does not hold.
"""

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.endurance import MB, Exporter, fetch, rooms_of_probes, start
from bench.report import Report
from bench.stage import livekit_stage
from exporter.server_api import Server

INTERVAL_S = 15
MINUTES = 30.0
LOOK_EVERY_S = 5.0
WARM_UP = 0.2
"""Share of the looks after which everything that will ever be loaded has been."""
_COMPARED = 0.2
"""Share of the looks that is the beginning, and the end."""


@dataclass(frozen=True, slots=True)
class Look:
    """What the exporter has at one moment, its processes together."""

    processes: int
    descriptors: int
    main_mb: float
    """Resident memory of the main process."""
    family_mb: float
    """Of all of them: what two share counts twice."""
    rooms: int
    """Of probes on the server, that of a baseline under way among them."""

    @classmethod
    def at(cls, exporter: Exporter, server: Server) -> "Look":
        """Look now."""
        main = exporter.main
        family = [main, *main.children(recursive=True)]
        resident = [_resident_mb(each) for each in family]
        return cls(
            processes=len(family),
            descriptors=sum(map(_descriptors, family)),
            main_mb=resident[0],
            family_mb=sum(resident),
            rooms=asyncio.run(rooms_of_probes(server)),
        )


def _resident_mb(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss) / MB
    except psutil.NoSuchProcess:
        return 0.0


def _descriptors(process: psutil.Process) -> int:
    try:
        return int(process.num_fds())
    except psutil.NoSuchProcess:
        return 0


def growth(looks: Sequence[Look], figure: Callable[[Look], float]) -> float:
    """Return what the median of the last looks has over that of the first after the warm-up.

    Medians, for a look may meet a baseline under way, or a process that has just been replaced.
    """
    warm = looks[int(len(looks) * WARM_UP) :]
    count = max(1, int(len(looks) * _COMPARED))
    first, last = ([figure(each) for each in part] for part in (warm[:count], warm[-count:]))
    return statistics.median(last) - statistics.median(first)


def baselines(exporter: Exporter, verdict: str = "") -> int:
    """Return how many baselines have come to an end; with a name, how many of these failed."""
    name = verdict or "voice_probe_attempts_total"
    page = fetch(f"http://{exporter.address}/metrics") or ""
    lines = [line for line in page.splitlines() if line.startswith(name) and 'probe="sfu"' in line]
    return round(sum(float(line.split()[-1]) for line in lines))


def soak(report: Report, server: Server, folder: Path, minutes: float) -> None:
    """Let baselines run for so long, and compare the end with the beginning."""
    os.environ["VOICE_EXPORTER_SFU__INTERVAL"] = f"{INTERVAL_S}s"
    exporter = start(server, folder, "soak", [])
    looks: list[Look] = []
    try:
        ends = time.monotonic() + minutes * 60
        while time.monotonic() < ends and not exporter.child.wait(LOOK_EVERY_S):
            looks.append(Look.at(exporter, server))
        done = baselines(exporter)
        failed = baselines(exporter, "voice_probe_failures_total")
    finally:
        exporter.child.stop()
    rows = report.figures(f"{minutes:g} minutes of baselines, one every {INTERVAL_S} s")
    due = int(minutes * 60 / INTERVAL_S)
    rows.check("baselines", done, f"{done} of {due}", bound="90 %", holds=done >= 0.9 * due)
    rows.add("    that failed", done, str(failed))
    for what, figure, unit, most in (
        ("processes", lambda look: look.processes, "", 0.0),
        ("descriptors", lambda look: look.descriptors, "", 4.0),
        ("main process, resident", lambda look: look.main_mb, " MB", 10.0),
        ("all processes, resident", lambda look: look.family_mb, " MB", 40.0),
        ("rooms of probes", lambda look: look.rooms, "", 0.0),
    ):
        more = growth(looks, figure)
        text = f"{more:+.1f}{unit} from {statistics.median(map(figure, looks)):.1f}"
        rows.check(f"growth: {what}", len(looks), text, bound=f"{most:g}{unit}", holds=more <= most)
    left = asyncio.run(rooms_of_probes(server))
    rows.check("rooms left", done, str(left), bound="0", holds=left == 0)
    rows.show()


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    minutes = parser.parse_args().minutes
    report = Report()
    with livekit_stage(report.say) as stage:
        soak(report, stage.server, stage.folder, minutes)
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main())
