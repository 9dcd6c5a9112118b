"""Percentiles, and how many samples they need."""

import math
from collections.abc import Sequence

P95_NEEDS = 20
"""Samples below which a 95th percentile would only be the maximum under another name."""


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which a share of the samples lies, interpolated linearly."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def p95(ordered: Sequence[float]) -> float | None:
    """Return the 95th percentile; None for fewer samples than it needs."""
    return quantile(ordered, 0.95) if len(ordered) >= P95_NEEDS else None
