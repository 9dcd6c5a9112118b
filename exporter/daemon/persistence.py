"""The daemon's part that survives a restart: the ledger, kept calls, and what was found last."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from socket import gethostname

from exporter.daemon.agent_loads import AgentLoads
from exporter.daemon.current import Current
from exporter.daemon.ledger import Ledger
from exporter.daemon.ramps import Ramps
from exporter.evidence.keeper import Keeper
from exporter.metrics.own import EvidenceSeries
from exporter.metrics.recorder import Recorder
from exporter.metrics.registry import Metrics
from exporter.roster.roster import Roster
from exporter.settings.settings import Settings
from exporter.store.buffered import BufferedStore
from exporter.store.config import evidence_folder
from exporter.store.records import EvidencePlace, RunQuery, RunRecord
from exporter.web.sources import History

MOST_RUNS = 10_000
"""The strips of 200 targets; read in about a second, before anything is served."""
_AT_ONCE = 500
_SINCE = timedelta(days=2)
_KEEP_ROSTER_EVERY_S = 60.0


class Persistence:
    """Opens, restores, saves and closes it all."""

    def __init__(
        self, ledger: Ledger, keeper: Keeper | None, recorder: Recorder, current: Current
    ) -> None:
        """Put the parts together; nothing is opened before `start`.

        Args:
            ledger: Runs, budgets, and small documents.
            keeper: Keeps calls to be seen and heard; None where nothing is to be on the disk.
            recorder: Shows again what was found last.
            current: The configuration.
        """
        self.ledger = ledger
        self.keeper = keeper
        self.evidence = EvidenceIndex(ledger.store)
        self.ramps = Ramps(
            ledger.store,
            recorder.show,
            lambda: current.settings.ramp_here(),  # noqa: PLW0108 - a reload replaces the settings
        )
        self.agent_loads = AgentLoads(
            ledger.store,
            recorder.show,
            lambda: current.settings.load_here(),  # noqa: PLW0108 - a reload replaces the settings
        )

    async def start(self, url: str) -> None:
        """Open the ledger, then the folder of kept calls, of which the ledger makes sure.

        Args:
            url: Where the pages of this exporter are.

        Raises:
            ConfigError: Another exporter uses the folder.
        """
        self.evidence.reached_at(url)
        await self.ledger.start()
        if self.keeper is not None:
            self.keeper.on_change = self.evidence.update
            await self.keeper.start()

    async def restore(self, roster: Roster) -> None:
        """Show what an exporter before this one knew."""
        roster.restore(await self.ledger.store.workers())
        await self.ramps.restore()
        await self.agent_loads.restore()

    def reconfigure(self, settings: Settings) -> None:
        """Keep runs and calls as long as a new configuration says."""
        self.ledger.reconfigure(settings.store)
        if self.keeper is not None:
            self.keeper.reconfigure(settings.evidence)

    async def keep_roster(self, roster: Roster) -> None:
        """Save the roster regularly, for ever, so that it survives a crash."""
        while True:
            await asyncio.sleep(_KEEP_ROSTER_EVERY_S)
            self.ledger.store.save_workers(roster.export())

    async def aclose(self, roster: Roster) -> None:
        """Save the roster, write what waits, and close it all."""
        self.ledger.store.save_workers(roster.export())
        await self.ledger.aclose()
        if self.keeper is not None:
            await self.keeper.aclose()


def make_keeper(settings: Settings, metrics: Metrics) -> Keeper | None:
    """Return what keeps calls; None where nothing is to be on the disk."""
    if not settings.store.enabled:
        return None
    return Keeper(evidence_folder(settings.store), settings.evidence, EvidenceSeries(metrics))


@dataclass(slots=True)
class EvidenceIndex:
    """Which calls this exporter keeps, in the ledger that it shares with others."""

    store: BufferedStore
    place: EvidencePlace = field(default_factory=lambda: EvidencePlace(gethostname(), ""))
    """Of this exporter."""
    _before: Collection[str] = frozenset()

    def reached_at(self, url: str) -> None:
        """Know where the pages of this exporter are."""
        self.place = replace(self.place, url=url)

    def update(self, run_ids: Collection[str]) -> None:
        """Let the others know which calls are kept here now."""
        self.store.save_evidence(self.place, run_ids, self._before)
        self._before = run_ids

    async def elsewhere(self, run_id: str) -> EvidencePlace | None:
        """Return which other exporter keeps a call; None: no other one."""
        found = await self.store.evidence(run_id)
        return None if found == self.place else found


async def recall(history: History, now: datetime) -> list[RunRecord]:
    """Return the runs of the last days, the oldest first, for the status page."""
    found: list[RunRecord] = []
    query = RunQuery(_AT_ONCE)
    while len(found) < MOST_RUNS:
        page = await history.runs(query)
        recent = [run for run in page if run.started_at >= now - _SINCE]
        found += recent
        if len(recent) < _AT_ONCE:
            break
        query = replace(query, before=recent[-1].started_at, before_id=recent[-1].run_id)
    return found[::-1]
