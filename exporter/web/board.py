"""What the status page shows: a listener that keeps the last run of everything, and failures."""

from collections import deque
from dataclasses import dataclass, field

from exporter.daemon.plan import call_id
from exporter.outcome import CallResult, Outcome, Verdict
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.scheduler import Work

FAILURES_KEPT = 20


@dataclass(slots=True)
class Line:
    """Something that is watched."""

    work: Work
    last: Outcome | None = None

    @property
    def verdict(self) -> Verdict:
        """The judgement of the last run; UNKNOWN before it."""
        return Verdict.UNKNOWN if self.last is None else self.last.verdict


@dataclass(slots=True)
class Board:
    """What is watched and what came of it lately."""

    server: str
    lines: dict[str, Line] = field(default_factory=dict)
    """By the id of the work."""
    failures: deque[Outcome] = field(default_factory=lambda: deque(maxlen=FAILURES_KEPT))
    """The latest runs that failed, newest first."""

    def add(self, work: Work) -> None:
        """Watch something; what is watched already keeps its last run."""
        known = self.lines.get(work.id)
        self.lines[work.id] = Line(work, known.last if known else None)

    def remove(self, work_id: str) -> None:
        """Watch it no more."""
        self.lines.pop(work_id, None)

    @property
    def targets(self) -> tuple[LatencyConfig, ...]:
        """Every agent that is called, and how."""
        configs = (line.work.config for line in self.lines.values())
        return tuple(config for config in configs if isinstance(config, LatencyConfig))

    def record(self, outcome: Outcome) -> None:
        """Keep a finished run: the listener."""
        if outcome.reason is not None:
            self.failures.appendleft(outcome)
        line = self.lines.get(_work_id(outcome))
        if line is not None:
            line.last = outcome


def _work_id(outcome: Outcome) -> str:
    if isinstance(outcome.result, CallResult):
        result = outcome.result
        return call_id((result.agent_name, result.call_type, result.scenario))
    return outcome.probe
