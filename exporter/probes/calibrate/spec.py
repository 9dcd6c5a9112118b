"""Measure the floor: the same caller against an echo whose delay is known exactly."""

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from pydantic import Field

from exporter.config.rules import Faults, rule
from exporter.config.values import Duration, ProbeSection, holds_needed
from exporter.outcome import Calibration, Outcome
from exporter.probe import Probe, always, failed_is_all
from exporter.series import Reading, family

ECHO_ATTRIBUTE = "voice-exporter.echo"
"""On the participant that replies in a calibration: it stands in for an agent and is none."""

_SHORTEST_DEADLINE_S = 120.0
CLEANUP_S = 5.0
"""Kept back from the deadline, so that the rooms are deleted and the turns so far are told."""
_CALL_S, _TURN_S = 30.0, 8.0
"""What a call to the echo, and each turn of it beyond the delay, may take."""


def _needed_s(config: Mapping[str, Any]) -> float:
    """Return the seconds that a calibration may take; each call has a warm-up turn as well."""
    turns_s = (config.get("trials", 1) + 1) * (_TURN_S + config.get("delay", 0.0))
    return float(ceil(CLEANUP_S + config.get("calls", 1) * (_CALL_S + turns_s)))


class CalibrateConfig(ProbeSection):
    """Calibration: measurement of the floor."""

    interval: Duration = Field(3600.0, ge=60, description="Time between two calibrations.")
    calls: int = Field(
        5,
        ge=1,
        le=20,
        description="Calls to the echo. In each call the jitter buffers settle anew, with a "
        "difference of about 10 ms.",
    )
    trials: int = Field(2, ge=1, le=100, description="Measured turns in each call.")
    delay: Duration = Field(0.5, ge=0.3, le=5, description="Delay of the echo.")
    deadline: Duration = Field(
        default_factory=lambda config: max(_SHORTEST_DEADLINE_S, _needed_s(config)),
        gt=0,
        description=(
            "Time limit of a calibration. Not set: derived from the number of turns, at least 2m; "
            "a shorter one is refused."
        ),
    )

    @rule
    def _deadline_holds_calibration(self) -> Faults:
        return holds_needed(self.deadline, _needed_s(vars(self)), "calibration")


def summary(result: Calibration) -> str:
    """Say the floor, and how far the calls were apart."""
    floor_ms, spread_ms = result.floor_s * 1000, result.spread_s * 1000
    return f"floor {floor_ms:.0f} ms, spread {spread_ms:.0f} ms, n = {result.n}"


FLOOR = family(
    "calls",
    "voice_probe_floor_seconds",
    "gauge",
    "",
    "Error of the measurement itself: measured minus true delay, against an echo on the same "
    "server, median of the last calibration. Not subtracted from any latency. Absent before the "
    "first calibration.",
    keeps=True,
)


def readings(_config: CalibrateConfig, outcome: Outcome) -> Iterator[Reading]:
    """Show the floor."""
    if isinstance(outcome.result, Calibration):
        yield FLOOR.read(outcome.result.floor_s)


PROBE = Probe(
    name="calibrate",
    config=CalibrateConfig,
    measure="exporter.probes.calibrate.measure:calibrate",
    lane="call",
    judge=failed_is_all,
    summary=summary,
    families=(FLOOR,),
    reader=always(readings),
)
