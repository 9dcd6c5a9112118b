"""What keeps calls to be seen and heard, beside the ledger, and where other exporters find them."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from socket import gethostname

from exporter.evidence.keeper import Keeper
from exporter.metrics.evidence import EvidenceSeries
from exporter.metrics.registry import Metrics
from exporter.settings.settings import Settings
from exporter.store.buffered import BufferedStore
from exporter.store.config import evidence_folder
from exporter.store.records import EvidencePlace


def make_keeper(settings: Settings, metrics: Metrics) -> Keeper | None:
    """Return the keeper of a daemon; None where nothing is to be on the disk.

    Args:
        settings: Of the daemon.
        metrics: Show what is kept.
    """
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
