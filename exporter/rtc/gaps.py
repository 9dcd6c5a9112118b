"""How long no media came, from what the receiver has counted; connections lost and made again."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exporter.outcome import UNPROVOKED, Reason, Reconnect
from exporter.rtc.stats import ReceivedStream, Snapshot

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


FLOWS_S = 1.0
"""Media that flow without a gap for so long are back."""
SILENCE_S = 1.0
"""A shorter silence is none that a break began with: media went on while signalling was lost."""


@dataclass(slots=True)
class Outage:
    """A time that a participant had no connection, by the SDK's word; wall clock."""

    lost_s: float
    back_s: float | None = None
    """None while it is not connected again."""


def settled(outages: Sequence[Outage], heard: Sequence[Span]) -> bool:
    """Tell whether all are connected again and media have flowed since."""
    return all(
        each.back_s is not None and flows_since(heard, each.back_s, FLOWS_S) for each in outages
    )


def unprovoked(
    outages: Sequence[Outage], heard: Sequence[Span], gone: str, until_s: float
) -> tuple[Reconnect, ...]:
    """Tell what came of each break.

    Args:
        outages: Of all participants.
        heard: When packets came at the receiver.
        gone: Why the SDK gave one of them up; "" if it did not.
        until_s: When it was last looked at; wall clock, as all times here.
    """
    since_s = 0.0
    found = []
    for broken, ended_s in _breaks(outages, heard, until_s):
        began_s = min(each.lost_s for each in broken)
        spans = _until(heard, ended_s)
        is_back = settled(broken, spans)
        if not is_back:  # the silence has not ended, but it has begun
            spans = (*spans, Span(ended_s, ended_s))
        silence = longest_silence(spans, since_s)
        if silence is not None and silence.seconds >= SILENCE_S:
            began_s = min(began_s, silence.began_s)
        back = [each.back_s for each in broken if each.back_s is not None]
        resume_s = max(back) - began_s if len(back) == len(broken) else None
        if is_back:
            gap_s = silence.seconds if silence is not None else None
            found.append(Reconnect(UNPROVOKED, resume_s, gap_s))
        elif gone:
            detail = gave_up(gone)
            found.append(Reconnect(UNPROVOKED, resume_s, reason=Reason.ROOM_CLOSED, detail=detail))
        else:
            found.append(not_back(UNPROVOKED, resume_s, ended_s - began_s))
        since_s = max(back, default=ended_s)
    return tuple(found)


def not_back(kind: str, resume_s: float | None, within_s: float) -> Reconnect:
    """Say what of a connection did not come back in that time: itself, or media by it."""
    if resume_s is None:
        detail = f"not reconnected within {within_s:.3g} s"
        return Reconnect(kind, reason=Reason.CONNECT_FAILED, detail=detail)
    detail = f"reconnected, but no media arrived within {within_s:.3g} s"
    return Reconnect(kind, resume_s, reason=Reason.NO_AUDIO_TRACK, detail=detail)


def gave_up(gone: str) -> str:
    """Say that the SDK does not try any more, and why."""
    return f"the SDK gave up ({gone})"


def _breaks(
    outages: Sequence[Outage], heard: Sequence[Span], until_s: float
) -> Iterator[tuple[list[Outage], float]]:
    """Yield the outages of each break, and when the next one began or it was last looked at."""
    broken: list[Outage] = []
    for each in sorted(outages, key=lambda outage: outage.lost_s):
        if broken and settled(broken, _until(heard, each.lost_s)):
            yield broken, each.lost_s
            broken = []
        broken.append(each)
    if broken:
        yield broken, until_s


def _until(heard: Sequence[Span], at_s: float) -> tuple[Span, ...]:
    return tuple(span for span in heard if span.last_s <= at_s)
