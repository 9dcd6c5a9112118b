"""The whole /metrics page of the demo, as it must stay: `python -m tests.golden_metrics` writes it.

Names, types, labels and help are fixed by the golden file; values are blanked, as are the labels
that differ from machine to machine. What Python itself exports is there by name only.
"""

import re
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from exporter.metrics.recorder import Recorder
from exporter.metrics.registry import Metrics
from exporter.outcome import (
    AgentInRoom,
    Calibration,
    CallResult,
    Components,
    Listing,
    Outcome,
    Turn,
    TurnOutcome,
)
from exporter.probes.latency import LatencyConfig

GOLDEN = Path(__file__).parent / "golden" / "metrics.txt"
TARGET = LatencyConfig(agent_name="demo")
_WHEN = datetime(2026, 11, 20, tzinfo=UTC)
_BY_NAME_ONLY = re.compile(r"(?:# \w+ )?((?:process|python)_\w+)")
_LOCAL_LABEL = re.compile(r'\b(server|version|python_version)="[^"]*"')
_VALUE = re.compile(r" \S+$")


def blanked(page: str) -> str:
    """Return a page in the text format without what differs between machines and moments.

    Within a family the order of the series tells only what happened first, so they are sorted.
    """
    families: list[tuple[list[str], list[str]]] = [([], [])]
    for line in page.splitlines():
        own = _BY_NAME_ONLY.match(line)
        head, series = families[-1]
        if line.startswith("# HELP") or (own and own[1] not in series):
            head, series = [], []
            families.append((head, series))
        if own:
            series.append(own[1])
        elif line.startswith("#"):
            head.append(line)
        else:
            series.append(_VALUE.sub(" *", _LOCAL_LABEL.sub(r'\1="*"', line)))
    lines = [line for head, series in families for line in (*head, *sorted(set(series)))]
    return "\n".join(dict.fromkeys(lines)) + "\n"


def golden_page() -> str:
    """Return the page after a listing, a calibration and a call to the demo's agent."""
    registry = CollectorRegistry()
    metrics = Metrics(registry, "test", [TARGET.target_ms / 1000])
    recorder = Recorder(metrics, stuck_after_s=30)
    recorder.configured(successful=True)
    recorder.loop_lag(0)
    recorder.add_target(TARGET)
    for outcome in _outcomes():
        recorder.record(outcome)
    return blanked(generate_latest(registry).decode())


def _outcomes() -> tuple[Outcome, ...]:
    agent = AgentInRoom("demo", "agent-1", "room", "listening", humans=1, age_s=3)
    listing = Listing((agent,), (), 1, (("agent", 1), ("standard", 1)))
    turns = [
        Turn(
            TurnOutcome.REPLIED,
            warmup=place == 0,
            e2e_s=1.2,
            components=Components(0.2, 0.3, 0.35, 0.15, 0.2),
            reported_e2e_s=1.1,
        )
        for place in range(TARGET.trials + 1)
    ]
    call = CallResult("demo", "default", "default", tuple(turns), 0.4, 0.9)
    return (
        Outcome("agents", "", _WHEN, 0.1, result=listing),
        Outcome("calibrate", "", _WHEN, 30, result=Calibration(0.094, 0.004, 10)),
        Outcome("latency", "demo", _WHEN, 20, result=call),
    )


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(golden_page(), encoding="utf-8")
