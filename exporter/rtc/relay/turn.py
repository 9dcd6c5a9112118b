"""A TURN server as far as one client needs it: RFC 8656 by UDP, with long-term credentials.

Messages are coded by aioice. All of it happens in one event loop, on the sockets themselves: a
datagram is sent on within the callback that it wakes.
"""

import asyncio
import secrets
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aioice import stun
from aioice.turn import UDP_TRANSPORT, make_integrity_key

from exporter.rtc.relay.lane import Lane

Address = tuple[str, int]

LIFETIME_S = 600
"""Of an allocation, unless the client asks for less or more."""
MAX_LIFETIME_S = 3600
CHANNEL_S = 600.0
PERMISSION_S = 300.0
MAX_ALLOCATIONS = 32
"""A client has one for each of its interfaces and connections; a connection that is made anew has
new ones before the old ones are gone."""
_CHANNELS = range(0x4000, 0x5000)
_HEADER = struct.Struct("!HH")
_LARGEST = 65536
_LOOPBACK = "127.0.0.1"


@dataclass
class _Allocation:
    """A relayed socket of a client."""

    client: Address
    relayed: socket.socket
    address: Address
    """As the client is told."""
    transaction: bytes
    ends: float
    permissions: dict[str, float] = field(default_factory=dict)
    """Hosts whose datagrams are relayed, and until when."""
    channels: dict[int, tuple[Address, float]] = field(default_factory=dict)
    numbers: dict[Address, int] = field(default_factory=dict)

    def permits(self, host: str, now: float) -> bool:
        return self.permissions.get(host, 0.0) > now

    def channel_to(self, peer: Address, now: float) -> int | None:
        number = self.numbers.get(peer)
        return number if number is not None and self.channels[number][1] > now else None


