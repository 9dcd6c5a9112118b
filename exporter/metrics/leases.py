"""Writes the series of leases: what this exporter holds, and what nobody does."""

from collections.abc import Mapping

from exporter.metrics.own_families import LEASE_LOSSES, LEASES
from exporter.metrics.registry import Metrics

_HELD, _UNHELD = LEASES[:2]


class LeaseSeries:
    """Shows the leases of a group; without a group there is none of these, and no series."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        for reason in LEASE_LOSSES:
            metrics.create("voice_lease_losses_total", reason)
        metrics.create("voice_lease_results_refused_total")
        self.members(0)

    def show(self, subject: Mapping[str, str], *, is_held: bool, unheld_intervals: float) -> None:
        """Show a lease.

        Args:
            subject: The labels of what it is about.
            is_held: Whether this exporter has it.
            unheld_intervals: How long nobody has had it, as a multiple of the interval.
        """
        self._metrics.set(_HELD.name, is_held, *_HELD.label_values(subject))
        self._metrics.set(_UNHELD.name, unheld_intervals, *_UNHELD.label_values(subject))

    def remove(self, subject: Mapping[str, str]) -> None:
        """Let the series of a lease go."""
        for family in (_HELD, _UNHELD):
            self._metrics.discard(family.name, family.label_values(subject))

    def lost(self, reason: str) -> None:
        """Count a lease that was lost."""
        self._metrics.add("voice_lease_losses_total", 1, reason)

    def refused(self) -> None:
        """Count a run whose result is not used."""
        self._metrics.add("voice_lease_results_refused_total", 1)

    def members(self, count: int) -> None:
        """Show how many exporters of the group live."""
        self._metrics.set("voice_lease_members", count)
