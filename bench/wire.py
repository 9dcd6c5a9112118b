"""Where the packets put both ends of a turn, and where the caller does.

Run by `make bench-wire` as root; prints a table, each figure with its n and the bound it is held
to, and exits 1 when a bound does not hold. Caller and agent are at the near end of the network
laboratory's link (tests/netlab), whose clock reads the packets; the agent shares no code with the
caller (tests/plain_agent.py).
"""

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

from bench.machine import machine_told
from bench.report import Report
from exporter.demo.livekit_binary import find_server
from tests.netlab.lab import NetLab, what_is_missing
from tests.netlab.livekit import livekit_behind
from tests.netlab.wire import DELAY_S, Bias, place_calls

CALLS = 16
TRIALS = 4
BOUND_MS = 5.0


def main() -> int:
    """Place the calls and print how far off each end was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS)
    calls: int = parser.parse_args().calls
    if missing := what_is_missing():
        raise SystemExit(missing)
    report, biases, floors_ms = Report(), list[Bias](), list[float]()
    with (
        machine_told(report.say),
        tempfile.TemporaryDirectory() as name,
        NetLab(limit_s=60 + 60 * calls) as lab,
        livekit_behind(lab, find_server(os.environ, report.say), Path(name)) as running,
    ):
        for found, placed in place_calls(
            lab, running.server, Path(name), calls=calls, trials=TRIALS
        ):
            biases += found
            floors_ms += [(each - DELAY_S) * 1e3 for each in placed.e2e_s]
            if placed.detail:
                report.say(placed.detail)
    _tell(report, "end of speech", [each.end_s * 1e3 for each in biases])
    _tell(report, "first sound of the reply", [each.reply_s * 1e3 for each in biases])
    report.say(f"median of e2e less the agent's delay: {statistics.median(floors_ms):.1f} ms")
    return 0 if report.held else 1


def _tell(report: Report, what: str, off_ms: list[float]) -> None:
    rows = report.figures(f"{what}: the caller less the packets")
    n, median = len(off_ms), statistics.median(off_ms)
    rows.check(
        "median",
        n,
        f"{median:+.1f} ms",
        bound=f"± {BOUND_MS:g} ms",
        holds=abs(median) <= BOUND_MS,
    )
    rows.add("mean", n, f"{statistics.fmean(off_ms):+.1f} ms")
    rows.add("least and most", n, f"{min(off_ms):+.1f} to {max(off_ms):+.1f} ms")
    rows.show()


if __name__ == "__main__":
    sys.exit(main())
