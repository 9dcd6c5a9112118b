"""The offset between two monotonic clocks, from round trips of requests.

The answer was made somewhere between question and answer, so half a round trip is the largest
error. The shortest of several round trips has the least. Wall clocks are not asked: hosts that
were told the wrong time would begin at the wrong moment.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and its answer; seconds."""

    asked: float
    """On our clock."""
    told: float
    """The other's clock, as it answered."""
    answered: float
    """On our clock."""

    @property
    def round_trip_s(self) -> float:
        """From question to answer."""
        return self.answered - self.asked


@dataclass(frozen=True, slots=True)
class Offset:
    """What the other's clock shows more than ours."""

    seconds: float

    @classmethod
    def of(cls, exchanges: Iterable[Exchange]) -> Self:
        """Return the offset by the shortest exchange."""
        best = min(exchanges, key=lambda each: each.round_trip_s)
        return cls(best.told - (best.asked + best.answered) / 2)

    def ours(self, theirs: float) -> float:
        """Return a time of the other's clock on ours."""
        return theirs - self.seconds
