"""What the pages are handed: the rest of the exporter as they see it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from prometheus_client import CollectorRegistry

from exporter.calls.turns import TurnBatch
from exporter.errors import ExporterError
from exporter.evidence.kept import KeptCall
from exporter.metrics.registry import Metrics, process_metrics
from exporter.outcome import Outcome, Turn
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.ramp.figures import RampFigures
from exporter.roster.roster import Roster
from exporter.store.records import EvidencePlace, RunQuery, RunRecord
from exporter.web.status import Viewer
from exporter.web.watched import TargetStatus


class NotNowError(ExporterError):
    """A call was asked for that may not be made at this moment.

    Attributes:
        retry_after_s: Seconds after which it may be asked for again.
    """

    def __init__(self, why: str, retry_after_s: float) -> None:
        """Refuse a call.

        Args:
            why: One line for people: it is being called, its budget is spent, no window is open.
            retry_after_s: Seconds after which it may be asked for again.
        """
        super().__init__(why)
        self.retry_after_s = retry_after_s


class CallNow(Protocol):
    """Calls one target now, outside its schedule. It charges the budget like any other call."""

    async def __call__(self, target: LatencyConfig, on_turn: Callable[[Turn], None]) -> Outcome:
        """Call and return what came of it; cancelled, it ends the call and cleans up.

        Args:
            target: How to call; its deadline is what the asker can wait for.
            on_turn: Called with every turn as it ends.

        Raises:
            NotNowError: No call is made: one is under way, or budget or window forbid it.
        """


class History(Protocol):
    """Runs that have ended."""

    async def runs(self, query: RunQuery) -> Sequence[RunRecord]:
        """Return runs, the newest first."""

    async def run(self, run_id: str) -> RunRecord | None:
        """Return one run, None if there is none of that id."""


class KeptCalls(Protocol):
    """Calls that are kept to be seen and heard."""

    async def read(self, run_id: str) -> KeptCall | None:
        """Return a kept call; None where there is none, as of what is no id of a run."""

    def sound(self, run_id: str) -> Path | None:
        """Return the file with its sound; None where there is none."""


class TakesDeliveries(Protocol):
    """Takes what the server sends by webhooks."""

    async def take(self, body: bytes, token: str) -> str:
        """Take a delivery with its signature; return why it is refused, "" if it was taken."""

    def refuse(self, reason: str) -> None:
        """Count one that was refused before that."""


async def _nowhere(_run_id: str) -> None:
    return None


def _nothing() -> tuple[()]:
    return ()


@dataclass(frozen=True, slots=True)
class Sources:
    """What the pages show, and what they may ask for. All of it belongs to the event loop."""

    metrics: Metrics
    server_name: str
    """The label `server`."""
    thresholds: Sequence[float]
    """Latencies in seconds that histograms have a bucket for."""
    not_healthy: Callable[[], str]
    """Why the exporter does not do its work, "" when it does."""
    not_ready: Callable[[], str]
    """Why what it shows is not yet, or no more, to be relied on, "" when it is."""
    status_page: Callable[[Viewer], Callable[[], str]]
    """Takes a snapshot for the status page of who asks; what it returns makes the HTML of it, in
    any thread."""
    vantage: Callable[[], str] = lambda: "default"
    """The label of that name."""
    notes: Callable[[], Sequence[str]] = _nothing
    """What an operator should know although it works: one line each."""
    reload: Callable[[], Awaitable[str]] | None = None
    """Read the configuration again; "" when it was taken, else one line on why not."""
    targets: Callable[[], Sequence[LatencyConfig]] = _nothing
    """Everything that is called on a schedule now."""
    watched: Callable[[], Sequence[TargetStatus]] = _nothing
    """The same, with what came of it."""
    process: CollectorRegistry = field(default_factory=process_metrics)
    """What the client library knows of this process."""
    call: CallNow | None = None
    call_soon: Callable[[LatencyConfig], None] | None = None
    """Call one target now, and show what comes of it on the status page; returns at once."""
    roster: Roster | None = None
    history: History | None = None
    kept: KeptCalls | None = None
    elsewhere: Callable[[str], Awaitable[EvidencePlace | None]] = _nowhere
    """Returns which other exporter keeps the call of a run."""
    runbooks: Callable[[], str] = lambda: ""
    """URL of the folder with the runbooks, "" where none is configured."""
    take_ramp: Callable[[RampFigures], str] | None = None
    """Show and keep a ramp that was made elsewhere; returns why it was refused, or ""."""
    deliveries: TakesDeliveries | None = None
    """Takes what the server sends by webhooks."""
    take_turns: Callable[[TurnBatch], None] | None = None
    """Count what an agent reports of real turns."""
