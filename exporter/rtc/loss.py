"""How much of the media was lost on the way to the SFU, and on the way from it.

The SFU reports, for each stream that we send, how many packets it missed. The receiver counts
gaps in the numbers of packets, and the SFU forwards gaps: what the uplink has lost is missing
there too. So the downlink's own loss is what the receiver misses beyond that share.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import groupby

from exporter.outcome import Loss
from exporter.rtc.stats import ReceivedStream, ReceiverReport, SentStream, Snapshot


def loss_up(sender: Sequence[Snapshot]) -> Loss | None:
    """Return what was lost between the sender and the SFU, up to the SFU's last reports.

    Args:
        sender: Statistics of the sender, in order of time.

    Returns:
        None while there is no report.
    """
    sent = _by_ssrc(each for snapshot in sender for each in snapshot.sent)
    packets = lost = 0
    for ssrc, report in _last_reports(sender).items():
        # It tells of what had arrived when it was written, half a round trip before.
        packets += round(_packets_at(sent[ssrc], report.at_s - report.round_trip_s / 2))
        lost += report.lost
    return Loss(packets, min(max(0, lost), packets)) if packets else None


def reported_until(sender: Sequence[Snapshot]) -> float:
    """Return when the SFU's last report came, on this host's wall clock; 0 before the first."""
    return max((each.at_s for each in _last_reports(sender).values()), default=0.0)


def loss_down(
    receiver: Sequence[Snapshot], up: Loss | None, until_s: float = math.inf
) -> Loss | None:
    """Return what was lost between the SFU and the receiver.

    Args:
        receiver: Statistics of the receiver, in order of time.
        up: What was lost before, on the way to the SFU.
        until_s: When that was reported, on this host's wall clock. What is missing since may be
            the uplink's: a burst there must not be told of the downlink.

    Returns:
        None while nothing was received, or while `up` is not known.
    """
    known = [each for each in receiver if all(one.at_s <= until_s for one in each.received)]
    if not known or up is None:
        return None
    last = _last_received(known)
    missing = max(0, sum(each.lost for each in last))
    expected = sum(each.packets for each in last) + missing
    if not expected:
        return None
    forwarded = round(expected * (1 - up.ratio))
    return Loss(forwarded, min(max(0, missing - (expected - forwarded)), forwarded))


def concealed_ratio(receiver: Sequence[Snapshot]) -> float | None:
    """Return the share of what was played that was made up, since the first statistics."""
    if not receiver:
        return None
    before = {each.ssrc: each for each in receiver[0].received}
    samples = concealed = 0
    for each in _last_received(receiver):
        start = before.get(each.ssrc)
        samples += each.samples - (start.samples if start else 0)
        concealed += each.concealed - (start.concealed if start else 0)
    return concealed / samples if samples > 0 else None


def _last_reports(sender: Sequence[Snapshot]) -> dict[int, ReceiverReport]:
    return {each.ssrc: each for snapshot in sender for each in snapshot.reports}


def _last_received(receiver: Sequence[Snapshot]) -> tuple[ReceivedStream, ...]:
    """Return the last word of each stream: a lost connection that is made anew has other ones."""
    return tuple({each.ssrc: each for snapshot in receiver for each in snapshot.received}.values())


def _by_ssrc(streams: Iterable[SentStream]) -> dict[int, list[SentStream]]:
    ordered = sorted(streams, key=lambda each: (each.ssrc, each.at_s))
    return {ssrc: list(group) for ssrc, group in groupby(ordered, key=lambda each: each.ssrc)}


def _packets_at(readings: Sequence[SentStream], at_s: float) -> float:
    """Return how many packets had been sent by then, between two readings by their rate."""
    before = [each for each in readings if each.at_s <= at_s]
    after = [each for each in readings if each.at_s > at_s]
    if not before:
        return after[0].packets
    if not after:
        return before[-1].packets
    first, last = before[-1], after[0]
    share = (at_s - first.at_s) / (last.at_s - first.at_s)
    return first.packets + share * (last.packets - first.packets)
