"""How long no media came, from what a receiver has counted."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exporter.sfu.stats import ReceivedStream, Snapshot

PACKET_S = 0.020
"""Of audio in one packet."""


@dataclass(frozen=True, slots=True)
class Span:
    """Packets came all the time from first to last; wall clock."""

    first_s: float
    last_s: float


@dataclass(frozen=True, slots=True)
class Silence:
    """No packet came for so long."""

    began_s: float
    """With the last packet before it; wall clock."""
    seconds: float


def spans(readings: Sequence[Snapshot]) -> tuple[Span, ...]:
    """Return when packets came, in the order of their beginnings; those of streams overlap.

    A reading tells how many packets have come since the one before and when the last of them did.
    The first of them came as much earlier as they are long.
    """
    found: list[Span] = []
    before: dict[int, ReceivedStream] = {}
    for reading in readings:
        found += _new(before, reading)
        before |= {each.ssrc: each for each in reading.received}
    return tuple(sorted(found, key=lambda span: span.first_s))


def _new(before: dict[int, ReceivedStream], reading: Snapshot) -> Iterator[Span]:
    """Yield the packets that came on each stream since it was last read."""
    for each in reading.received:
        known = before.get(each.ssrc)
        count = each.packets - (known.packets if known else 0)
        if count > 0:
            first_s = each.last_packet_s - (count - 1) * PACKET_S
            # Packets that were held up come in a burst: none had come when it was last read.
            unread_s = min(known.at_s, each.last_packet_s) if known else first_s
            yield Span(max(first_s, unread_s), each.last_packet_s)


def longest_silence(found: Sequence[Span], since_s: float) -> Silence | None:
    """Return the longest time without a packet that ended after that moment; None if none came."""
    longest: Silence | None = None
    # Of several streams, each begins anew at a moment of its own: any of them ends the silence.
    last_s = itertools.accumulate((span.last_s for span in found), max)
    for before_s, after in zip(last_s, found[1:], strict=False):
        gap_s = max(0.0, after.first_s - before_s)
        if after.last_s > since_s and (longest is None or gap_s > longest.seconds):
            longest = Silence(before_s, gap_s)
    return longest


def longest_gap(found: Sequence[Span], since_s: float) -> float | None:
    """Return how long the longest silence was that ended after that moment; None if none came."""
    silence = longest_silence(found, since_s)
    return None if silence is None else silence.seconds


def silent_s(reading: Snapshot) -> float:
    """Return how long no packet had come when it was read; infinite if none ever did."""
    return min((each.at_s - each.last_packet_s for each in reading.received), default=math.inf)


def flows_since(found: Sequence[Span], since_s: float, for_s: float) -> bool:
    """Tell whether packets have come for so long after that moment, and none failed to for long."""
    late = [span for span in found if span.last_s > since_s]
    last_s = max((span.last_s for span in late), default=since_s)
    if not late or last_s - max(since_s, late[0].first_s) < for_s:
        return False
    gap_s = longest_gap(late, last_s - for_s)
    return gap_s is not None and gap_s < for_s / 2
