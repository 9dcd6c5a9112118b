"""What one run of one probe found."""

from dataclasses import dataclass
from datetime import datetime

from exporter.outcome.calls import Calibration, CallResult
from exporter.outcome.fleet import Listing, WorkerScrape
from exporter.outcome.load import Ramp
from exporter.outcome.network import SfuBaseline, SfuReach, SfuReconnects
from exporter.outcome.reasons import Reason
from exporter.outcome.verdict import Finding, Verdict, verdict_of

Result = (
    CallResult
    | Calibration
    | Listing
    | Ramp
    | SfuBaseline
    | SfuReach
    | SfuReconnects
    | WorkerScrape
)
"""What a probe may have found."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of one probe found. A failed run carries a reason, always."""

    probe: str
    """The row in `exporter.probes.PROBES`: latency agents workers calibrate."""
    agent_name: str
    """The target's agent, or "" for probes that have none."""
    started_at: datetime
    """Wall clock, UTC; for people only, never used in arithmetic."""
    duration_s: float
    reason: Reason | None = None
    detail: str = ""
    result: Result | None = None
    log: tuple[str, ...] = ()
    """The run's own log lines, oldest first."""
    run_id: str = ""
    """Set by the runner; on every log line of the run and in the name of its room."""
    findings: tuple[Finding, ...] | None = None
    """What its probe's judge found, set by the runner: () is PASS. None: it was not judged yet."""

    @property
    def ok(self) -> bool:
        """Whether the run measured what it set out to measure."""
        return self.reason is None

    @property
    def verdict(self) -> Verdict:
        """The judgement: the worst of its findings, UNKNOWN while nobody has judged it."""
        return Verdict.UNKNOWN if self.findings is None else verdict_of(self.findings)


def failure(outcome: Outcome) -> tuple[Finding, ...]:
    """Return the finding of a run that failed, whatever it measures; () where it did not fail.

    UNKNOWN where the prober spoiled it, or asked more often than it may; else FAIL.
    """
    if outcome.reason is None:
        return ()
    own = outcome.reason in (Reason.VOID, Reason.QUOTA_EXCEEDED)
    verdict = Verdict.UNKNOWN if own else Verdict.FAIL
    return (Finding(verdict, f"{outcome.reason}: {outcome.detail}"),)
