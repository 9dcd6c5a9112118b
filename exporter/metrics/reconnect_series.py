"""The series of connections that were lost: two probes write them, each of its own kinds."""

from collections.abc import Iterable

from exporter.metrics.registry import Metrics
from exporter.outcome import Reason, Reconnect

_RESUME, _GAP = "voice_reconnect_seconds", "voice_media_gap_seconds"
_FAILURES = "voice_reconnect_failures_total"


class ReconnectSeries:
    """The series of some kinds of breaks, of one vantage at a time."""

    def __init__(self, metrics: Metrics, kinds: Iterable[str], reasons: Iterable[Reason]) -> None:
        """Prepare them; none is created yet.

        Args:
            metrics: What is written to.
            kinds: Of breaks, which nobody else writes.
            reasons: Why a connection may not have come back.
        """
        self._metrics = metrics
        self._kinds = tuple(kinds)
        self._reasons = tuple(reasons)

    def create(self, vantage: str) -> None:
        """Let the series exist, so that the first break is an increase."""
        for kind in self._kinds:
            self._metrics.create(_RESUME, vantage, kind)
            self._metrics.create(_GAP, vantage, kind)
            for reason in self._reasons:
                self._metrics.create(_FAILURES, vantage, kind, reason)

    def record(self, vantage: str, found: Iterable[Reconnect]) -> None:
        """Write what came of breaks: times of those that came back, reasons of the others."""
        for each in found:
            labels = vantage, each.kind
            if each.reason is not None:
                self._metrics.add(_FAILURES, 1, *labels, each.reason)
                continue
            for name, seconds in ((_RESUME, each.resume_s), (_GAP, each.media_gap_s)):
                if seconds is not None:
                    self._metrics.observe(name, seconds, *labels)

    def forget(self, vantage: str) -> None:
        """Remove the series; those of other kinds stay."""
        for kind in self._kinds:
            for name in (_RESUME, _GAP, _FAILURES):
                self._metrics.remove(name, vantage=vantage, kind=kind)
