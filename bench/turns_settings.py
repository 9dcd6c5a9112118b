"""What settings of LiveKit Agents do to the figures of turn-taking, on the demo's agent.

Nothing is held to a bound: an agent does what it is set to, and this says how that reads here.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from bench.report import Report
from bench.stage import Stage
from bench.turns_demo import Held, scenario_of
from exporter.demo.settings import DemoSettings
from exporter.outcome import TurnOutcome
from exporter.probes.latency.scenarios.config import ScenarioConfig
from exporter.run.runner import Runner
from tests.integration.workers import demo_agent

SETTINGS: Mapping[str, dict[str, Any]] = MappingProxyType(
    {
        "defaults": {},
        "min_duration: 1.0": {"interruption_s": 1.0},
        "allow_interruptions: false": {"interruptible": False},
        "resume_false_interruption: false": {"resumes": False},
        "turn_detection: vad": {"turn_model": False},
    }
)
"""What an agent would be given, and how the demo's agent is told of it."""
KINDS = ("barge_in", "cough", "pause")

Calls = Mapping[tuple[str, str], Held]
"""By the setting, and the kind of scenario."""


def settings_calls(stage: Stage, times: int) -> Calls:
    """Call the agent with each setting in each kind of scenario, one call after another."""
    with demo_agent(stage.server, stage.folder, DemoSettings()):
        return asyncio.run(_calls(stage, times))


async def _calls(stage: Stage, times: int) -> Calls:
    runner = Runner(stage.server, processes=1)
    try:
        return {
            (name, kind): Held(
                await runner.run(
                    "latency", scenario_of(ScenarioConfig(name=kind), times, agent=told)
                )
            )
            for name, told in SETTINGS.items()
            for kind in KINDS
        }
    finally:
        await runner.aclose()


def tell_settings(report: Report, calls: Calls) -> None:
    """Print a row for each setting."""
    columns = (*KINDS, "time to yield", "gap at a cough", "latency", "void turns")
    table = report.table("the demo's agent by its settings", "setting", *columns)
    for name in SETTINGS:
        held = {kind: calls[name, kind] for kind in KINDS}
        every = [call.call for call in held.values() if call.call]
        table.add_row(
            name,
            *(_counted(call.outcomes) for call in held.values()),
            _median([each for call in held.values() for each in call.yields_s]),
            _median([each.gap_s for call in every for each in call.backchannels if each.gap_s]),
            _median([each for call in held.values() for each in call.e2e_s]),
            str(sum(call.turns[TurnOutcome.VOID] for call in held.values())),
        )
    report.console.print(table)
    for (name, kind), call in calls.items():
        if call.outcome.reason:
            report.say(f"  {name}, {kind}: {call.outcome.reason}: {call.outcome.detail}")


def _counted(outcomes: Counter[str]) -> str:
    return ", ".join(f"{number} {what}" for what, number in outcomes.items())


def _median(seconds: list[float]) -> str:
    return f"{np.median(seconds):.2f} s (n {len(seconds)})" if seconds else ""
