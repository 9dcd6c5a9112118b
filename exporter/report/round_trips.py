"""Round trips as a document shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from exporter.quantile import P95_NEEDS, quantile


@dataclass(frozen=True, slots=True)
class RoundTrips:
    """Statistics of round trips, in milliseconds; `None` where n allows no value."""

    p50: float | None
    p95: float | None
    """None below 20 samples."""
    max: float | None
    n: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """Compute the statistics of round trips in seconds."""
        values = sorted(each * 1000 for each in seconds)
        if not values:
            return cls(None, None, None, 0)
        p95 = quantile(values, 0.95) if len(values) >= P95_NEEDS else None
        return cls(quantile(values, 0.5), p95, values[-1], len(values))
