"""Break connections to the SFU on purpose, and time how they come back."""

from collections.abc import Mapping
from math import ceil
from typing import Any

from pydantic import Field

from exporter.config.rules import Faults, rule
from exporter.config.values import Duration, ProbeSection, holds_needed
from exporter.outcome import Finding, Outcome, Reconnect, SfuReconnects, Verdict, failure
from exporter.probe import Probe, always
from exporter.probes.reconnect.families import FAMILIES, readings

CLEANUP_S = 5.0
"""Kept back from the deadline, so that the room is deleted and what was measured is told."""
_AROUND_S = 10.0 + CLEANUP_S
"""To make the room, and to leave it."""
_KINDS, _CONNECT_S = 3, 15.0
"""Ways in which a connection is broken, and what it takes to have one that can be."""


def _needed_s(config: Mapping[str, Any]) -> float:
    """Return the seconds that a round may take in which nothing comes back."""
    return float(ceil(_AROUND_S + _KINDS * (_CONNECT_S + config.get("timeout", 0.0))))


class ReconnectConfig(ProbeSection):
    """Reconnects of test connections; those of callers are not touched."""

    enabled: bool = Field(True, description="Break test connections on a schedule.")
    interval: Duration = Field(3600.0, ge=60, description="Time between two tests.")
    timeout: Duration = Field(30.0, gt=0, le=300, description="Time limit to reconnect.")
    max_gap: Duration = Field(5.0, gt=0, description="Silence above which the verdict is SLOW.")
    deadline: Duration = Field(
        default_factory=_needed_s,
        gt=0,
        description=(
            "Time limit of a test. Not set: derived from `timeout`; a shorter one is refused."
        ),
    )

    @rule
    def _deadline_holds_test(self) -> Faults:
        return holds_needed(self.deadline, _needed_s(vars(self)), "test")


def judge(config: ReconnectConfig, outcome: Outcome) -> tuple[Finding, ...]:
    """Judge connections that were broken: FAIL if one did not come back, SLOW by the silence."""
    if outcome.reason is not None:
        return failure(outcome)
    found = outcome.result.reconnects if isinstance(outcome.result, SfuReconnects) else ()
    longest = max(found, key=_gap_s, default=None)
    if longest is None or _gap_s(longest) <= config.max_gap:
        return ()
    return (Finding(Verdict.SLOW, f"{longest.text}, above {config.max_gap:g} s"),)


def summary(result: SfuReconnects) -> str:
    """Say how many came back, and how long nothing was heard."""
    back = sum(each.reason is None for each in result.reconnects)
    longest_s = max(map(_gap_s, result.reconnects), default=0.0)
    count = len(result.reconnects)
    return f"{back} of {count} connections came back, no media for {longest_s:.2f} s at most"


def _gap_s(reconnect: Reconnect) -> float:
    return reconnect.media_gap_s or 0.0


PROBE = Probe(
    name="reconnect",
    config=ReconnectConfig,
    measure="exporter.probes.reconnect.measure:measure_reconnects",
    lane="call",
    judge=judge,
    summary=summary,
    families=FAMILIES,
    reader=always(readings),
)
