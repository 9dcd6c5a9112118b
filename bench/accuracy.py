"""How true the measured latencies are: against agents whose latency is known exactly.

Run by `make bench-accuracy`; prints tables, each figure with its n and the bound it is held to,
and exits 1 when a bound does not hold. All processes run on this machine, over loopback.
"""

import argparse
import asyncio
import json
import math
import os
import platform
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from bench.calls import (
    Call,
    all_excess_ms,
    check_residuals,
    less_median,
    p95,
    place,
    sharp_utterance,
)
from bench.components import split
from bench.plain import plain_calls, tell_plain
from bench.report import Figures, Report
from bench.side_by_side import side_by_side
from bench.stage import truth_stage
from bench.together import share, tell_shared
from exporter.outcome import Calibration, Outcome
from exporter.probes.calibrate.spec import CalibrateConfig
from exporter.run.runner import Runner
from exporter.server_api import Server

DELAYS_S = (0.3, 0.5, 0.8, 1.2, 1.6, 2.0, 3.0, 4.0)
CALLS_EACH = 2
PARTS = ("single", "plain", "many", "voicegateway", "split")
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Single:
    """What calls one at a time have shown."""

    calls: list[Call]
    calibration: Outcome
    shipped: list[Call]
    """The same with the utterance that ships, whose end fades."""


async def one_at_a_time(server: Server, wav: Path) -> Single:
    """Place calls for each delay, one after another, and calibrate between them."""
    runner = Runner(server, processes=1)
    try:
        calls = [await place(runner, delay, wav) for delay in DELAYS_S]
        calibration = await runner.run("calibrate", CalibrateConfig())
        for _ in range(CALLS_EACH - 1):
            calls += [await place(runner, delay, wav) for delay in DELAYS_S]
        shipped = [await place(runner, delay, None) for delay in DELAYS_S[:5]]
        return Single(calls, calibration, shipped)
    finally:
        await runner.aclose()


async def many_at_once(server: Server, wav: Path, delay_s: float = 1.0) -> list[Call]:
    """Place calls at the same time, each in a process of its own.

    A short round before brings the processes up, as in a daemon that has been running: to start
    eight takes both cores for longer than a turn.
    """
    runner = Runner(server, processes=AT_ONCE)
    try:
        for trials in (1, 6):
            runs = [place(runner, delay_s, wav, trials=trials) for _ in range(AT_ONCE)]
            calls = list(await asyncio.gather(*runs))
        return calls
    finally:
        await runner.aclose()


def tell_single(report: Report, single: Single) -> float:
    """Print the accuracy of calls one at a time; return their median offset in ms."""
    calls = single.calls
    excess = all_excess_ms(calls)
    delays = [call.delay_s for call in calls for _ in call.excess_ms]
    measured = [d + v / 1e3 for d, v in zip(delays, excess, strict=True)]
    slope = float(np.polyfit(delays, measured, 1)[0]) if excess else math.nan
    shipped = all_excess_ms(single.shipped)
    n, turns = len(excess), sum(len(call.turns) for call in calls)
    rows = report.figures("calls one at a time")
    rows.check(
        "slope of measured over true delay",
        n,
        f"{slope:.4f}",
        bound="1.000 ± 0.005",
        holds=abs(slope - 1) <= 0.005,
    )
    floor = check_residuals(rows, calls)
    rows.check(
        "measured turns",
        n,
        f"in {len(calls)} calls",
        bound="≥ 40 in ≥ 8",
        holds=n >= 40 and len(calls) >= 8,
    )
    check_calibration(rows, single.calibration, floor)
    rows.add("the same, with the clip that ships", len(shipped), f"{np.median(shipped):.1f} ms")
    rows.add("void or failed turns", turns, str(turns - n))
    rows.show()
    tell_each(report, calls)
    return floor


def check_calibration(rows: Figures, calibration: Outcome, floor_ms: float) -> None:
    """Hold what `calibrate` says against the median offset of the calls around it."""
    if isinstance(calibration.result, Calibration):
        told = calibration.result
        off = told.floor_s * 1e3 - floor_ms
        rows.check(
            "calibrate less the median offset",
            told.n,
            f"{off:+.1f} ms",
            bound="± 10 ms",
            holds=abs(off) <= 10,
        )
    else:
        why = f"{calibration.reason}: {calibration.detail}"
        rows.check("calibrate", 0, why, bound="a floor", holds=False)


