"""What the command `agents` found: agents in rooms, and the workers behind them."""

from dataclasses import dataclass

from exporter.outcome import Outcome, WorkerScrape
from exporter.roster.types import Worker

NO_ROSTER = (
    "idle workers are unknown: the LiveKit server API does not list them; set workers.scrape to "
    "their pages, or --collector to an exporter to which they report by register_worker"
)
_TOLD = 5
"""Pages that did not answer, of which each has a note."""


@dataclass(frozen=True, slots=True)
class FleetReport:
    """Agents and workers as of one moment."""

    listing: Outcome
    workers: tuple[Worker, ...]
    """Everyone who is known, from whichever source."""
    asked: bool
    """Whether workers were asked for; else only those behind agents in rooms are known."""
    now: float
    """Unix time of the moment."""
    notes: tuple[str, ...] = ()
    """What could not be learned, one line each, for stderr."""


def page_notes(scrape: Outcome) -> list[str]:
    """Say which workers' pages did not answer."""
    if not isinstance(scrape.result, WorkerScrape):
        return [f"workers' pages were not read: {scrape.reason}: {scrape.detail}"]
    failed = [page for page in scrape.result.pages if page.reason is not None]
    notes = [f"{page.url}: {page.detail}" for page in failed[:_TOLD]]
    if len(failed) > _TOLD:
        notes.append(f"and {len(failed) - _TOLD} more workers' pages did not answer")
    return notes
