"""How true it is what is said of turn-taking: against agents whose turn-taking is known.

Run by `make bench-turns`; prints tables, each figure with its n and the bound it is held to, and
exits 1 when a bound does not hold. The agents have clocks and a detector of their own, and share
no code with the caller but the SDK: tests/turn_agent.py. What is void is counted and printed, and
no call is placed again.
"""

import argparse
import asyncio
import math
import re
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from bench.calls import less_median, p95, sharp_utterance
from bench.report import Report
from bench.stage import Stage, livekit_stage
from bench.turns_demo import demo_calls, tell_demo
from bench.turns_line import line_talks, noisy_calls, tell_lines, tell_noise
from bench.turns_round import round_calls, tell_round
from bench.turns_settings import settings_calls, tell_settings
from exporter.run.runner import Runner
from tests.turn_agents import CASES, MOST_LATE_S, Case, TurnAgents, TurnCall, turn_agents, yields

PARTS = ("yield", "outcomes", "noise", "line", "demo", "settings", "round")
DELAYS_S = (0.15, 0.4, 0.7, 1.0, 1.25, 1.5)
FLOOR_CALLS = 2
"""To an agent that stops as soon as it can."""
WITHIN_MS, OVER_MS = 30.0, 40.0
TIMES = 10
AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Yields:
    """One call to an agent that stops so long after the first loud sample that it hears."""

    after_s: float
    offsets_ms: tuple[float, ...]
    """Measured less true time to yield, in milliseconds."""
    true_s: tuple[float, ...]
    """Of the same turns, by the agent's own clock."""
    turns: int
    """That were to be taken, without the control."""
    voids: int
    wrong: tuple[str, ...] = ()
    """What was found where the agent yielded, and is neither that nor void."""
    why: tuple[str, ...] = ()
    """Why turns are void."""

    @classmethod
    def of(cls, after_s: float, call: TurnCall, times: int) -> "Yields":
        """Return what a call of so many turns has found.

        Nothing is paired if the agent did not stop each time that it was interrupted.
        """
        found = call.result.interruptions if call.result else ()
        paired = len(found) == len(call.yields_s)
        both = [
            (each.yield_s, true_s)
            for each, true_s in zip(found, call.yields_s, strict=False)
            if paired and each.yield_s is not None
        ]
        others = [str(each) for each in found if each.outcome not in ("yielded", "void")]
        if found and not paired:
            others.append(f"{len(found)} interruptions, but it stopped {len(call.yields_s)} times")
        return cls(
            after_s,
            tuple((measured - true_s) * 1e3 for measured, true_s in both),
            tuple(true_s for _, true_s in both),
            times,
            _voids(call, times),
            (*others, *_failed(call)),
            tuple(_why_void(call)),
        )


def _failed(call: TurnCall) -> list[str]:
    """Return the turns that failed, and why the call ended early, where nothing was void."""
    turns = call.result.turns if call.result else ()
    failed = [f"{turn.reason}: {turn.detail}" for turn in turns if turn.outcome == "failed"]
    outcome = call.outcome
    if not failed and outcome.reason and not call.is_void:
        failed.append(f"{outcome.reason}: {outcome.detail}")
    return failed


def _why_void(call: TurnCall) -> list[str]:
    """Return why turns of a call are void, those of the scenario and those before it."""
    turns = call.result.turns if call.result else ()
    if call.late_s > MOST_LATE_S:
        return [f"the agent heard {call.late_s * 1e3:.0f} ms late"]
    return [*call.voids, *(turn.detail for turn in turns if turn.outcome == "void")]


def _voids(call: TurnCall, times: int) -> int:
    """Return how many turns of the scenario tell nothing: a void turn has nothing inserted."""
    return 0 if _failed(call) else times - len(call.found)


async def called(stage: Stage, cases: Sequence[Case], times: int, at_once: int) -> list[TurnCall]:
    """Call an agent of each case, some at a time; each takes so many turns of its scenario."""
    wav, runner = sharp_utterance(stage.folder), Runner(stage.server, processes=at_once)
    free: asyncio.Queue[TurnAgents] = asyncio.Queue()

    async def one(case: Case) -> TurnCall:
        agents = await free.get()
        try:
            return await agents.call(runner, case, times)
        finally:
            free.put_nowait(agents)

    with ExitStack() as stack:
        for number in range(at_once):
            folder = stage.folder / f"agent-{number}"
            folder.mkdir(exist_ok=True)
            free.put_nowait(stack.enter_context(turn_agents(stage.server, folder, wav)))
        try:
            return list(await asyncio.gather(*map(one, cases)))
        finally:
            await runner.aclose()


def yield_calls(stage: Stage, times: int, at_once: int) -> list[Yields]:
    """Interrupt agents that stop after a known time; those of 0 stop as soon as they can."""
    delays_s = (*[0.0] * FLOOR_CALLS, *DELAYS_S)
    calls = asyncio.run(called(stage, [yields(each) for each in delays_s], times, at_once))
    return [Yields.of(*each, times) for each in zip(delays_s, calls, strict=True)]


