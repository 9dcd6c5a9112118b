"""`python -m bench.agent_load`: is the knee of an agent found where it is, and by whose limit.

The agent is a process of its own (`tests.load_agent`). It replies after `DELAY_S`; from one call
more at one time than it carries, each further call adds `STEP_S`. In the second part the prober
has too many calls in one process: it is to say so, and to claim no knee.
"""

import argparse
import asyncio
import secrets
import time
from pathlib import Path

from bench.stage import livekit_stage
from exporter.outcome import AgentLoad
from exporter.probe import Run
from exporter.probes.agent_load.measure import load
from exporter.probes.agent_load.spec import AgentLoadConfig, agent_knee, judged_tiers
from exporter.probes.ramp.judge import KneeKind
from exporter.server_api import Server
from exporter.settings.settings import Settings
from tests.load_agents import slowing_agent

DELAY_S, STEP_S, CARRIES = 0.7, 0.5, 3
TARGET_MS = 1150.0
"""Between the latency of the last tier that holds and that of the first that does not."""


def config(**keys: object) -> AgentLoadConfig:
    """Return a load on the agent that joins every room."""
    settings = Settings.model_validate(
        {
            "targets": [{"agent_name": "load", "dispatch": "automatic", "greeting": "none"}],
            "agent_load": {"agent_name": "load", "target_ms": TARGET_MS, **keys},
        }
    )
    return settings.load_here()


def run_load(server: Server, asked: AgentLoadConfig) -> KneeKind:
    """Place the calls, print each tier, and return what is said of the knee."""
    run = Run(secrets.token_hex(8), server, time.monotonic() + asked.deadline)
    outcome = asyncio.run(load(asked, run))
    knee = agent_knee(asked, outcome)
    if not isinstance(outcome.result, AgentLoad):
        raise SystemExit(f"no load was made: {outcome.reason}: {outcome.detail}")
    for tier in judged_tiers(asked, outcome):
        tail = "-" if tier.e2e.tail_s is None else f"{tier.e2e.tail_s:.2f} s"
        why = "; ".join((*tier.broken, *tier.limits)) or "held"
        print(f"    {tier.clients:3} calls  n {tier.e2e.n:3}  tail {tail}  {why}", flush=True)
    print(f"  knee: {knee.kind.value} {knee.clients}", flush=True)
    return knee.kind if knee.clients in (None, CARRIES) else KneeKind.UNKNOWN


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5, help="loads on the agent that slows down")
    parser.add_argument("--limited", type=int, default=3, help="loads by a prober that is too slow")
    parser.add_argument("--seconds", type=int, default=30, help="of asking, for each tier")
    given = parser.parse_args()
    with livekit_stage(print) as stage:
        folder = Path(stage.folder)
        found = limited = 0
        for number in range(given.times):
            print(f"agent that carries {CARRIES}, {number + 1} of {given.times}", flush=True)
            with slowing_agent(
                stage.server, folder, delay_s=DELAY_S, carries=CARRIES, step_s=STEP_S
            ):
                asked = config(calls=(1, 2, 3, 4, 5), duration=given.seconds)
                found += run_load(stage.server, asked) is KneeKind.FOUND
        for number in range(given.limited):
            print(f"ten calls in one process, {number + 1} of {given.limited}", flush=True)
            with slowing_agent(stage.server, folder, delay_s=DELAY_S, carries=200, step_s=0.0):
                asked = config(calls=(10, 20), duration=given.seconds, calls_per_process=10)
                limited += run_load(stage.server, asked) is KneeKind.LIMITED
    print(f"knee of {CARRIES} found: {found} of {given.times}")
    print(f"the prober was the limit: {limited} of {given.limited}")


if __name__ == "__main__":
    main()
