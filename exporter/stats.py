"""Percentiles, with how many samples they need, and the figures of a call's turns."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from exporter.outcome import Turn

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


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values that are known; None where none is."""
    known = [each for each in values if each is not None]
    return fmean(known) if known else None


def mean_jitter_buffer_s(turns: Iterable[Turn]) -> float | None:
    """Return the mean depth of the caller's jitter buffer over the turns that know it, in seconds.

    Without the warm-up turn, in which it settles; None where no other turn knows it.
    """
    return mean(turn.jitter_buffer_s for turn in turns if not turn.warmup)


@dataclass(frozen=True, slots=True)
class Stats:
    """What the measured turns took, in seconds; `None` where n allows no value.

    To the first sound of the answer: a filler is none.
    """

    n: int
    """Turns that were answered and are not warm-up."""
    avg_s: float | None = None
    p50_s: float | None = None
    p95_s: float | None = None
    """Interpolated between the two nearest samples; None below 20 of them."""
    min_s: float | None = None
    max_s: float | None = None

    @classmethod
    def of(cls, turns: Iterable[Turn]) -> "Stats":
        """Compute the statistics of the turns that were answered and are not warm-up."""
        values = sorted(
            seconds
            for turn in turns
            if turn.is_measured and (seconds := turn.answered_s) is not None
        )
        if not values:
            return cls(0)
        return cls(
            n=len(values),
            avg_s=fmean(values),
            p50_s=quantile(values, 0.5),
            p95_s=p95(values),
            min_s=values[0],
            max_s=values[-1],
        )
