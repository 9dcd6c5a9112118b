"""From a cause to the page, again and again: how long it takes until someone is told.

Run by `make bench-paging`; prints a table and exits 1 when a run fails or a bound does not hold.
Each run has a site of its own; what differs from the examples in alerts/ is in `tests.paging`.
"""

import argparse
import os
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from bench.report import Report
from exporter.demo.livekit_binary import find_server
from exporter.demo.livekit_server import LiveKitServer
from tests.monitoring.services import missing_programs
from tests.paging.scene import INTERVAL_S, demo_site
from tests.paging.steps import DEAD_AGENT, INTERVALS, STEPS, Timing

_BOUND_S = INTERVALS * INTERVAL_S


def main() -> int:
    """Run the bench and return the exit status."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=5)
    runs: int = options.parse_args().runs
    report = Report()
    if missing := missing_programs():
        report.say(missing)
        return 1
    program = find_server(os.environ, report.say)
    timings: defaultdict[str, list[float]] = defaultdict(list)
    passed = 0
    for number in range(1, runs + 1):
        with tempfile.TemporaryDirectory(prefix="bench-") as name:
            folder = Path(name)
            with LiveKitServer(program, folder) as livekit:
                try:
                    measured = _run(livekit, folder)
                except (AssertionError, TimeoutError, RuntimeError) as error:
                    report.say(f"run {number} failed: {error}")
                    continue
        passed += 1
        for each in measured:
            timings[each.what].append(each.seconds)
        report.say(f"run {number}: " + "; ".join(map(str, measured)))
    _show(report, timings, passed, runs)
    return 0 if report.held else 1


def _run(livekit: LiveKitServer, folder: Path) -> list[Timing]:
    with demo_site(livekit.server, folder) as scene:
        return [timing for step in STEPS for timing in step(scene)]


def _show(report: Report, timings: dict[str, list[float]], passed: int, runs: int) -> None:
    figures = report.figures("from cause to page")
    for what, values in timings.items():
        ordered = sorted(values)
        middle = ordered[len(ordered) // 2]
        text = f"{ordered[0]:.1f} / {middle:.1f} / {ordered[-1]:.1f} s"
        if what == DEAD_AGENT:
            bound = f"<= {INTERVALS} intervals, {_BOUND_S:g} s"
            held = ordered[-1] <= _BOUND_S
            figures.check(what, len(values), text, bound=bound, holds=held)
        else:
            figures.add(what, len(values), text)
    figures.check("runs that passed", runs, str(passed), bound="all", holds=passed == runs)
    report.say("least / median / most")
    figures.show()


if __name__ == "__main__":
    sys.exit(main())
