"""Agents in rooms, and the workers behind them: what `agents` prints."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from exporter.outcome import (
    Finding,
    Listing,
    Outcome,
    Verdict,
    WorkerScrape,
    verdict_of,
    worst,
)
from exporter.probes.agents.spec import judge_workers
from exporter.report.printing import age, agent_label, clean, console, say, table
from exporter.roster.types import Worker, WorkerStatus
from exporter.roster.wire import WorkerView

NO_ROSTER = (
    "idle workers are unknown, because the LiveKit server API does not list them; set "
    "workers.scrape to their pages, or --collector to an exporter that they report to with "
    "register_worker"
)
_MOST_LISTED = 5
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
    unasked: tuple[Finding, ...] = ()
    """What of it should have been: by pages, and by the running exporter."""
    looked: tuple[str, ...] = ()
    """Where agents and workers were looked for."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What keeps the fleet from PASS: the listing, the workers, and what could not be asked."""
        listed = self.listing.findings or ()
        return (*listed, *judge_workers(self.workers), *self.unasked)

    @property
    def verdict(self) -> Verdict:
        """The worst of the findings; UNKNOWN where nobody has judged the listing."""
        return worst((self.listing.verdict, verdict_of(self.findings)))


def page_notes(scrape: Outcome) -> list[str]:
    """Say which workers' pages did not answer."""
    if not isinstance(scrape.result, WorkerScrape):
        return [f"worker pages were not read: {scrape.reason}: {scrape.detail}"]
    failed = [page for page in scrape.result.pages if page.reason is not None]
    notes = [f"{page.url}: {page.detail}" for page in failed[:_MOST_LISTED]]
    if len(failed) > _MOST_LISTED:
        notes.append(f"{len(failed) - _MOST_LISTED} more worker pages did not answer")
    return notes


@dataclass(frozen=True, slots=True)
class AgentItem:
    """One agent in a room, or one that was dispatched to it and is not there."""

    agent_name: str
    identity: str | None
    room: str
    state: str
    humans: int
    age_s: float


@dataclass(frozen=True, slots=True)
class AgentsDocument:
    """What `agents --json` prints."""

    in_room: tuple[AgentItem, ...]
    workers: tuple[WorkerView, ...]

    @classmethod
    def of(
        cls, listing: Listing, workers: Iterable[Worker] = (), now: float = 0
    ) -> "AgentsDocument":
        """Describe a listing and the workers that are known, `now` being Unix time."""
        views = tuple(WorkerView.of(worker, now) for worker in workers)
        return cls(tuple(agent_items(listing)), views)


def agent_items(listing: Listing) -> Iterable[AgentItem]:
    """Yield the agents in rooms, then the dispatched ones that are not there."""
    for each in listing.agents:
        state = each.state or "active"
        yield AgentItem(each.agent_name, each.identity, each.room, state, each.humans, each.age_s)
    for absent in listing.pending:
        yield AgentItem(
            absent.agent_name, None, absent.room, "dispatched", absent.humans, absent.age_s
        )


def print_agents(listing: Listing) -> None:
    """Print the agents in rooms, and the dispatched ones that did not come."""
    out = console()
    items = list(agent_items(listing))
    if items:
        rows = [
            (
                agent_label(item.agent_name),
                clean(item.room),
                clean(item.state),
                str(item.humans),
                age(item.age_s),
            )
            for item in items
        ]
        out.print(table(("AGENT", "ROOM", "STATE", "HUMANS", "AGE"), rows))
        out.print()
    agents = _count(len(listing.agents), "agent")
    rooms = _count(len({agent.room for agent in listing.agents}), "room")
    pending = f", {len(listing.pending)} dispatches pending" if listing.pending else ""
    out.print(f"{agents} active in {rooms}{pending}.")


def print_looked(looked: Sequence[str]) -> None:
    """Print where agents and workers were looked for: one that is nowhere there is not known."""
    say(console(), f"Looked at {'; '.join(map(clean, looked))}.")


def print_workers(workers: Sequence[Worker], now: float) -> None:
    """Print the workers that are known, `now` being Unix time, and how many do what."""
    out = console()
    if workers:
        heads = "AGENT", "WORKER", "STATUS", "JOBS", "LOAD", "VERSION", "SEEN"
        rows = [
            (
                agent_label(each.agent_name),
                clean(each.worker_id),
                each.status,
                "-" if each.active_jobs is None else str(each.active_jobs),
                "-" if each.load is None else f"{each.load:.2f}",
                clean(each.sdk_version) or "-",
                age(max(0.0, now - each.last_seen)),
            )
            for each in workers
        ]
        out.print(table(heads, rows))
        out.print()
    counts = Counter(each.status for each in workers)
    parts = [f"{counts[status]} {status}" for status in WorkerStatus if counts[status]]
    detail = f" ({', '.join(parts)})" if parts else ""
    out.print(f"{_count(len(workers), 'worker')} registered{detail}.")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
