"""Tiers of a load: how many run at one time, from few to many."""

from dataclasses import dataclass
from itertools import pairwise

from exporter.config.values import invalid


@dataclass(frozen=True, slots=True)
class TierBounds:
    """What tiers may be, and how they are named in messages."""

    fewest: int
    most: int
    most_tiers: int
    unit: str
    """What runs: calls, clients."""
    example: str

    def split(self, value: object) -> object:
        """Take numbers from text such as `2,10,25`; what is no text stays."""
        if not isinstance(value, str):
            return value
        parts = [part.strip() for part in value.split(",")]
        if not all(part.isdecimal() for part in parts):
            raise invalid(
                f"{{value}} is not a list of tiers; expected numbers of {self.unit} such as "
                f"{self.example}"
            )
        return tuple(int(part) for part in parts)

    def check(self, tiers: tuple[int, ...]) -> tuple[int, ...]:
        """Refuse too many tiers, one out of bounds, and one that is not above the one before."""
        if len(tiers) > self.most_tiers:
            raise invalid(f"has {len(tiers)} tiers; expected at most {self.most_tiers}")
        if not all(self.fewest <= each <= self.most for each in tiers):
            raise invalid(
                f"{{value}} has a tier out of bounds; expected {self.fewest} to {self.most} "
                f"{self.unit}"
            )
        if any(after <= before for before, after in pairwise(tiers)):
            raise invalid("{value} is not increasing; expected each tier above the previous one")
        return tiers
