"""What a probe is handed, and the shape that every probe has."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from exporter.outcome import Outcome, RampProgress, Reason, Result, Turn
from exporter.server_api import Server


def _nobody(_news: RampProgress | Turn | str) -> None:
    """Take a finished turn, a room or a progress when no one watches."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one probe: where to, until when, and where to tell of it."""

    id: str
    """On every log line of this run."""
    server: Server
    deadline: float
    """On the monotonic clock of the probe's process; the runner kills what passes it."""
    on_turn: Callable[[Turn], None] = _nobody
    """Called after each turn of a call, for people who watch."""
    on_room: Callable[[str], None] = _nobody
    """Called with the name of a room that this run is about to create, so that the runner can
    delete it should the run be killed. Never call it with a room of someone else."""
    on_progress: Callable[[RampProgress], None] = _nobody
    """Called now and again by a ramp, for people who watch."""
    clock: Callable[[], float] = time.monotonic
    started: float = field(default_factory=time.monotonic)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    lines: list[str] = field(default_factory=list)

    def log(self, line: str) -> None:
        """Keep one line of what happened, with the seconds since the start. No secrets."""
        self.lines.append(f"{self.clock() - self.started:8.3f} {line}")

    def left(self) -> float:
        """Return the seconds until the deadline, at least 0."""
        return max(0.0, self.deadline - self.clock())

    def outcome(
        self,
        probe: str,
        agent_name: str = "",
        *,
        result: Result | None = None,
        reason: Reason | None = None,
        detail: str = "",
    ) -> Outcome:
        """Build the Outcome of this run as of now."""
        return Outcome(
            probe=probe,
            agent_name=agent_name,
            started_at=self.started_at,
            duration_s=self.clock() - self.started,
            reason=reason,
            detail=detail,
            result=result,
            log=tuple(self.lines),
        )
