"""What one run of one probe found."""

from dataclasses import dataclass
from datetime import datetime

from exporter.outcome.calls import Calibration, CallResult
from exporter.outcome.fleet import Listing, WorkerScrape
from exporter.outcome.load import Ramp
from exporter.outcome.network import SfuBaseline, SfuReach, SfuReconnects
from exporter.outcome.reasons import Reason

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

    @property
    def ok(self) -> bool:
        """Whether the run measured what it set out to measure."""
        return self.reason is None
