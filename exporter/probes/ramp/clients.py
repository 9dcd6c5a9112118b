"""One room and its clients, each of which hears the others and sends data messages to the next."""

import asyncio
import logging
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from exporter.errors import ProbeError
from exporter.outcome import Loss
from exporter.rtc.client import Client
from exporter.rtc.noise import Noise
from exporter.rtc.stats import ReceivedStream, SentStream, Snapshot
from exporter.server_api import Server, make_token

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
    def sent_kbps(self) -> float:
        """Kilobits of RTP that it sent in a second."""
        return _kbps(self.first.sent, self.last.sent)

    @property
    def received_kbps(self) -> float:
        """Kilobits of RTP that came to it in a second."""
        return _kbps(self.first.received, self.last.received)

    @property
    def gaps(self) -> int:
        """Audio packets that are missing between those that came."""
        before = {each.ssrc: each.lost for each in self.first.received}
        # A late packet takes a gap back, perhaps one of the span before.
        return max(0, sum(each.lost - before.get(each.ssrc, 0) for each in self.last.received))


def media_loss(receiver: Span, senders: Sequence[Span]) -> Loss | None:
    """Return what one client missed of the audio that others sent to it.

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


def _kbps(
    first: Sequence[SentStream | ReceivedStream], last: Sequence[SentStream | ReceivedStream]
) -> float:
    """Return the sum of the streams that were there all the time."""
    before = {each.ssrc: each for each in first}
    return sum(
        (each.size - before[each.ssrc].size) * 8e-3 / (each.at_s - before[each.ssrc].at_s)
        for each in last
        if each.ssrc in before and each.at_s > before[each.ssrc].at_s
    )


log = logging.getLogger(__name__)


@dataclass(slots=True)
class Seat:
    """A place in a room, and who sits there."""

    client: Client | None = None
    error: ProbeError | None = None
    """Why nobody sits there."""

    @property
    def taken(self) -> bool:
        """Whether a client is connected."""
        return self.client is not None and self.client.room.isconnected()


@dataclass(slots=True)
class RoomOfClients:
    """One room of the ramp, in this process."""

    name: str
    server: Server
    noise: Noise
    """What every client of the process publishes: one source costs half of one for each."""
    seats: list[Seat] = field(default_factory=list)

    @property
    def clients(self) -> list[Client]:
        """Those who are connected, in the order of their seats."""
        return [seat.client for seat in self.seats if seat.client is not None and seat.taken]

    def widen(self, size: int) -> None:
        """Have so many seats."""
        self.seats += [Seat() for _ in range(size - len(self.seats))]

    async def connect(self, seat: Seat, timeout_s: float) -> None:
        """Fill a seat; why it stays empty is written there."""
        await self._clear(seat)
        client = Client(f"ramp-{secrets.token_hex(8)}")
        token = make_token(self.server, identity=client.identity, room=self.name)
        try:
            await client.connect(self.server.url, token, timeout_s, receive=True)
            await client.publish(1, timeout_s, self.noise)
        except ProbeError as error:
            seat.error = error
            await client.leave()
        except asyncio.CancelledError:
            await client.leave()
            raise
        else:
            seat.client, seat.error = client, None

    async def leave(self) -> None:
        """Take every client out."""
        await asyncio.gather(*(self._clear(seat) for seat in self.seats))

    async def _clear(self, seat: Seat) -> None:
        client, seat.client = seat.client, None
        if client is not None:
            await client.leave()
