"""The components of a real agent's turn, beside what its providers were told to take."""

import math
from dataclasses import fields
from pathlib import Path

import numpy as np

from bench.report import Figures, Report
from exporter.demo.settings import DemoSettings
from exporter.outcome import CallResult, Components, Outcome, Turn
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.runner import Runner
from exporter.server_api import Server
from tests.integration.workers import demo_agent

SPLITS = (
    DemoSettings(),
    DemoSettings().changed(
        {"stt": {"delay_s": 0.6}, "llm": {"delay_s": 0.9}, "tts": {"delay_s": 0.4}}
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
        turns = _measured(outcome)
        medians.append(_medians(turns))
        counts.append(len(turns))
    rows = report.figures("components: what the agent reports less what its provider was told")
    for found, settings, n in zip(medians, SPLITS, counts, strict=True):
        for name, told in (("llm", settings.llm.delay_s), ("tts", settings.tts.delay_s)):
            _check(rows, f"{name} told {told:g} s", n, found.get(name, math.nan) - told)
    more = SPLITS[1].stt.delay_s - SPLITS[0].stt.delay_s
    seen = [found.get("transcription", math.nan) for found in medians]
    _check(rows, f"transcription, told {more:g} s more", sum(counts), seen[1] - seen[0] - more)
    rows.show()
    for settings, found in zip(SPLITS, medians, strict=True):
        parts = " + ".join(f"{name} {value:.3f}" for name, value in found.items())
        report.say(f"  stt {settings.stt.delay_s:g} s: {parts}")


def _check(rows: Figures, what: str, n: int, off_s: float) -> None:
    rows.check(what, n, f"{off_s * 1e3:+.0f} ms", bound="± 30 ms", holds=abs(off_s) <= 0.03)


def _measured(outcome: Outcome) -> list[Turn]:
    turns = outcome.result.turns if isinstance(outcome.result, CallResult) else ()
    return [turn for turn in turns if turn.e2e_s is not None and not turn.warmup]


def _medians(turns: list[Turn]) -> dict[str, float]:
    names = [each.name.removesuffix("_s") for each in fields(Components)]
    values = {name: [getattr(turn.components, f"{name}_s") for turn in turns] for name in names}
    return {
        name: float(np.median([v for v in found if v is not None]))
        for name, found in values.items()
        if any(v is not None for v in found)
    }
