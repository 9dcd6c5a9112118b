"""What calls to agents measured, and their verdict: the figures behind text and JSON."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime

from exporter.outcome import (
    Calibration,
    CallResult,
    Components,
    Finding,
    Outcome,
    Reason,
    Turn,
    Verdict,
    worst,
)
from exporter.probes.latency.spec import LatencyConfig
from exporter.report.printing import Judged
from exporter.stats import Stats, mean


@dataclass(frozen=True, slots=True)
class CallReport(Judged[LatencyConfig]):
    """One call to one agent, with its judgement."""

    known: tuple[str, ...] | None = None
    """Names of the agents that have a worker, where none took the call; None: not asked."""

    @property
    def result(self) -> CallResult:
        """The call's result; without turns where the call came to none."""
        found = self.outcome.result
        if isinstance(found, CallResult):
            return found
        return CallResult(self.config.agent_name, self.config.call_type, self.config.scenario)

    @property
    def unlisted_reason(self) -> Reason | None:
        """Why the call failed, where none of its turns says so."""
        reason = self.outcome.reason
        return None if any(turn.reason is reason for turn in self.result.turns) else reason

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Every turn; a call that failed outside of its turns ends in one with the reason."""
        if self.unlisted_reason is None:
            return self.result.turns
        last = Turn.without_reply(self.unlisted_reason, self.outcome.detail)
        return (*self.result.turns, last)

    @property
    def stats(self) -> Stats:
        """Statistics over the measured turns."""
        return Stats.of(self.result.turns)

    @property
    def components(self) -> Components | None:
        """The average of each component over the measured turns; None where none is known."""
        return average(self.result.turns)


@dataclass(frozen=True, slots=True)
class LatencyReport:
    """What `latency` found."""

    run_at: datetime
    server: str
    calls: tuple[CallReport, ...] = ()
    floor: Outcome | None = None
    """The calibration of the same run, if one was asked for."""
    failure: Outcome | None = None
    """The listing that should have found agents, if it failed."""
    unasked: tuple[Finding, ...] = ()
    """Why there may be agents that were not found."""

    @property
    def calibration(self) -> Calibration | None:
        """The floor, if it was measured."""
        found = self.floor.result if self.floor else None
        return found if isinstance(found, Calibration) else None

    @property
    def verdict(self) -> Verdict:
        """The worst of the calls; not PASS where agents may be missing."""
        if self.failure:
            return Verdict.FAIL
        called = [call.verdict for call in self.calls]
        return worst((*called, *(finding.verdict for finding in self.unasked)))


def average(turns: Iterable[Turn]) -> Components | None:
    """Return the average of each component over the measured turns that know it."""
    known = [turn.components for turn in turns if turn.is_measured]
    means = {
        field.name: mean(getattr(each, field.name) for each in known)
        for field in fields(Components)
    }
    return Components(**means) if any(each is not None for each in means.values()) else None
