"""What keeps calls to be seen and heard, beside the ledger."""

from exporter.evidence.keeper import Keeper
from exporter.metrics.evidence import EvidenceSeries
from exporter.metrics.registry import Metrics
from exporter.settings.settings import Settings
from exporter.store.config import evidence_folder


def make_keeper(settings: Settings, metrics: Metrics) -> Keeper | None:
    """Return the keeper of a daemon; None where nothing is to be on the disk.

    Args:
        settings: Of the daemon.
        metrics: Show what is kept.
    """
    if not settings.store.enabled:
        return None
    return Keeper(evidence_folder(settings.store), settings.evidence, EvidenceSeries(metrics))
