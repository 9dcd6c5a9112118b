"""The relay of one call: a TURN server in a thread of its own, and what the SDK needs to use it."""

import asyncio
import secrets
import socket
import threading
import time
from typing import Self
from urllib.parse import urlsplit

from livekit import rtc
from livekit.rtc._proto.room_pb2 import IceTransportType

from exporter.outcome import LineCounts
from exporter.rtc.relay.impairment import Impairment
from exporter.rtc.relay.lane import Lane
from exporter.rtc.relay.turn import TurnServer

_ANY_PORT = 9
"""Of the server, to ask the kernel for the way to it: nothing is sent there."""
_LOOPBACK = "127.0.0.1"


class Relay:
    """Relays one call, for as long as the block lasts.

    It has a thread with an event loop of its own: late work of the caller's loop delays no packet
    by more than what Python's threads wait for each other, and no packet delays the caller's work.

    Args:
        server_url: Of the LiveKit server: its address tells by which of its own this host goes.
        up: What happens to what the caller sends.
        down: What happens to what the caller is sent.
        seed: The same seed has the same packets lost; another one for each call if empty.
    """

    def __init__(self, server_url: str, up: Impairment, down: Impairment, seed: str = "") -> None:
        self.seed = seed or secrets.token_hex(8)
        self._server_url = server_url
        self._lines = (up, down)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def start(self) -> None:
        """Open its sockets, and begin; may wait for a resolver.

        Raises:
            OSError: No socket could be opened.
        """
        self._loop = loop = asyncio.new_event_loop()
        self._up, self._down = (
            Lane(line, f"{self.seed} {way}", loop)
            for line, way in zip(self._lines, ("up", "down"), strict=True)
        )
        self._server = TurnServer(self._up, self._down, own_address(self._server_url), loop)
        self._thread = threading.Thread(target=loop.run_forever, name="relay", daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def stop(self) -> None:
        """End everything; what is held is dropped. What it has counted can still be read."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._server.close()
        self._loop.close()

    @property
    def rtc_config(self) -> rtc.RtcConfiguration:
        """With which the SDK's media goes through the relay alone."""
        host, port = self._server.address
        return rtc.RtcConfiguration(
            ice_transport_type=IceTransportType.TRANSPORT_RELAY,
            ice_servers=[
                rtc.IceServer(
                    urls=[f"turn:{host}:{port}?transport=udp"],
                    username=self._server.username,
                    password=self._server.password,
                )
            ],
        )

    @property
    def own_host(self) -> str:
        """The address of this host that the SFU is told."""
        return self._server.host

    @property
    def allocated(self) -> int:
        """How many relayed addresses the SDK has asked for so far."""
        return self._server.allocated

    @property
    def answered(self) -> int:
        """How many datagrams have come from the SFU so far."""
        return self._server.answered

    @property
    def cpu_s(self) -> float:
        """CPU seconds that its thread has taken so far, while it runs."""
        return time.clock_gettime(time.pthread_getcpuclockid(self._thread.ident or 0))

    def silence(self, seconds: float) -> None:
        """Drop everything in both directions for so long, from now on."""
        for lane in (self._up, self._down):
            self._loop.call_soon_threadsafe(lane.silence, seconds)

    def counts(self) -> LineCounts:
        """Return what it has done to RTP so far."""
        return LineCounts(self._up.counts(), self._down.counts())


def own_address(server_url: str) -> str:
    """Return the address of this host by which it reaches a server; loopback if there is no way."""
    try:
        ((family, kind, protocol, _, address), *_) = socket.getaddrinfo(
            urlsplit(server_url).hostname, _ANY_PORT, type=socket.SOCK_DGRAM
        )
        with socket.socket(family, kind, protocol) as asked:
            asked.connect(address)
            return str(asked.getsockname()[0])
    except OSError:
        return _LOOPBACK
