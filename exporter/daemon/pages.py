"""What the pages show of the daemon: its status, what to heed, and whether it is ready."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from exporter.daemon.fleet import Fleet
from exporter.daemon.health import Health
from exporter.daemon.ledger import Ledger
from exporter.daemon.works import Works
from exporter.outcome import Outcome
from exporter.run.runner import Runner
from exporter.web.status import Viewer, status_page
from exporter.web.watched import WatchList


class _HasProblem(Protocol):
    """A part that may have a problem although the exporter works."""

    @property
    def problem(self) -> str:
        """One line on it, "" without one."""


@dataclass(frozen=True, slots=True)
class Pages:
    """The parts that pages show."""

    works: Works
    watch_list: WatchList
    ledger: Ledger
    fleet: Fleet
    runner: Runner
    health: Health
    parts: tuple[_HasProblem | None, ...]
    """In the order in which their problems are shown; None for one that is not configured."""

    def status(self, viewer: Viewer) -> Callable[[], str]:
        """Take a snapshot for the status page of who asks.

        Returns:
            Makes the HTML of it, in any thread.
        """
        watched = self.watch_list.copy()
        due = {each: self.works.scheduler.next_run(each) for each in watched.lines}
        group = self.works.group
        return partial(
            status_page,
            watched,
            due.get,
            remaining={each: self.ledger.remaining(each) for each in watched.lines}.__getitem__,
            workers=tuple(self.fleet.roster.workers()),
            notes=tuple(filter(None, (self.health.problem, *self.notes()))),
            pools=self.runner.states(),
            viewer=viewer,
            group=group.view() if group is not None else None,
        )

    def notes(self) -> tuple[str, ...]:
        """Return what an operator should know although the exporter works, one line each."""
        return tuple(part.problem for part in self.parts if part is not None and part.problem)


class Readiness:
    """Whether what is shown is to be relied on: once rooms have been listed, here or elsewhere."""

    def __init__(self) -> None:
        self._listed = False

    def record(self, outcome: Outcome) -> None:
        """Take note of a listing: a listener."""
        self._listed = self._listed or outcome.probe == "agents"

    def why_not(self, works: Works) -> str:
        """Return why the exporter is not ready, "" when it is."""
        if works.stopping:
            return "stopping"
        group = works.group
        if group is not None and group.problem and not group.leases.held:
            return group.problem
        if self._listed or (group is not None and group.has_looked):
            return ""
        return "the first room listing has not ended yet"