class _RefusedError(Exception):
    """A request is answered by an error of STUN."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(words)
        self.code = code
        self.words = words


class TurnServer:
    """Relays between one client on this host and its peers, by way of two lanes.

    Args:
        up: Takes what the client sends to its peers.
        down: Takes what peers send to the client.
        host: That clients are told of relayed addresses; they may be reached by others too.
        loop: That it lives in; may not run yet.
    """

    def __init__(self, up: Lane, down: Lane, host: str, loop: asyncio.AbstractEventLoop) -> None:
        self._up, self._down, self._loop = up, down, loop
        self.host = host
        self.username, self.password = secrets.token_hex(8), secrets.token_hex(16)
        self._realm, self._nonce = "voice-exporter", secrets.token_hex(8).encode()
        self._key = make_integrity_key(self.username, self._realm, self.password)
        self._allocations: dict[Address, _Allocation] = {}
        self.allocated = 0
        """Allocations so far."""
        self.answered = 0
        """Datagrams so far that came from peers."""
        self._socket = self._open(_LOOPBACK, self._from_client)
        self.address: Address = self._socket.getsockname()[:2]
        self._handlers: dict[stun.Method, Callable[[stun.Message, Address], dict[str, Any]]] = {
            stun.Method.ALLOCATE: self._allocate,
            stun.Method.REFRESH: self._refresh,
            stun.Method.CREATE_PERMISSION: self._create_permission,
            stun.Method.CHANNEL_BIND: self._bind_channel,
        }

    def close(self) -> None:
        """Close every socket; its loop must not run any more."""
        for each in (*self._allocations.values(),):
            self._free(each)
        self._loop.remove_reader(self._socket)
        self._socket.close()

    def _open(self, host: str, take: Callable[[bytes, Address], None]) -> socket.socket:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_DGRAM)
        opened.setblocking(False)
        opened.bind((host, 0))
        self._loop.add_reader(opened, self._read, opened, take)
        return opened

    def _read(self, ready: socket.socket, take: Callable[[bytes, Address], None]) -> None:
        # Nothing to read, or a peer's port is closed: the next datagram says more.
        with suppress(OSError):
            datagram, sender = ready.recvfrom(_LARGEST)
            take(datagram, sender[:2])

    def _from_client(self, datagram: bytes, client: Address) -> None:
        if datagram[:1] and datagram[0] & 0xC0 == 0x40:  # noqa: PLR2004 - the first bits of a channel
            self._from_channel(datagram, client)
            return
        # struct.error: aioice reads numbers by it. What is no message has no answer.
        with suppress(ValueError, struct.error):
            self._from_message(stun.parse_message(datagram), client)

    def _from_channel(self, datagram: bytes, client: Address) -> None:
        allocation = self._allocation(client)
        if allocation is None or len(datagram) < _HEADER.size:
            return
        number, length = _HEADER.unpack_from(datagram)
        peer, ends = allocation.channels.get(number, (None, 0.0))
        if peer is not None and ends > self._loop.time():
            self._to_peer(allocation, datagram[_HEADER.size : _HEADER.size + length], peer)

    def _from_message(self, message: stun.Message, client: Address) -> None:
        if message.message_class is stun.Class.INDICATION:
            self._send(message, client)
        elif message.message_class is stun.Class.REQUEST:
            answer = stun.Message(
                message.message_method, stun.Class.RESPONSE, message.transaction_id
            )
            try:
                answer.attributes = self._answer(message, client)
            except _RefusedError as refused:
                answer.message_class = stun.Class.ERROR
                answer.attributes = {"ERROR-CODE": (refused.code, refused.words)}
                if refused.code == 401:  # noqa: PLR2004 - RFC 8489: not authenticated
                    answer.attributes |= {"REALM": self._realm, "NONCE": self._nonce}
            else:
                if message.message_method is not stun.Method.BINDING:
                    answer.add_message_integrity(self._key)
            self._put(self._socket, bytes(answer), client)

    def _answer(self, message: stun.Message, client: Address) -> dict[str, Any]:
        if message.message_method is stun.Method.BINDING:
            return {"XOR-MAPPED-ADDRESS": client}
        known = message.attributes.get("USERNAME") == self.username
        if not known or not message.check_message_integrity(self._key):
            raise _RefusedError(401, "Unauthorized")
        handler = self._handlers.get(message.message_method)
        if handler is None:
            raise _RefusedError(400, "Bad Request")
        return handler(message, client)

    def _allocate(self, message: stun.Message, client: Address) -> dict[str, Any]:
        if message.attributes.get("REQUESTED-TRANSPORT") != UDP_TRANSPORT:
            raise _RefusedError(442, "Unsupported Transport Protocol")
        found = self._allocation(client)
        if found is not None and found.transaction != message.transaction_id:
            raise _RefusedError(437, "Allocation Mismatch")
        lifetime = _lifetime(message)
        if found is None:
            found = self._new(message, client, lifetime)
        return {
            "XOR-RELAYED-ADDRESS": found.address,
            "XOR-MAPPED-ADDRESS": client,
            "LIFETIME": lifetime,
        }

    def _new(self, message: stun.Message, client: Address, lifetime: int) -> _Allocation:
        for each in (*self._allocations,):
            self._allocation(each)  # frees those that have ended
        if len(self._allocations) >= MAX_ALLOCATIONS:
            raise _RefusedError(486, "Allocation Quota Reached")
        anywhere = "::" if ":" in self.host else "0.0.0.0"  # noqa: S104 - the way to a peer decides; others are not permitted
        relayed = self._open(anywhere, partial(self._from_peer, client))
        self._allocations[client] = made = _Allocation(
            client=client,
            relayed=relayed,
            address=(self.host, relayed.getsockname()[1]),
            transaction=message.transaction_id,
            ends=self._loop.time() + lifetime,
        )
        self.allocated += 1
        return made

    def _refresh(self, message: stun.Message, client: Address) -> dict[str, Any]:
        allocation, lifetime = self._known(client), _lifetime(message)
        allocation.ends = self._loop.time() + lifetime
        if lifetime == 0:
            self._free(allocation)
        return {"LIFETIME": lifetime}

    def _create_permission(self, message: stun.Message, client: Address) -> dict[str, Any]:
        host, _ = _peer(message)
        self._known(client).permissions[host] = self._loop.time() + PERMISSION_S
        return {}

    def _bind_channel(self, message: stun.Message, client: Address) -> dict[str, Any]:
        allocation, peer, now = self._known(client), _peer(message), self._loop.time()
        number: int = message.attributes.get("CHANNEL-NUMBER", 0)
        bound, _ = allocation.channels.get(number, (peer, 0.0))
        if number not in _CHANNELS or bound != peer:
            raise _RefusedError(400, "Bad Request")
        if allocation.numbers.setdefault(peer, number) != number:
            raise _RefusedError(400, "Bad Request")
        allocation.channels[number] = peer, now + CHANNEL_S
        allocation.permissions[peer[0]] = now + PERMISSION_S
        return {}

    def _send(self, message: stun.Message, client: Address) -> None:
        allocation, payload = self._allocation(client), message.attributes.get("DATA")
        peer = message.attributes.get("XOR-PEER-ADDRESS")
        if message.message_method is not stun.Method.SEND or payload is None or peer is None:
            return
        if allocation is not None and allocation.permits(peer[0], self._loop.time()):
            self._to_peer(allocation, payload, peer)

    def _to_peer(self, allocation: _Allocation, payload: bytes, peer: Address) -> None:
        self._up.take(payload, partial(self._put, allocation.relayed, payload, peer))

    def _from_peer(self, client: Address, datagram: bytes, peer: Address) -> None:
        allocation, now = self._allocation(client), self._loop.time()
        if allocation is None or not allocation.permits(peer[0], now):
            return
        self.answered += 1
        number = allocation.channel_to(peer, now)
        if number is None:
            told = stun.Message(stun.Method.DATA, stun.Class.INDICATION)
            told.attributes = {"XOR-PEER-ADDRESS": peer, "DATA": datagram}
            wrapped = bytes(told)
        else:
            wrapped = _HEADER.pack(number, len(datagram)) + datagram
        self._down.take(datagram, partial(self._put, self._socket, wrapped, client))

    def _put(self, by: socket.socket, datagram: bytes, receiver: Address) -> None:
        # A full buffer, an address that cannot be reached, an allocation that is gone: it is lost,
        # as it would be on any network.
        with suppress(OSError):
            by.sendto(datagram, receiver)

    def _allocation(self, client: Address) -> _Allocation | None:
        """Return what the client has; frees what has ended."""
        found = self._allocations.get(client)
        if found is not None and found.ends <= self._loop.time():
            self._free(found)
            return None
        return found

    def _known(self, client: Address) -> _Allocation:
        found = self._allocation(client)
        if found is None:
            raise _RefusedError(437, "Allocation Mismatch")
        return found

    def _free(self, allocation: _Allocation) -> None:
        del self._allocations[allocation.client]
        self._loop.remove_reader(allocation.relayed)
        allocation.relayed.close()


def _lifetime(message: stun.Message) -> int:
    asked = message.attributes.get("LIFETIME", LIFETIME_S)
    return int(min(asked, MAX_LIFETIME_S))


def _peer(message: stun.Message) -> Address:
    peer: Address | None = message.attributes.get("XOR-PEER-ADDRESS")
    if peer is None:
        raise _RefusedError(400, "Bad Request")
    return peer