def tell_each(report: Report, calls: list[Call]) -> None:
    """Print one row for each call."""
    table = report.table("each call", "delay", "n", "median offset", "spread", "jitter buffer")
    for call in calls:
        depths = [t.jitter_buffer_s * 1e3 for t in call.turns if t.jitter_buffer_s is not None]
        table.add_row(
            f"{call.delay_s:g} s",
            str(len(call.excess_ms)),
            f"{np.median(call.excess_ms):.1f} ms" if call.excess_ms else call.detail,
            f"{np.ptp(call.excess_ms):.1f} ms" if call.excess_ms else "",
            f"{np.median(depths):.0f} ms" if depths else "",
        )
    report.console.print(table)


def save(file: Path, single: Single) -> None:
    """Keep the figures of calls one at a time, for docs/pictures/accuracy.svg."""
    excess = all_excess_ms(single.calls)
    measured = [call for call in single.calls if call.excess_ms]
    figures = {
        "command": 'make bench-accuracy, its table "each call"',
        "measured_on": f"{datetime.now(UTC):%Y-%m-%d}",
        "cores": os.cpu_count(),
        "turns": len(excess),
        "floor_ms": round(float(np.median(excess)), 1),
        "calls": [
            {
                "delay_s": call.delay_s,
                "n": len(call.excess_ms),
                "offset_ms": round(float(np.median(call.excess_ms)), 1),
                "spread_ms": round(float(np.ptp(call.excess_ms)), 1),
            }
            for call in measured
        ],
    }
    file.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def tell_many(report: Report, calls: list[Call], floor_ms: float) -> None:
    """Print the accuracy of calls at the same time."""
    excess = all_excess_ms(calls)
    n, turns = len(excess), sum(len(call.turns) for call in calls)
    floor = float(np.median(excess)) if excess else math.nan
    over = p95(less_median(excess))
    lost = 1 - n / turns if turns else 1.0
    rows = report.figures(f"{AT_ONCE} calls at once")
    rows.check("residual p95 over calls", n, f"{over:.1f} ms", bound="≤ 20 ms", holds=over <= 20)
    rows.check("void or failed turns", turns, f"{lost:.1%}", bound="< 5 %", holds=lost < 0.05)
    rows.add("median offset", n, f"{floor:.1f} ms")
    rows.add("the same, one call at a time", 0, f"{floor_ms:.1f} ms")
    rows.show()
    for call in calls:
        if call.detail:
            report.say(f"  a call failed: {call.detail}")


def main() -> int:
    """Run the parts that were asked for and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--part",
        action="append",
        choices=PARTS,
        help="may be given several times; all if not given",
    )
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help="takes the figures of calls one at a time"
    )
    parser.add_argument(
        "--per-process",
        type=lambda text: tuple(map(int, text.split(","))),
        default=(),
        metavar="1,2,4",
        help="also place calls of which so many share a process; without --part nothing else",
    )
    options = parser.parse_args()
    parts = set(options.part or (() if options.per_process else PARTS))
    report = Report()
    report.say(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, livekit {version('livekit')}, "
        f"livekit-agents {version('livekit-agents')}"
    )
    with truth_stage(report.say) as stage:
        server, folder = stage.server, stage.folder
        floor = float("nan")
        wav = sharp_utterance(folder)
        if "single" in parts:
            single = asyncio.run(one_at_a_time(server, wav))
            floor = tell_single(report, single)
            if options.save:
                save(options.save, single)
        if "plain" in parts:
            calls = asyncio.run(plain_calls(server, folder, wav, DELAYS_S))
            tell_plain(report, calls, floor)
        if "many" in parts:
            tell_many(report, asyncio.run(many_at_once(server, wav)), floor)
        if "voicegateway" in parts:
            asyncio.run(side_by_side(report, server))
        if "split" in parts:
            asyncio.run(split(report, server, folder))
        if options.per_process:
            tell_shared(
                report, [asyncio.run(share(server, wav, each)) for each in options.per_process]
            )
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main())
