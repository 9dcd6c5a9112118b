"""How true calls are that share a process: loop lag, void turns and residual, by calls in each.

A part of `bench.accuracy`, for an idle machine with `--per-process 1,2,4`. The number of calls at
the same time stays the same, so what differs is who shares an event loop with whom.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

from bench.calls import Call, Placing, all_excess_ms, less_median, p95
from bench.report import Report
from exporter.errors import ProbeError
from exporter.outcome import Outcome
from exporter.probe import Probe, Run, always
from exporter.probes.latency.measure import place_call
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.process import ProbeTable
from exporter.run.runner import Runner
from exporter.server_api import Server

AT_ONCE = 4
"""Calls at the same time, shared out over processes."""
DELAY_S = 1.0
TRIALS = 6


class Together(BaseModel):
    """Calls that share a process."""

    calls: tuple[LatencyConfig, ...]
    deadline: float


@dataclass(frozen=True, slots=True)
class Shared:
    """What calls have shown of which so many shared a process."""

    per_process: int
    calls: list[Call]
    lags_s: list[float]
    """The largest lateness of the event loop during each call."""


async def place_all(config: Together, run: Run) -> Outcome:
    """Place all calls at the same time; the result is a tuple of their Outcomes."""

    async def place(number: int, call: LatencyConfig) -> Outcome:
        own = replace(run, id=f"{run.id}-{number}", lines=[])
        try:
            outcome = await place_call(call, own)
        except ProbeError as error:
            outcome = own.outcome("latency", call.agent_name, ended=error)
        return replace(outcome, run_id=own.id)

    found = await asyncio.gather(*(place(*each) for each in enumerate(config.calls)))
    return run.outcome("together", result=tuple(found))


PROBES: dict[str, Probe[Any, Any]] = {
    "together": Probe(
        name="together",
        config=Together,
        measure="bench.together:place_all",
        lane="call",
        judge=lambda _config, _outcome: (),
        summary=lambda calls: f"{len(calls)} calls",
        families=(),
        reader=always(lambda _config, _outcome: ()),
    )
}


async def share(server: Server, wav: Path, per_process: int) -> Shared:
    """Place the calls, so many in each process, after a short round that starts the processes."""
    sizes = [len(each) for each in np.array_split(range(AT_ONCE), -(-AT_ONCE // per_process))]
    runner = Runner(server, processes=len(sizes), table=ProbeTable("bench.together", "PROBES"))
    try:
        for trials in (1, TRIALS):
            found = await asyncio.gather(*(_run(runner, wav, size, trials) for size in sizes))
    finally:
        await runner.aclose()
    calls, lags = zip(*(pair for run in found for pair in run), strict=True)
    return Shared(per_process, list(calls), [lag for lag in lags if lag is not None])


async def _run(
    runner: Runner, wav: Path, size: int, trials: int
) -> list[tuple[Call, float | None]]:
    """Run one process with so many calls, and return each with its lag."""
    with Placing(DELAY_S, wav, trials=trials) as placing:
        calls = (placing.config,) * size
        outcome = await runner.run(
            "together", Together(calls=calls, deadline=placing.config.deadline)
        )
        if not isinstance(outcome.result, tuple):
            lost = Call(DELAY_S, (), f"{outcome.reason}: {outcome.detail}")
            return [(lost, None)] * size
        return [(placing.call(each), each.loop_lag_s) for each in outcome.result]


def tell_shared(report: Report, found: Sequence[Shared]) -> None:
    """Print one row for each number of calls in a process."""
    table = report.table(
        f"{AT_ONCE} calls at once, by calls in a process",
        *("calls in a process", "n", "void or failed", "residual p95", "less both buffers"),
        *("median offset", "loop lag, median", "loop lag, largest"),
    )
    for each in found:
        excess = all_excess_ms(each.calls)
        bare = [value for call in each.calls for value in call.unbuffered_ms]
        turns = sum(len(call.turns) for call in each.calls)
        median = float(np.median(excess)) if excess else math.nan
        lag = float(np.median(each.lags_s)) if each.lags_s else math.nan
        table.add_row(
            str(each.per_process),
            str(len(excess)),
            f"{turns - len(excess)} of {turns}",
            f"{p95(less_median(excess)):.1f} ms",
            f"{p95(less_median(bare)):.1f} ms",
            f"{median:.1f} ms",
            f"{lag * 1e3:.1f} ms",
            f"{max(each.lags_s, default=math.nan) * 1e3:.1f} ms",
        )
    report.console.print(table)
    for call in (call for each in found for call in each.calls if call.detail):
        report.say(f"  a call failed: {call.detail}")
