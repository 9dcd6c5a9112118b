"""How true the measured latencies are: against agents whose latency is known exactly.

Run by `make bench-accuracy`; prints tables, each figure with its n and the bound it is held to,
and exits 1 when a bound does not hold. All processes run on this machine, over loopback.
"""

import argparse
import asyncio
import math
import os
import platform
import sys
import tempfile
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Self

import numpy as np

from bench.components import split
from bench.depths import Depths
from bench.report import Figures, Report
from bench.side_by_side import side_by_side
from bench.stage import AGENT, truth_stage
from exporter.call.calibration import echo_clip
from exporter.call.levels import RATE
from exporter.outcome import Calibration, CallResult, Outcome, Turn
from exporter.probes.calibrate import CalibrateConfig
from exporter.probes.latency import LatencyConfig
from exporter.run.runner import Runner
from exporter.server_api import Server
from tests.integration.scripts import Script

DELAYS_S = (0.3, 0.5, 0.8, 1.2, 1.6, 2.0, 3.0, 4.0)
CALLS_EACH = 2
TRIALS = 4
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Call:
    """One call to an agent of known delay."""

    delay_s: float
    turns: tuple[Turn, ...]
    """Without the warm-up turn."""
    detail: str = ""
    agent_depths_s: tuple[float, ...] = ()
    """The mean depth of the agent's jitter buffer during each turn; empty where it is not known."""

    @classmethod
    def of(
        cls,
        delay_s: float,
        turns: Sequence[Turn],
        detail: str = "",
        agent_depths_s: tuple[float, ...] = (),
    ) -> Self:
        """Return the call of which these are all the turns."""
        kept = tuple(turn for turn in turns if not turn.warmup)
        return cls(delay_s, kept, detail, agent_depths_s)

    @property
    def excess_ms(self) -> list[float]:
        """Measured less true delay of each measured turn, in milliseconds."""
        return [(turn.e2e_s - self.delay_s) * 1e3 for turn in self.turns if turn.e2e_s is not None]

    @property
    def unbuffered_ms(self) -> list[float]:
        """`excess_ms`, less what both jitter buffers held; empty where that is not known."""
        return [
            (turn.e2e_s - self.delay_s - turn.jitter_buffer_s - agent_s) * 1e3
            for turn, agent_s in zip(self.turns, self.agent_depths_s, strict=False)
            if turn.e2e_s is not None and turn.jitter_buffer_s is not None
        ]


async def place(runner: Runner, delay_s: float, wav: Path | None, **settings: object) -> Call:
    """Call the agent that replies after `delay_s`; None says the clip that ships."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        depths = Depths(Path(folder) / "depths")
        config = LatencyConfig.model_validate(
            {
                "agent_name": AGENT,
                "utterance": {"wav": wav},
                "metadata": Script(delay_s=delay_s, depths=str(depths.file)).metadata(),
                "trials": TRIALS,
                "greeting": "none",
                "join_timeout": 60,
            }
            | settings
        )
        outcome = await runner.run("latency", config)
        turns = outcome.result.turns if isinstance(outcome.result, CallResult) else ()
        detail = f"{outcome.reason}: {outcome.detail}" if outcome.reason else ""
        return Call.of(delay_s, turns, detail, depths.of(outcome.run_id, turns))


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


def sharp_utterance(folder: Path) -> Path:
    """Write an utterance whose last loud sample is the same before and after a codec."""
    pcm = echo_clip().pcm
    path = folder / "sharp.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm.tobytes())
    return path


def p95(values: Sequence[float]) -> float:
    """Return the 95th percentile of the magnitudes."""
    return float(np.percentile(np.abs(values), 95)) if values else math.nan


def all_excess_ms(calls: Sequence[Call]) -> list[float]:
    """Return measured less true delay of every measured turn, in milliseconds."""
    return [value for call in calls for value in call.excess_ms]


def less_median(values_ms: Sequence[float]) -> list[float]:
    """Return what each value has over the median of all."""
    return [value - float(np.median(values_ms)) for value in values_ms]


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


def check_residuals(rows: Figures, calls: Sequence[Call]) -> float:
    """Hold the turns of calls one at a time against their medians; return the floor in ms."""
    excess = all_excess_ms(calls)
    n = len(excess)
    floor = float(np.median(excess)) if excess else math.nan
    inside = p95([value for call in calls for value in less_median(call.excess_ms)])
    over = p95(less_median(excess))
    rows.check(
        "residual p95 within a call", n, f"{inside:.1f} ms", bound="≤ 5 ms", holds=inside <= 5
    )
    rows.check("residual p95 over calls", n, f"{over:.1f} ms", bound="≤ 15 ms", holds=over <= 15)
    rows.add("median offset (the floor)", n, f"{floor:.1f} ms")
    bare = [value for call in calls for value in call.unbuffered_ms]
    if bare:
        # What the buffers hold, a caller hears as well; it is what a busy machine changes.
        inside = p95([value for call in calls for value in less_median(call.unbuffered_ms)])
        rows.add("within a call, less both jitter buffers", len(bare), f"{inside:.1f} ms")
        rows.add("over calls, less both", len(bare), f"{p95(less_median(bare)):.1f} ms")
        rows.add("median offset, less both", len(bare), f"{np.median(bare):.1f} ms")
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
        choices=("single", "many", "voicegateway", "split"),
        help="may be given several times; all if not given",
    )
    parts = set(parser.parse_args().part or ("single", "many", "voicegateway", "split"))
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
            floor = tell_single(report, asyncio.run(one_at_a_time(server, wav)))
        if "many" in parts:
            tell_many(report, asyncio.run(many_at_once(server, wav)), floor)
        if "voicegateway" in parts:
            asyncio.run(side_by_side(report, server))
        if "split" in parts:
            asyncio.run(split(report, server, folder))
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main())
