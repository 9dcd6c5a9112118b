"""Interrupt the demo's agent and keep what was heard, for docs/pictures/one-barge-in.svg.

Run as `python -m bench.one_barge_in FILE`. The agent, its providers and the livekit-server are the
demo's, on this machine; the call is kept as every failed call is, and how loud both sides were is
taken from there.
"""

import argparse
import asyncio
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.stage import Stage, livekit_stage
from bench.turns_demo import scenario_of
from exporter.demo.settings import DemoSettings
from exporter.evidence.config import EvidenceConfig
from exporter.evidence.keeper import Keeper
from exporter.evidence.kept import KeptCall
from exporter.outcome import CallResult, InterruptionOutcome
from exporter.outcome.timeline import AgentSounded, CallerSpoke
from exporter.probes.latency.scenarios.config import ScenarioConfig
from exporter.run.runner import Runner
from tests.integration.workers import demo_agent

BEFORE_S, AFTER_S = 2.5, 0.8
"""Of the agent's speech before it is interrupted, and of its answer."""


def kept_call(stage: Stage) -> KeptCall:
    """Return a call in which the agent was interrupted once.

    Raises:
        RuntimeError: Nothing was kept of it.
    """
    return asyncio.run(_kept_call(stage))


async def _kept_call(stage: Stage) -> KeptCall:
    keeper = Keeper(stage.folder / "evidence", EvidenceConfig(keep="all"))
    runner = Runner(stage.server, processes=1, keeper=keeper)
    try:
        outcome = await runner.run("latency", scenario_of(ScenarioConfig(name="barge_in"), 1))
        kept = await keeper.read(outcome.run_id)
    finally:
        await runner.aclose()
    if kept is None:
        raise RuntimeError(f"nothing was kept of the call: {outcome.reason} {outcome.detail}")
    return kept


def figures(kept: KeptCall) -> dict[str, Any]:
    """Return what the picture shows; its times are seconds since the caller began to interrupt.

    Raises:
        ValueError: The agent did not yield, or did not answer.
    """
    result = kept.outcome.result
    found = result.interruptions[-1] if isinstance(result, CallResult) else None
    if found is None or found.outcome is not InterruptionOutcome.YIELDED or not found.answer_s:
        raise ValueError(f"the agent is to yield and to answer: {found}")
    spoke = [each for each in kept.events if isinstance(each, CallerSpoke)][-1]
    heard = [each for each in kept.events if isinstance(each, AgentSounded)]
    into = max(each.at for each in heard if each.at < spoke.at)
    ends_s = spoke.until - spoke.at + found.answer_s + AFTER_S
    step_s = kept.envelope.step_s
    first = max(0, round((spoke.at - BEFORE_S) / step_s))
    last = round((spoke.at + ends_s) / step_s)
    return {
        "measured_on": f"{datetime.now(UTC):%Y-%m-%d}",
        "cores": os.cpu_count(),
        "reply_at_s": round(max(into - spoke.at, -BEFORE_S), 4),
        "speech_s": round(spoke.until - spoke.at, 4),
        "yield_s": found.yield_s,
        "answer_s": found.answer_s,
        "step_s": step_s,
        "from_s": round(first * step_s - spoke.at, 4),
        "caller": [round(each, 3) for each in kept.envelope.caller[first:last]],
        "agent": [round(each, 3) for each in kept.envelope.agent[first:last]],
    }


def main() -> int:
    """Measure and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    file = parser.parse_args().file
    with livekit_stage(print) as stage, demo_agent(stage.server, stage.folder, DemoSettings()):
        measured = figures(kept_call(stage))
    file.write_text(json.dumps(measured) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
