"""One room and its clients, each of which hears the others and sends data messages to the next."""

import asyncio
import logging
import secrets
from dataclasses import dataclass, field

from exporter.errors import ProbeError
from exporter.server_api import Server, make_token
from exporter.sfu.client import Client
from exporter.sfu.noise import Noise

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Seat:
    """A place in a room, and who sits there."""

    client: Client | None = None
    connect_s: float | None = None
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
        seat.connect_s = None
        client = Client(f"ramp-{secrets.token_hex(8)}")
        token = make_token(self.server, identity=client.identity, room=self.name)
        try:
            took_s = await client.connect(self.server.url, token, timeout_s, receive=True)
            await client.publish(1, timeout_s, self.noise)
        except ProbeError as error:
            seat.error = error
            await client.leave()
        except asyncio.CancelledError:
            await client.leave()
            raise
        else:
            seat.client, seat.connect_s, seat.error = client, took_s, None

    async def leave(self) -> None:
        """Take every client out."""
        await asyncio.gather(*(self._clear(seat) for seat in self.seats))

    async def _clear(self, seat: Seat) -> None:
        client, seat.client = seat.client, None
        if client is not None:
            await client.leave()