def tell_yields(report: Report, calls: Sequence[Yields]) -> None:
    """Print slope, floor and residuals of the time to yield, and a row for each call."""
    known = [call for call in calls if call.after_s]
    floors = [value for call in calls if not call.after_s for value in call.offsets_ms]
    floor_ms = float(np.median(floors)) if floors else math.nan
    offsets = [value for call in known for value in call.offsets_ms]
    true_s = np.array([value for call in known for value in call.true_s])
    n, turns = len(offsets), sum(call.turns for call in calls)
    slope = math.nan
    if n > 1:
        slope = float(np.polyfit(true_s, true_s + np.array(offsets) / 1e3, 1)[0])
    within = p95([value for call in known for value in less_median(call.offsets_ms)])
    over = p95([value - floor_ms for value in offsets])
    rows = report.figures("time to yield")
    bound, holds = "1.00 ± 0.01", abs(slope - 1) <= 0.01
    rows.check("slope of measured over true", n, f"{slope:.4f}", bound=bound, holds=holds)
    rows.add("the floor: an agent that stops at once", len(floors), f"{floor_ms:.1f} ms")
    for what, value, most in (
        ("residual p95 within a call", within, WITHIN_MS),
        ("residual p95 over calls, less the floor", over, OVER_MS),
    ):
        rows.check(what, n, f"{value:.1f} ms", bound=f"≤ {most:g} ms", holds=value <= most)
    wrong = [each for call in calls for each in call.wrong]
    rows.check("not yielded, nor void", turns, str(len(wrong)), bound="none", holds=not wrong)
    rows.add("void", turns, str(sum(call.voids for call in calls)))
    rows.show()
    table = report.table("each call", "stops after", "n", "median offset", "spread", "void", "else")
    for call in calls:
        ms = call.offsets_ms
        figures = (f"{np.median(ms):.1f} ms", f"{np.ptp(ms):.1f} ms") if ms else ("", "")
        rest = str(call.voids), "; ".join(call.wrong)
        table.add_row(f"{call.after_s:g} s", str(len(ms)), *figures, *rest)
    report.console.print(table)
    _tell_why(report, [why for call in calls for why in call.why])


def _tell_why(report: Report, reasons: Sequence[str]) -> None:
    """Print how often turns are void for which reason, whatever the figures in it."""
    for why, number in Counter(re.sub(r"\d+", "n", each) for each in reasons).items():
        report.say(f"  void, {number} times: {why}")


def tell_outcomes(
    report: Report, names: Sequence[str], calls: Sequence[TurnCall], times: int
) -> None:
    """Print for each kind of agent how often what was found is true."""
    rows = report.figures("outcomes that are the true ones, of turns that are not void")
    every = right = voids = 0
    for name, call in zip(names, calls, strict=True):
        case, found = CASES[name], call.found
        true = sum(map(case.is_true, found))
        others = Counter(" ".join(filter(None, each)) for each in found if not case.is_true(each))
        told = [f"{number} {what}" for what, number in others.items()] + _failed(call)
        if untold := sum(each != case.expected for each in found if case.is_true(each)):
            told.append(f"{untold} of them with a void answer")
        value = "; ".join([f"{true} right", *told])
        rows.check(name, len(found), value, bound="all", holds=found and true == len(found))
        every, right, voids = every + len(found), right + true, voids + _voids(call, times)
    rows.check("all", every, f"{right} right", bound="all", holds=every and right == every)
    rows.add("void", every + voids, str(voids))
    rows.show()
    _tell_why(report, [why for call in calls for why in _why_void(call)])


def outcome_calls(
    stage: Stage, names: Sequence[str], times: int, at_once: int
) -> Sequence[TurnCall]:
    """Call an agent of each kind."""
    return asyncio.run(called(stage, [CASES[name] for name in names], times, at_once))


def run_part(part: str, report: Report, stage: Stage, options: argparse.Namespace) -> None:
    """Run one part and print it."""
    if part == "yield":
        tell_yields(report, yield_calls(stage, options.times, options.at_once))
    elif part == "outcomes":
        names = [name for name in CASES if options.only in name]
        calls = outcome_calls(stage, names, options.times, options.at_once)
        tell_outcomes(report, names, calls, options.times)
    elif part == "noise":
        tell_noise(report, asyncio.run(noisy_calls(stage, options.times)))
    elif part == "line":
        tell_lines(report, asyncio.run(line_talks(stage.server, options.times, report.say)))
    elif part == "settings":
        tell_settings(report, settings_calls(stage, options.times))
    elif part == "round":
        tell_round(report, round_calls(stage))
    else:
        tell_demo(report, demo_calls(stage, options.times, options.only))


def main() -> int:
    """Run the parts that were asked for and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=TIMES, help="measured turns of each call")
    parser.add_argument("--part", action="append", choices=PARTS, help="all if not given")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="calls to agents at a time")
    parser.add_argument("--only", default="", help="outcomes and demo: those with this in the name")
    options = parser.parse_args()
    report = Report()
    with livekit_stage(report.say) as stage:
        for part in options.part or PARTS:
            run_part(part, report, stage, options)
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main())
