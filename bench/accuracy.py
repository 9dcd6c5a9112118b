"""How true the measured latencies are: against agents whose latency is known exactly.

Run by `make bench-accuracy`; prints tables, each figure with its n and the bound it is held to,
and exits 1 when a bound does not hold. All processes run on this machine, over loopback.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import platform
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from bench import voicegateway
from exporter.demo.livekit_binary import find_server
from exporter.demo.livekit_server import LiveKitServer
from exporter.demo.settings import DemoSettings, ProviderSettings
from exporter.outcome import Calibration, CallResult, Outcome, Turn
from exporter.probes.calibrate import CalibrateConfig
from exporter.probes.latency import LatencyConfig
from exporter.runner import Runner
from exporter.server_api import Server
from exporter.verdict import judge_call
from tests.integration.scripts import Script
from tests.integration.workers import demo_agent, truth_worker

DELAYS_S = (0.3, 0.5, 0.8, 1.2, 1.6, 2.0, 3.0, 4.0)
TRIALS = 6
AT_ONCE = 8
LAG_BOUND = 0.05


@dataclass(frozen=True, slots=True)
class Call:
    """One call to an agent of known delay."""

    delay_s: float
    turns: tuple[Turn, ...]
    """Without the warm-up turn."""
    detail: str = ""

    @property
    def excess_ms(self) -> list[float]:
        """Measured less true delay of each measured turn, in milliseconds."""
        return [(turn.e2e_s - self.delay_s) * 1e3 for turn in self.turns if turn.e2e_s is not None]


@dataclass(slots=True)
class Report:
    """The tables, and whether every bound held."""

    console: Console = field(default_factory=lambda: Console(width=110))
    held: bool = True

    def table(self, title: str, *columns: str) -> Table:
        """Begin a table."""
        table = Table(title=title, title_justify="left")
        for column in columns:
            table.add_column(column, justify="left" if column == columns[0] else "right")
        return table

    def check(self, table: Table, what: str, n: int, value: str, bound: str, holds: bool) -> None:
        """Add one figure that has a bound."""
        self.held = self.held and holds
        table.add_row(what, str(n), value, bound, "yes" if holds else "NO")


async def place(runner: Runner, delay_s: float, **settings: object) -> Call:
    """Call the agent that replies after `delay_s`."""
    config = LatencyConfig.model_validate(
        {
            "agent_name": "truth",
            "metadata": Script(delay_s=delay_s).metadata(),
            "trials": TRIALS,
            "greeting": "none",
            "join_timeout": 60,
        }
        | settings
    )
    outcome = await runner.run("latency", config)
    result = outcome.result
    turns = result.turns if isinstance(result, CallResult) else ()
    detail = f"{outcome.reason}: {outcome.detail}" if outcome.reason else ""
    return Call(delay_s, tuple(turn for turn in turns if not turn.warmup), detail)


async def one_at_a_time(server: Server) -> tuple[list[Call], Outcome]:
    """Place a call for each delay, one after another, and calibrate half way."""
    runner = Runner(server, processes=1)
    try:
        half = len(DELAYS_S) // 2
        calls = [await place(runner, delay) for delay in DELAYS_S[:half]]
        calibration = await runner.run("calibrate", CalibrateConfig())
        calls += [await place(runner, delay) for delay in DELAYS_S[half:]]
        return calls, calibration
    finally:
        await runner.aclose()


async def many_at_once(server: Server, delay_s: float = 1.0) -> list[Call]:
    """Place calls at the same time, each in a process of its own."""
    runner = Runner(server, processes=AT_ONCE)
    try:
        return list(await asyncio.gather(*(place(runner, delay_s) for _ in range(AT_ONCE))))
    finally:
        await runner.aclose()


def p95(values: Sequence[float]) -> float:
    """Return the 95th percentile of the magnitudes."""
    return float(np.percentile(np.abs(values), 95))


def within_call(calls: Sequence[Call]) -> list[float]:
    """Return what each turn has over the median of its own call, in milliseconds."""
    return [v - float(np.median(c.excess_ms)) for c in calls if c.excess_ms for v in c.excess_ms]


def tell_single(report: Report, calls: list[Call], calibration: Outcome) -> float:
    """Print the accuracy of calls one at a time; return their median offset in ms."""
    excess = [value for call in calls for value in call.excess_ms]
    delays = [call.delay_s for call in calls for _ in call.excess_ms]
    measured = [d + v / 1e3 for d, v in zip(delays, excess, strict=True)]
    slope = float(np.polyfit(delays, measured, 1)[0])
    floor = float(np.median(excess))
    voids = sum(len(call.turns) for call in calls) - len(excess)
    n = len(excess)
    rows = report.table("calls one at a time", "figure", "n", "value", "bound", "holds")
    report.check(rows, "slope of measured over true delay", n, f"{slope:.4f}", "1.000 ± 0.005",
                 abs(slope - 1) <= 0.005)
    inside = p95(within_call(calls))
    report.check(rows, "residual p95 within a call", n, f"{inside:.1f} ms", "≤ 5 ms", inside <= 5)
    over = p95([value - floor for value in excess])
    report.check(rows, "residual p95 over calls", n, f"{over:.1f} ms", "≤ 15 ms", over <= 15)
    report.check(rows, "turns and calls", n, f"{n} in {len(calls)}", "≥ 40 in ≥ 8",
                 n >= 40 and len(calls) >= 8)
    if isinstance(calibration.result, Calibration):
        told = calibration.result
        off = told.floor_s * 1e3 - floor
        report.check(rows, "calibrate less median offset", told.n, f"{off:+.1f} ms", "≤ 10 ms",
                     abs(off) <= 10)
    else:
        report.check(rows, "calibrate", 0, str(calibration.reason), "a floor", holds=False)
    rows.add_row("median offset (the floor)", str(n), f"{floor:.1f} ms", "", "")
    rows.add_row("void turns", str(n + voids), str(voids), "", "")
    report.console.print(rows)
    detail = report.table("each call", "delay", "n", "median offset", "spread", "jitter buffer")
    for call in calls:
        depths = [t.jitter_buffer_s * 1e3 for t in call.turns if t.jitter_buffer_s is not None]
        detail.add_row(
            f"{call.delay_s:g} s",
            str(len(call.excess_ms)),
            f"{np.median(call.excess_ms):.1f} ms" if call.excess_ms else call.detail,
            f"{np.ptp(call.excess_ms):.1f} ms" if call.excess_ms else "",
            f"{np.median(depths):.0f} ms" if depths else "",
        )
    report.console.print(detail)
    return floor


def tell_many(report: Report, calls: list[Call], floor_ms: float) -> None:
    """Print the accuracy of calls at the same time."""
    excess = [value for call in calls for value in call.excess_ms]
    turns = sum(len(call.turns) for call in calls)
    n = len(excess)
    rows = report.table(f"{AT_ONCE} calls at once", "figure", "n", "value", "bound", "holds")
    own = float(np.median(excess)) if excess else float("nan")
    over = p95([value - own for value in excess]) if excess else float("nan")
    report.check(rows, "residual p95 over calls", n, f"{over:.1f} ms", "≤ 20 ms", over <= 20)
    share = 1 - n / turns if turns else 1.0
    report.check(rows, "void or failed turns", turns, f"{share:.1%}", "< 5 %", share < LAG_BOUND)
    rows.add_row("median offset", str(n), f"{own:.1f} ms", "", "")
    rows.add_row("the same, one call at a time", "", f"{floor_ms:.1f} ms", "", "")
    report.console.print(rows)
    for call in calls:
        if call.detail:
            report.console.print(f"  a call failed: {call.detail}")


SIDE_BY_SIDE = {
    "replies after 1 s": Script(),
    "replies after 2 s": Script(delay_s=2.0),
    "greets for 2.5 s, then 1 s": Script(greet_s=2.5),
    "clicks 0.3 s before replying": Script(click_s=0.3),
    "plays background audio": Script(background=True),
    "hangs in thinking": Script(hang=True),
    "never replies": Script(mute=True),
}


async def side_by_side(report: Report, server: Server) -> None:
    """Print what we and voicegateway say of the same agents."""
    python = voicegateway.install()
    rows = report.table(
        f"voicegateway {voicegateway.VERSION} beside us (2 trials each)",
        "agent", "true", "ours", "error", "verdict", "voicegateway", "error", "verdict",
    )
    runner = Runner(server, processes=1)
    try:
        for name, script in SIDE_BY_SIDE.items():
            config = LatencyConfig(agent_name="truth", metadata=script.metadata(), trials=2)
            outcome = await runner.run("latency", config)
            ours = _average(outcome)
            theirs = await asyncio.to_thread(
                voicegateway.measure, python, server, "truth",
                trials=2, metadata=script.metadata(),
            )
            silent = script.hang or script.mute
            truth = None if silent else script.delay_s
            rows.add_row(
                name,
                "no reply" if silent else f"{script.delay_s:.2f} s",
                str(outcome.reason) if ours is None else f"{ours:.3f} s",
                _error(ours, truth),
                judge_call(config, outcome),
                theirs.error if theirs.avg_s is None else f"{theirs.avg_s:.3f} s",
                _error(theirs.avg_s, truth),
                theirs.verdict or "none",
            )
    finally:
        await runner.aclose()
    report.console.print(rows)


def _average(outcome: Outcome) -> float | None:
    result = outcome.result
    turns = result.turns if isinstance(result, CallResult) else ()
    values = [turn.e2e_s for turn in turns if turn.e2e_s is not None and not turn.warmup]
    return sum(values) / len(values) if values else None


def _error(value: float | None, truth: float | None) -> str:
    return "" if value is None or truth is None else f"{(value - truth) * 1e3:+.0f} ms"


SPLITS = (
    DemoSettings(),
    DemoSettings(
        stt=ProviderSettings(delay_s=0.6),
        llm=ProviderSettings(delay_s=0.9),
        tts=ProviderSettings(delay_s=0.4),
    ),
)


async def split(report: Report, server: Server, folder: Path) -> None:
    """Print the components that the demo's agent reports beside what its providers took.

    An agent's transcription delay begins at the end of speech, so it holds the silence that the
    agent waits for before it asks its provider: the difference of two settings is held instead.
    """
    medians: list[dict[str, float]] = []
    counts: list[int] = []
    for settings in SPLITS:
        with demo_agent(server, folder, settings):
            runner = Runner(server, processes=1)
            try:
                config = LatencyConfig(agent_name="demo", trials=4, join_timeout=60)
                outcome = await runner.run("latency", config)
            finally:
                await runner.aclose()
        medians.append(_medians(outcome))
        counts.append(len(medians[-1]) and config.trials)
    rows = report.table("components", "component", "n", "reported - told", "bound", "holds")
    for part, settings in enumerate(SPLITS):
        for name, told in (("llm", settings.llm.delay_s), ("tts", settings.tts.delay_s)):
            off = (medians[part].get(name, float("nan")) - told) * 1e3
            report.check(rows, f"{name} told {told:g} s", counts[part], f"{off:+.0f} ms", "≤ 30 ms",
                         abs(off) <= 30)
    told = SPLITS[1].stt.delay_s - SPLITS[0].stt.delay_s
    seen = medians[1].get("transcription", float("nan")) - medians[0].get(
        "transcription", float("nan")
    )
    off = (seen - told) * 1e3
    report.check(rows, f"transcription, {told:g} s more", sum(counts), f"{off:+.0f} ms", "≤ 30 ms",
                 abs(off) <= 30)
    report.console.print(rows)
    for settings, found in zip(SPLITS, medians, strict=True):
        parts = " + ".join(f"{name} {value:.3f}" for name, value in found.items())
        report.console.print(f"  stt {settings.stt.delay_s:g} s: {parts}")


def _medians(outcome: Outcome) -> dict[str, float]:
    result = outcome.result
    turns = result.turns if isinstance(result, CallResult) else ()
    kept = [turn for turn in turns if turn.e2e_s is not None and not turn.warmup]
    names = ("transcription", "end_of_turn", "llm", "tts", "transport")
    values = {name: [getattr(turn.components, f"{name}_s") for turn in kept] for name in names}
    return {
        name: float(np.median([v for v in found if v is not None]))
        for name, found in values.items()
        if any(v is not None for v in found)
    }


@contextlib.contextmanager
def stage() -> Iterator[tuple[Server, Path]]:
    """Run a server and the worker of known latency."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        program = find_server(os.environ, logging.getLogger("bench").info)
        with LiveKitServer(program, folder) as running:
            with truth_worker(running.server, folder, "truth"):
                yield running.server, folder


def main() -> int:
    """Run the parts that were asked for and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--part", action="append", choices=("single", "many", "voicegateway", "split"),
        help="may be given several times; all if not given",
    )
    parts = set(parser.parse_args().part or ("single", "many", "voicegateway", "split"))
    report = Report()
    report.console.print(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, livekit {version('livekit')}, "
        f"livekit-agents {version('livekit-agents')}"
    )
    with stage() as (server, folder):
        floor = float("nan")
        if "single" in parts:
            floor = tell_single(report, *asyncio.run(one_at_a_time(server)))
        if "many" in parts:
            tell_many(report, asyncio.run(many_at_once(server)), floor)
        if "voicegateway" in parts:
            asyncio.run(side_by_side(report, server))
        if "split" in parts:
            asyncio.run(split(report, server, folder))
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main())
