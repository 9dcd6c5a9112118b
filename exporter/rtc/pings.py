"""Data messages from one participant to another on the same host: one round trip on one clock.

The message crosses the network to the SFU and back, and both its times are taken here. An answer
to the sender would make it two round trips.
"""

import asyncio
import secrets
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from livekit import rtc
from livekit.rtc.participant import PublishDataError

from exporter.errors import ProbeError
from exporter.limits import Limit, away
from exporter.outcome import Reason
from exporter.rtc.client import Client
from exporter.rtc.lag import LagMonitor
from exporter.server_api.errors import one_line

TOPIC = "voice-exporter.ping"
LOST_AFTER_S = 2.0
"""A message that takes longer is lost."""
SPACING_S = 0.05
"""Least time between two messages."""
PACE = 1.2
"""Round trips between two messages: faster than one, and the SCTP below sends in storms."""
MAX_LAG_S = 0.010
"""An event loop later than this while a message was under way voids it."""
MAX_WAIT_LAG_S = LOST_AFTER_S / 2
"""Nothing is lost by being waited for shorter than this: an event loop later than that voids, too.
A smaller lateness does not, or a busy prober would hide what the network loses."""


@dataclass(slots=True)
class Pings:
    """What has come of the messages sent so far; times in seconds."""

    round_trips_s: list[float] = field(default_factory=list)
    """Of those that arrived, in order."""
    sent: int = 0
    lost: int = 0
    voids: int = 0
    """Those that met an event loop of ours that was late: they say nothing of the network."""
    floors_s: list[float] = field(default_factory=list)
    """From the request to send to the SDK's answer that it was sent: the same loop, process border
    and event queue as a round trip, without the network."""

    @property
    def floor_s(self) -> float | None:
        """Median of `floors_s`; None if there are none."""
        return statistics.median(self.floors_s) if self.floors_s else None

    @property
    def on_the_way_s(self) -> tuple[float, ...]:
        """The round trips less the floor, at least 0.

        The SDK's news take as long to reach us whether a message was sent or has come, so this is
        the time from the one to the other: network and SFU. The median is taken off, not each
        message's own floor, for one late answer would make its message a fast one.
        """
        floor_s = self.floor_s or 0.0
        return tuple(max(0.0, each - floor_s) for each in self.round_trips_s)

    @property
    def answered(self) -> int:
        """Messages that tell something: measured or lost."""
        return len(self.round_trips_s) + self.lost


class Pinger:
    """Sends messages from one client to another, one at a time.

    Unreliable ones, for what is lost would else be sent again and be a late one.

    Args:
        sender: In the room.
        receiver: In the same room, in this process.
        lag: Watches the event loop of both.
    """

    def __init__(self, sender: Client, receiver: Client, lag: LagMonitor) -> None:
        self._sender = sender
        self._receiver = receiver
        self._lag = lag
        self._run = secrets.token_bytes(8)
        self._awaited: tuple[bytes, asyncio.Future[float]] | None = None
        self.result = Pings()
        receiver.on_data(self._take)

    async def ping(self) -> float | None:
        """Send one message and wait for it, then for the pace.

        Returns:
            The round trip in seconds; None if it was lost or is void.

        Raises:
            ProbeError: room_closed: nothing can be sent any more.
        """
        began = time.monotonic()
        arrived = await self._arrival()
        result = self.result
        result.sent += 1
        measured: float | None = None
        if arrived is None and self._lag.worst(began, time.monotonic()) > MAX_WAIT_LAG_S:
            result.voids += 1
        elif arrived is None:
            result.lost += 1
        elif self._lag.worst(began, arrived) > MAX_LAG_S:
            result.voids += 1
        else:
            measured = arrived - began
            result.round_trips_s.append(measured)
        pace_s = max(SPACING_S, PACE * (measured or self._usual_s()))
        await asyncio.sleep(max(0.0, began + pace_s - time.monotonic()))
        return measured

    async def _arrival(self) -> float | None:
        """Send the next message; return when it arrived, None if it did not in time."""
        loop = asyncio.get_running_loop()
        payload = self._run + self.result.sent.to_bytes(4, "big")
        arrival: asyncio.Future[float] = loop.create_future()
        self._awaited = (payload, arrival)
        began = time.monotonic()
        try:
            async with asyncio.timeout(LOST_AFTER_S):
                await self._sender.room.local_participant.publish_data(
                    payload,
                    reliable=False,
                    destination_identities=[self._receiver.identity],
                    topic=TOPIC,
                )
                self.result.floors_s.append(time.monotonic() - began)
                return await arrival
        except TimeoutError:
            return None
        except PublishDataError as error:
            detail = one_line(f"a data message could not be sent: {error.message}")
            failed = ProbeError(Reason.ROOM_CLOSED, detail)
            raise away(Limit.LOST, failed, time.monotonic()) from error
        finally:
            self._awaited = None

    def _usual_s(self) -> float:
        recent: Sequence[float] = self.result.round_trips_s[-10:]
        return max(recent, default=0.0)

    def _take(self, packet: rtc.DataPacket) -> None:
        now = time.monotonic()
        if self._awaited is not None and packet.data == self._awaited[0]:
            arrival = self._awaited[1]
            if not arrival.done():
                arrival.set_result(now)
