"""Writes the series of kept calls: how many there are, and how many were lost."""

from exporter.metrics.registry import Metrics
from exporter.outcome import LossReason


class EvidenceSeries:
    """Shows what is kept."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        for reason in LossReason:
            metrics.create("voice_evidence_lost_total", reason)

    def kept(self, calls: int, size: int) -> None:
        """Show how many calls are kept, and how many bytes they take together."""
        self._metrics.set("voice_evidence_calls", calls)
        self._metrics.set("voice_evidence_bytes", size)

    def lost(self, reason: LossReason) -> None:
        """Count a call that could not be kept."""
        self._metrics.add("voice_evidence_lost_total", 1, reason)
