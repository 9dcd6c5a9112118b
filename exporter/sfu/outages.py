"""Connections that were lost and that nobody broke: what came of each.

The SDK's words tell that one was lost and when it was back, the receiver's packets how long
nothing was heard. A link that is cut leaves several participants without a connection: that is one
break.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exporter.outcome import UNPROVOKED, Reason, Reconnect
from exporter.sfu.gaps import Span, flows_since, longest_silence

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
        detail = f"not connected again within {within_s:.3g} s"
        return Reconnect(kind, reason=Reason.CONNECT_FAILED, detail=detail)
    detail = f"connected again, but nothing was heard within {within_s:.3g} s"
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
