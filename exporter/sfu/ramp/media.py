"""How much of the audio did not come, of what was sent: uplink, SFU and downlink together.

Gaps in the numbers of packets tell of packets that are lost within a stream. A stream that stands
still has no gaps, so what was sent and what came are compared as well.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from exporter.outcome import Loss
from exporter.sfu.stats import ReceivedStream, SentStream, Snapshot

PACKETS_PER_S = 50
"""Of an Opus track without DTX: 20 ms each."""
UNDER_WAY = 25
"""Packets of one stream that may be sent and not come yet: half a second of them."""


@dataclass(frozen=True, slots=True)
class Span:
    """The statistics of one client at the beginning and at the end of a span of time."""

    first: Snapshot
    last: Snapshot

    @property
    def sent(self) -> int:
        """Audio packets that it sent."""
        before = {each.ssrc: each.packets for each in self.first.sent}
        return sum(_since(each, before) for each in self.last.sent)

    @property
    def received(self) -> int:
        """Audio packets that came to it."""
        before = {each.ssrc: each.packets for each in self.first.received}
        return sum(_since(each, before) for each in self.last.received)

    @property
    def gaps(self) -> int:
        """Audio packets that are missing between those that came."""
        before = {each.ssrc: each.lost for each in self.first.received}
        # A late packet takes a gap back, perhaps one of the span before.
        return max(0, sum(each.lost - before.get(each.ssrc, 0) for each in self.last.received))


def media_loss(receiver: Span, senders: Sequence[Span]) -> Loss | None:
    """Return what one client missed of the audio that others sent to it.

    Args:
        receiver: The client.
        senders: The others in its room.

    Returns:
        None if nothing was sent.
    """
    sent = sum(each.sent for each in senders)
    if not sent:
        return None
    there = receiver.received + receiver.gaps
    stalled = max(0, sent - there - UNDER_WAY * len(senders))
    return Loss(there + stalled, receiver.gaps + stalled)


def sent_ratio(spans: Iterable[Span], seconds: float) -> float:
    """Return the share of the audio packets that were due in so many seconds and were sent."""
    sent = [each.sent for each in spans]
    due = len(sent) * seconds * PACKETS_PER_S
    return min(1.0, sum(sent) / due) if due else 1.0


def _since(stream: SentStream | ReceivedStream, before: dict[int, int]) -> int:
    return stream.packets - before.get(stream.ssrc, 0)
