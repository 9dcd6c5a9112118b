"""A whole round of all built-in scenarios against one agent: how long it takes, and what it costs.

The agent is the demo's, with a long answer where it is to be interrupted. CPU is that of the
processes of the prober alone, in which the relay of a bad line runs as well; the agent and the
server are others. It is counted by the work and not by the clock, so a busy machine shows little
of it.
"""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass

import psutil

from bench.report import Figures, Report
from bench.stage import Stage
from bench.turns_demo import scenario_of
from exporter.demo.settings import DemoSettings
from exporter.outcome import CallResult, Outcome, Reason, TurnOutcome
from exporter.probes.latency.scenarios.config import BUILT_IN, ScenarioConfig
from exporter.run.runner import Runner
from tests.integration.workers import demo_agent

MOST_S = 6 * 60.0
MOST_CPU = 0.12
"""Of a core, for each second of a call."""
TRIALS = 3
"""Measured turns of a call, as by default."""


@dataclass(frozen=True, slots=True)
class Placed:
    """One call of the round."""

    scenario: str
    outcome: Outcome
    cpu_s: float
    """Of the prober, during the call."""

    @property
    def turns(self) -> tuple[int, int]:
        """How many turns it had, and how many of them are void."""
        result = self.outcome.result
        turns = result.turns if isinstance(result, CallResult) else ()
        return len(turns), sum(turn.outcome is TurnOutcome.VOID for turn in turns)


def round_calls(stage: Stage) -> list[Placed]:
    """Call the demo's agent once in each built-in scenario, one after another."""
    with demo_agent(stage.server, stage.folder, DemoSettings()):
        return asyncio.run(_calls(stage))


async def _calls(stage: Stage) -> list[Placed]:
    others = psutil.Process().children()
    runner = Runner(stage.server, processes=1)
    calls = []
    try:
        # What a process takes to start is no part of a call: the daemon's go on for many.
        await runner.run("latency", scenario_of(ScenarioConfig(name="cough"), trials=1))
        for name in BUILT_IN:
            before_s = cpu_s(others)
            outcome = await runner.run("latency", scenario_of(ScenarioConfig(name=name), TRIALS))
            took = [now_s - before_s.get(each, 0.0) for each, now_s in cpu_s(others).items()]
            calls.append(Placed(name, outcome, sum(took)))
    finally:
        await runner.aclose()
    return calls


def cpu_s(others: Collection[psutil.Process]) -> dict[psutil.Process, float]:
    """Return what each process below this one has taken so far, in seconds.

    Args:
        others: Children that are left out with all that they start: the agent has a new process
            for each call.
    """
    found: dict[psutil.Process, float] = {}
    for child in set(psutil.Process().children()).difference(others):
        with suppress(psutil.NoSuchProcess):  # it has ended just now
            for each in (child, *child.children(recursive=True)):
                found[each] = sum(each.cpu_times()[:2])
    return found


def _check_cpu(
    rows: Figures, what: str, turns: tuple[int, int], cpu_s: float, took_s: float
) -> None:
    """Hold the CPU of calls of so many turns, some of them void, against what a call may take."""
    number, voids = turns
    share = cpu_s / took_s if took_s else float("nan")
    value = f"{share:.3f} of a core for {took_s:.0f} s, {voids} turns void"
    bound = f"≤ {MOST_CPU:g} of a core"
    rows.check(what, number, value, bound=bound, holds=share <= MOST_CPU)


def tell_round(report: Report, calls: Sequence[Placed]) -> None:
    """Print a row for each scenario, and the whole round."""
    rows = report.figures("a round of all built-in scenarios: CPU of the prober, relay included")
    for each in calls:
        _check_cpu(rows, each.scenario, each.turns, each.cpu_s, each.outcome.duration_s)
    every = [each.turns for each in calls]
    turns = sum(number for number, _ in every), sum(void for _, void in every)
    took_s = sum(each.outcome.duration_s for each in calls)
    _check_cpu(rows, "all", turns, sum(each.cpu_s for each in calls), took_s)
    bound, holds = f"≤ {MOST_S:g} s", 0 < took_s <= MOST_S
    rows.check("the whole round", len(calls), f"{took_s:.0f} s", bound=bound, holds=holds)
    # Such a call is short, and needs little of a core.
    failed = sum(each.outcome.reason not in (None, Reason.VOID) for each in calls)
    rows.check("calls that failed", len(calls), str(failed), bound="0", holds=not failed)
    rows.show()
    for each in calls:
        if each.outcome.reason:
            report.say(f"  {each.scenario}: {each.outcome.reason}: {each.outcome.detail}")
