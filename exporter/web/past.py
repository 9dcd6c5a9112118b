"""What became of the runs of one work lately: the strip, since when it is so, and its outages."""

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Self

from exporter.outcome import Components, Reason, TurnOutcome, Verdict
from exporter.report.call_figures import average
from exporter.stats import Stats
from exporter.store.records import RunRecord

RUNS_KEPT = 288
"""Of each work: a day of calls at the interval that is the default."""
OUTAGES_KEPT = 5
"""Of each work: an outage of one must not hide those of others."""
APART = timedelta(hours=1)
"""Failures of one reason that are further apart are two outages; closer ones are counted."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """What a strip and a median need of one run."""

    run_id: str
    at: datetime
    """When it began, UTC."""
    verdict: Verdict
    took_s: float | None
    """Average of the measured turns, to the answer; None where none was measured."""
    parts: Components | None
    """The average of each component; None where the agent reported none."""

    @classmethod
    def of(cls, run: RunRecord) -> Self:
        """Return what is kept of a run."""
        parts = average(run.turns)
        return cls(run.run_id, run.started_at, run.verdict, Stats.of(run.turns).avg_s, parts)


@dataclass(slots=True)
class Outage:
    """Failures of one reason, each within `APART` of the one before."""

    reason: Reason
    detail: str
    """Of the last one."""
    first: datetime
    last: RunRecord
    runs: int = 1


@dataclass(slots=True)
class Past:
    """The runs of one work, in the order in which they ended."""

    runs: deque[PastRun] = field(default_factory=lambda: deque(maxlen=RUNS_KEPT))
    """The newest is the last."""
    outages: deque[Outage] = field(default_factory=lambda: deque(maxlen=OUTAGES_KEPT))
    """The one of the last failure is the first; runs that succeed do not push them out."""
    since: datetime | None = None
    """When the first run began of those in a row that have the verdict of the last."""
    streak: int = 0
    """How many those are."""
    has_changed: bool = False
    """Whether a run before those is known, which had another verdict."""
    _verdict: Verdict = Verdict.UNKNOWN

    def add(self, run: RunRecord, *, scheduled: bool = True) -> None:
        """Take a finished run.

        Args:
            run: What is known of it.
            scheduled: It was made on the schedule; one that someone asked for is shown, and
                changes no verdict.
        """
        now = PastRun.of(run)
        if scheduled:
            self._judge(now)
        self.runs.append(now)
        reason, detail = why_failed(run)
        if reason is not None:
            self._fail(run, reason, detail)

    def copy(self) -> "Past":
        """Return one that does not change when this one does."""
        runs = deque(self.runs, maxlen=RUNS_KEPT)
        outages = deque(map(replace, self.outages), maxlen=OUTAGES_KEPT)
        return replace(self, runs=runs, outages=outages)

    def _judge(self, now: PastRun) -> None:
        if self.since is not None and self._verdict is now.verdict:
            self.streak += 1
            return
        self.has_changed = self.since is not None
        self._verdict, self.since, self.streak = now.verdict, now.at, 1

    def _fail(self, run: RunRecord, reason: Reason, detail: str) -> None:
        for outage in self.outages:
            if outage.reason is reason and run.started_at - outage.last.started_at <= APART:
                outage.last, outage.detail, outage.runs = run, detail, outage.runs + 1
                self.outages.remove(outage)
                self.outages.appendleft(outage)
                return
        self.outages.appendleft(Outage(reason, detail, run.started_at, run))


def why_failed(run: RunRecord) -> tuple[Reason | None, str]:
    """Return why a run came to nothing, or the first turn of it that its verdict follows from."""
    if run.reason is not None:
        return run.reason, run.detail
    for turn in run.turns:
        if not turn.warmup and turn.outcome is _OF_VERDICT.get(run.verdict):
            return turn.reason, turn.detail
    return None, ""


_OF_VERDICT = {Verdict.FAIL: TurnOutcome.FAILED, Verdict.UNKNOWN: TurnOutcome.VOID}
