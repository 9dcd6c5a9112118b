"""The knee: the last tier at which the targets held, or why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from exporter.sfu.ramp.judge import JudgedTier


class KneeKind(StrEnum):
    """What a ramp says of the knee; only one of them is a number."""

    FOUND = "found"
    """A tier held, and the next one did not."""
    BELOW_FIRST = "below_first"
    """Not even the first tier held."""
    NONE_WITHIN = "none_within"
    """Every tier held: the SFU carries more than was asked."""
    LIMITED = "limited"
    """The prober was the limit before a tier broke: the SFU may carry more."""
    UNKNOWN = "unknown"
    """The ramp ended before it could tell."""


@dataclass(frozen=True, slots=True)
class Knee:
    """The answer."""

    kind: KneeKind
    clients: int | None = None
    """Only when it was found."""
    text: str = ""
    """For people."""


def find_knee(tiers: Sequence[JudgedTier], *, complete: bool = True) -> Knee:
    """Return the knee of a ramp.

    Args:
        tiers: From few clients to many. What comes after the first that broke says nothing more.
        complete: Whether the ramp came to the end that it had planned, or to a tier that broke.
    """
    last_held: int | None = None
    for tier in tiers:
        if tier.limited:
            text = f"not known: the prober was the limit at {tier.clients} clients"
            return Knee(KneeKind.LIMITED, text=text)
        if not tier.held:
            if last_held is None:
                return Knee(KneeKind.BELOW_FIRST, text=f"below {tier.clients} clients")
            return Knee(KneeKind.FOUND, last_held, f"~{last_held} clients")
        last_held = tier.clients
    if not complete or last_held is None:
        return Knee(KneeKind.UNKNOWN, text="not known: the ramp did not come to its end")
    return Knee(KneeKind.NONE_WITHIN, text=f"none within the ramp: {last_held} clients held")


def is_last(tier: JudgedTier) -> bool:
    """Return whether a ramp ends with this tier: more load could only hurt, and tell nothing."""
    return tier.limited or not tier.held
