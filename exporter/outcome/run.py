"""What one run of one probe found."""

import errno
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from exporter.outcome.calls import CallResult
from exporter.outcome.reasons import Reason
from exporter.outcome.verdict import Finding, Verdict, verdict_of


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of one probe found. A failed run carries a reason, always."""

    probe: str
    """The row in `exporter.probes.PROBES`."""
    agent_name: str
    """The target's agent, or "" for probes that have none."""
    started_at: datetime
    """Wall clock, UTC; for people only, never used in arithmetic."""
    duration_s: float
    reason: Reason | None = None
    detail: str = ""
    result: object = None
    """What was measured, of a type of the probe; None where nothing was."""
    log: tuple[str, ...] = ()
    """The run's own log lines, oldest first."""
    loop_lag_s: float | None = None
    """The largest lateness of the event loop of the probe's process while it was connected; None
    where none was watched."""
    run_id: str = ""
    """Set by the runner; on every log line of the run and in the name of its room."""
    findings: tuple[Finding, ...] | None = None
    """What its probe's judge found, set by the runner: () is PASS. None: it was not judged yet."""
    kept: object = None
    """What the next run of the probe gets as `Run.before`, from who looks after it: nobody else
    sees it."""
    fence: int | None = None
    """The fencing number of the lease under which it ran: of two runs of one target, the one with
    the smaller number is of an older holder. None where no leases are taken."""

    @property
    def ok(self) -> bool:
        """Whether the run measured what it set out to measure."""
        return self.reason is None

    @property
    def target(self) -> tuple[str, ...]:
        """The agent name, call type and scenario of a target; () for probes of the server."""
        return self.result.key if isinstance(self.result, CallResult) else ()

    @property
    def verdict(self) -> Verdict:
        """The judgement: the worst of its findings, UNKNOWN while nobody has judged it."""
        return Verdict.UNKNOWN if self.findings is None else verdict_of(self.findings)


class LossReason(StrEnum):
    """Why what a call was to leave behind is lost: the label `reason`."""

    DISK_FULL = "disk_full"
    NOT_WRITABLE = "not_writable"
    """A read-only file system, or no permission."""
    TOO_SLOW = "too_slow"
    """The disk takes less than there is to write."""
    OTHER = "other"
    """The log says more."""

    @classmethod
    def of(cls, error: BaseException) -> Self:
        """Return what an error means."""
        return cls(_LOSSES.get(getattr(error, "errno", None) or 0, cls.OTHER))


_LOSSES = {
    errno.ENOSPC: LossReason.DISK_FULL,
    errno.EDQUOT: LossReason.DISK_FULL,
    errno.EROFS: LossReason.NOT_WRITABLE,
    errno.EACCES: LossReason.NOT_WRITABLE,
    errno.EPERM: LossReason.NOT_WRITABLE,
}


@dataclass(frozen=True, slots=True)
class EvidenceLost:
    """A run could not write down what happens in it; nothing else is lost."""

    reason: LossReason
    detail: str
    """One line on that for people."""


def failure(outcome: Outcome) -> tuple[Finding, ...]:
    """Return the finding of a run that failed, whatever it measures; () where it did not fail.

    UNKNOWN where the fault is the prober's own, else FAIL.
    """
    if outcome.reason is None:
        return ()
    verdict = Verdict.UNKNOWN if outcome.reason.is_own_fault else Verdict.FAIL
    return (Finding(verdict, f"{outcome.reason}: {outcome.detail}"),)
