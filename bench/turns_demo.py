"""The demo's real AgentSession in every scenario: what it does, and what of it is void."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from bench.report import Figures, Report
from bench.stage import Stage
from exporter.demo.settings import DemoSettings
from exporter.outcome import CallResult, Outcome, TurnOutcome
from exporter.probes.latency.scenarios.config import BUILT_IN, ScenarioConfig
from exporter.probes.latency.scenarios.variants import Variant, variant_of
from exporter.probes.latency.spec import LatencyConfig
from exporter.rtc.clip import SHIPPED
from exporter.run.runner import Runner
from tests.integration.workers import demo_agent

_LONG = (
    "An order that was paid before noon leaves the same day, and is with you two days later. "
    "If it is late, write to us with its number, and we will look for it. "
    "What you do not like can be sent back within thirty days, in the box in which it came."
)
"""Some ten seconds of speech: long enough to be interrupted."""
_SNRS_DB = (20, 10, 5, 0)
_CLIP = "caller.wav"

SCENARIOS: Mapping[str, dict[str, Any]] = MappingProxyType(
    {
        **{name: {"name": name} for name in BUILT_IN},
        "clean": {"name": "clean"},
        **{
            f"babble {snr_db} dB": {"name": "babble", "line": {"noise": "babble", "snr_db": snr_db}}
            for snr_db in _SNRS_DB
        },
    }
)
_FROM, _TO = "clean", f"babble {_SNRS_DB[-1]} dB"


@dataclass(frozen=True, slots=True)
class Held:
    """One call to the demo's agent in a scenario."""

    outcome: Outcome

    @property
    def call(self) -> CallResult | None:
        """What it found, if anything."""
        return self.outcome.result if isinstance(self.outcome.result, CallResult) else None

    @property
    def outcomes(self) -> Counter[str]:
        """How often what came of the scenario; () for one of turns alone."""
        call = self.call
        if call is None:
            return Counter()
        found = Counter(str(each.outcome) for each in call.turn_taking)
        return found + Counter(f"reconnect {each.recovered}" for each in call.reconnects)

    @property
    def turns(self) -> Counter[TurnOutcome]:
        """How often what became of the turns, without the warm-up turn."""
        turns = self.call.turns if self.call else ()
        return Counter(turn.outcome for turn in turns if not turn.warmup)

    @property
    def words(self) -> tuple[int, int]:
        """Word errors, and words that were said."""
        turns = self.call.turns if self.call else ()
        heard = [turn.transcription for turn in turns if turn.transcription is not None]
        errors = sum(each.substituted + each.deleted + each.inserted for each in heard)
        return errors, sum(each.words for each in heard)

    @property
    def yields_s(self) -> list[float]:
        """The times to yield."""
        every = self.call.interruptions if self.call else ()
        return [each.yield_s for each in every if each.yield_s is not None]

    @property
    def e2e_s(self) -> list[float]:
        """The latencies."""
        turns = self.call.turns if self.call else ()
        return [turn.e2e_s for turn in turns if turn.e2e_s is not None and not turn.warmup]


def demo_calls(stage: Stage, times: int, only: str = "") -> dict[str, Held]:
    """Call the demo's agent in each scenario with `only` in its name, one after another."""
    with demo_agent(stage.server, stage.folder, DemoSettings()):
        return asyncio.run(_calls(stage, times, [name for name in SCENARIOS if only in name]))


async def _calls(stage: Stage, times: int, names: Sequence[str]) -> dict[str, Held]:
    runner = Runner(stage.server, processes=1)
    try:
        return {
            name: Held(await runner.run("latency", scenario_of(ScenarioConfig(**line), times)))
            for name, line in SCENARIOS.items()
            if name in names
        }
    finally:
        await runner.aclose()


def scenario_of(
    scenario: ScenarioConfig, trials: int, agent: Mapping[str, object] = MappingProxyType({})
) -> Variant:
    """Return a target for the demo's agent in a scenario, with a long answer where it needs one.

    Args:
        scenario: What is done in a call.
        trials: Measured turns.
        agent: What its agent is told besides.
    """
    clip = {"wav": Path(str(files("exporter.rtc") / "clips" / _CLIP)), "transcript": SHIPPED[_CLIP]}
    llm = {"reply": _LONG} if scenario.speaks_into else {}
    told = DemoSettings().changed({"llm": llm, "agent": dict(agent)})
    target = LatencyConfig.model_validate(
        {
            "agent_name": "demo",
            "metadata": told.model_dump_json(),
            "utterance": clip,
            "trials": trials,
            "join_timeout": 60,
            "target_ms": 10_000,
        }
    )
    return variant_of(target, scenario)


def tell_demo(report: Report, calls: Mapping[str, Held]) -> None:
    """Print a row for each scenario, and whether word errors grow with noise."""
    columns = ("turns", "void", "failed", "median e2e", "outcomes", "median yield", "word errors")
    table = report.table("the demo's agent in every scenario", "scenario", *columns)
    for name, held in calls.items():
        errors, words = held.words
        told = ", ".join(f"{number} {what}" for what, number in held.outcomes.items())
        table.add_row(
            name,
            str(held.turns.total()),
            str(held.turns[TurnOutcome.VOID]),
            str(held.turns[TurnOutcome.FAILED]),
            _median(held.e2e_s),
            told,
            _median(held.yields_s),
            f"{errors} of {words}" if words else "",
        )
    report.console.print(table)
    for name, held in calls.items():
        if held.outcome.reason:
            report.say(f"  {name}: {held.outcome.reason}: {held.outcome.detail}")
        for each in held.call.turn_taking if held.call else ():
            if each.outcome == "void":
                report.say(f"  {name}: {each}")
    if _FROM in calls and _TO in calls:
        rows = report.figures("word errors grow with noise")
        _check_words(rows, calls[_FROM], calls[_TO])
        rows.show()


def _median(seconds: Sequence[float]) -> str:
    return f"{np.median(seconds):.2f} s" if seconds else ""


def _check_words(rows: Figures, clean: Held, noisy: Held) -> None:
    """Hold the share of wrong words over the worst line against that of the clean one."""
    shares = [errors / max(1, words) for errors, words in (clean.words, noisy.words)]
    value = " to ".join(f"{share:.0%}" for share in shares)
    n = clean.words[1] + noisy.words[1]
    rows.check(f"{_FROM} to {_TO}", n, value, bound="more", holds=shares[1] > shares[0])
