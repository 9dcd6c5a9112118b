"""The ways of media once more, with round trips and with each TURN server by itself."""

import asyncio
import time
from collections import defaultdict
from contextlib import suppress

from livekit import rtc
from livekit.rtc._proto.room_pb2 import IceServer, IceTransportType

from exporter.errors import ProbeError
from exporter.outcome import Transport
from exporter.probes.preflight.verdicts import UdpPorts
from exporter.probes.reach.measure import Ways
from exporter.rtc.client import Client
from exporter.rtc.signalling import Joined, Relay
from exporter.rtc.tasks import at_once
from exporter.server_api import Server

_LISTEN_S = 2.5
"""ICE checks a path about as often, so that each has at least one round trip more."""
_POLL_S = 0.2


class TimedWays(Ways):
    """Ways whose round trips are noted, and the port of the server that each used."""

    def __init__(self, server: Server, room: str, timeout_s: float, joined: Joined) -> None:
        """See `Ways`."""
        super().__init__(server, room, timeout_s, joined)
        self._relays = joined.relays
        self.round_trips_s: dict[str, list[float]] = defaultdict(list)
        """By transport."""
        self.used: list[str] = []
        """HOST:PORT of the server that media took by UDP, one for each participant."""

    async def ports(self, participants: int) -> UdpPorts:
        """Let so many participants connect at once, each at the port that the server gives it."""
        tried = await at_once(self.udp() for _ in range(participants))
        return UdpPorts(
            worked=tuple(self.used),
            failed=tuple(each.detail for each in tried if not each.works),
            offered=tuple(place for each in tried for place in each.offered),
        )

    async def relay(self, *, tls: bool) -> Transport | None:
        """Connect through the TURN servers that speak TLS, or those that speak UDP.

        Returns:
            None where the server offers none of them.
        """
        servers = [each for each in self._relays if _is_of(each, tls=tls)]
        if not servers:
            return None
        ice = [
            IceServer(urls=[each.url], username=each.username, password=each.credential)
            for each in servers
        ]
        config = rtc.RtcConfiguration(
            ice_servers=ice, ice_transport_type=IceTransportType.TRANSPORT_RELAY
        )
        tried = await self._try("turn", self._wait_for_path, config)
        offered = tuple(each.url for each in servers)
        return Transport("turn", tried.works, offered, tried.detail, tried.seconds)

    async def _stay(self, client: Client, transport: str) -> None:
        """Note round trips, and the port of the server."""
        deadline, seen, remote = time.monotonic() + _LISTEN_S, 0, ""
        while time.monotonic() < deadline:
            with suppress(ProbeError):
                path = (await client.read()).path
                if path is not None and path.transport == transport and path.answers > seen:
                    seen, remote = path.answers, f"{path.remote.address}:{path.remote.port}"
                    self.round_trips_s[transport].append(path.round_trip_s)
            await asyncio.sleep(_POLL_S)
        if transport == "udp":
            self.used.append(remote or "an unknown port")


def _is_of(relay: Relay, *, tls: bool) -> bool:
    if relay.url.startswith("turns:"):
        return tls
    return not tls and "transport=tcp" not in relay.url
