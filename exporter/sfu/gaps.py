"""How long no media came, from what a receiver has counted."""

import itertools
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


def spans(readings: Sequence[Snapshot]) -> tuple[Span, ...]:
    """Return when packets came, in order of time.

    A reading tells how many packets have come since the one before and when the last of them did.
    The first of them came as much earlier as they are long.
    """
    found: list[Span] = []
    before: dict[int, ReceivedStream] = {}
    for reading in readings:
        found += _new(before, reading)
        before |= {each.ssrc: each for each in reading.received}
    return tuple(sorted(found, key=lambda span: span.last_s))


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


def longest_gap(found: Sequence[Span], since_s: float) -> float | None:
    """Return the longest time without a packet that ended after that moment; None if none came."""
    longest: float | None = None
    for before, after in itertools.pairwise(found):
        if after.last_s > since_s:
            longest = max(longest or 0.0, after.first_s - before.last_s)
    return longest


def flows_since(found: Sequence[Span], since_s: float, for_s: float) -> bool:
    """Tell whether packets have come for so long after that moment, and none failed to for long."""
    late = [span for span in found if span.last_s > since_s]
    if not late or late[-1].last_s - max(since_s, late[0].first_s) < for_s:
        return False
    gap_s = longest_gap(late, late[-1].last_s - for_s)
    return gap_s is not None and gap_s < for_s / 2
