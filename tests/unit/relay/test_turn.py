"""The TURN server against aioice's client, and against requests by hand; sockets on loopback."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aioice import stun, turn

from exporter.rtc.relay.impairment import Impairment
from exporter.rtc.relay.lane import Lane
from exporter.rtc.relay.turn import MAX_ALLOCATIONS, TurnServer
from tests import patience

HOST = "127.0.0.1"
TCP_TRANSPORT = turn.TCP_TRANSPORT

SHORT_TERM = bytes.fromhex(
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74"
    "002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020"
    "000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf"
)
"""RFC 5769, 2.1: a request with short-term credentials."""
LONG_TERM = bytes.fromhex(
    "000100602112a44278ad3433c6ad72c029da412e00060012e3839ee38388e383aae38383e382afe382b90000"
    "0015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341"
    "0014000b6578616d706c652e6f72670000080014f67024656dd64a3e02b8e0712e85c9a28ca89666"
)
"""RFC 5769, 2.4: a request with long-term credentials."""


def test_messages_are_coded_as_the_standard_has_them() -> None:
    """Its own examples pass; one that was changed does not."""
    short = stun.parse_message(SHORT_TERM)
    assert short.check_message_integrity(b"VOkJxbRl1RmTxUk/WvJxBt")
    assert not short.check_message_integrity(b"another")
    with pytest.raises(ValueError, match="fingerprint"):
        stun.parse_message(SHORT_TERM[:-1] + b"\0")
    long = stun.parse_message(LONG_TERM)
    key = turn.make_integrity_key(long.attributes["USERNAME"], "example.org", "TheMatrIX")
    assert long.check_message_integrity(key)
    assert long.attributes["NONCE"] == b"f//499k954d6OL34oL9FSTvy64sA"


class Peer(asyncio.DatagramProtocol):
    """Answers what it hears, and notes from whom; or hears what is relayed to a client."""

    def __init__(self, *, answers: bool = False) -> None:
        self.heard: asyncio.Queue[tuple[bytes, Any]] = asyncio.Queue()
        self._answers = answers

    def connection_made(self, transport: Any) -> None:
        """Keep what sends."""
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Note it, and answer."""
        self.heard.put_nowait((data, addr))
        if self._answers:
            self.transport.sendto(b"answer to " + data, addr)

    @property
    def address(self) -> tuple[str, int]:
        """Where it is."""
        address: tuple[str, int] = self.transport.get_extra_info("sockname")[:2]
        return address


@asynccontextmanager
async def relaying() -> AsyncIterator[TurnServer]:
    """A server without impairments."""
    loop = asyncio.get_running_loop()
    server = TurnServer(Lane(Impairment(), "1", loop), Lane(Impairment(), "2", loop), HOST, loop)
    try:
        yield server
    finally:
        server.close()


@asynccontextmanager
async def peer(*, answers: bool = True) -> AsyncIterator[Peer]:
    """Somebody to whom a client talks."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: Peer(answers=answers), local_addr=(HOST, 0)
    )
    try:
        yield protocol
    finally:
        transport.close()


class ByHand:
    """A client that sends each request as it is told."""

    def __init__(self, server: TurnServer) -> None:
        self._server = server
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((HOST, 0))
        self.key = turn.make_integrity_key(server.username, "voice-exporter", server.password)

    async def send(self, datagram: bytes) -> None:
        """Send what needs no answer."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendto(self._socket, datagram, self._server.address)

    async def hear(self) -> bytes:
        """Return the next datagram."""
        async with asyncio.timeout(patience.WAIT_S):
            loop = asyncio.get_running_loop()
            return (await loop.sock_recvfrom(self._socket, 65536))[0]

    async def ask(self, method: stun.Method, transaction: bytes = b"", **said: Any) -> stun.Message:
        """Send a signed request, and return the answer; `_` in names stands for `-`."""
        message = stun.Message(method, stun.Class.REQUEST, transaction or None)
        message.attributes = {
            "USERNAME": self._server.username,
            **{name.replace("_", "-"): value for name, value in said.items()},
        }
        message.add_message_integrity(self.key)
        await self.send(bytes(message))
        return stun.parse_message(await self.hear())

    async def allocate(self, **said: Any) -> stun.Message:
        """Ask for a relayed address."""
        transport = {"REQUESTED_TRANSPORT": turn.UDP_TRANSPORT}
        return await self.ask(stun.Method.ALLOCATE, **(transport | said))

    def close(self) -> None:
        """Close its socket."""
        self._socket.close()


def by_hand(story: Callable[[ByHand, TurnServer], Awaitable[None]]) -> None:
    """Let a client talk to a server."""

    async def run() -> None:
        async with relaying() as server:
            client = ByHand(server)
            try:
                await story(client, server)
            finally:
                client.close()

    asyncio.run(run())


def test_another_client_talks_through_it() -> None:
    """It allocates, binds a channel and is answered; the peer sees the relayed address."""

    async def story() -> None:
        async with relaying() as server, peer() as other:
            transport, client = await turn.create_turn_endpoint(
                Peer,
                server_addr=server.address,
                username=server.username,
                password=server.password,
            )
            relayed = transport.get_extra_info("sockname")
            async with asyncio.timeout(patience.WAIT_S):
                transport.sendto(b"hello", other.address)
                assert await other.heard.get() == (b"hello", relayed)
                assert await client.heard.get() == (b"answer to hello", other.address)
            assert (server.allocated, server.answered) == (1, 1)
            transport.close()

    asyncio.run(story())


def test_a_client_with_a_wrong_password_is_refused() -> None:
    """So is one without any; what is needed to try again comes with the answer."""

    async def story(client: ByHand, server: TurnServer) -> None:
        right, client.key = client.key, b"wrong"
        wrong = await client.allocate()
        assert wrong.error_code == 401
        assert wrong.attributes["REALM"] == "voice-exporter"
        assert wrong.attributes["NONCE"]
        client.key = right
        assert (await client.allocate(USERNAME="another")).error_code == 401
        assert server.allocated == 0

    by_hand(story)


def test_an_allocation_is_made_once() -> None:
    """A request that comes twice has the same answer; another one is a mismatch."""

    async def story(client: ByHand, server: TurnServer) -> None:
        udp = turn.UDP_TRANSPORT
        first, again = [
            await client.ask(stun.Method.ALLOCATE, b"123456789012", REQUESTED_TRANSPORT=udp)
            for _ in range(2)
        ]
        assert first.check_message_integrity(client.key)
        assert first.attributes["XOR-RELAYED-ADDRESS"] == again.attributes["XOR-RELAYED-ADDRESS"]
        assert (await client.allocate()).error_code == 437
        assert server.allocated == 1

    by_hand(story)


def test_only_udp_is_relayed() -> None:
    """A client that wants TCP is told so."""

    async def story(client: ByHand, _server: TurnServer) -> None:
        assert (await client.allocate(REQUESTED_TRANSPORT=TCP_TRANSPORT)).error_code == 442

    by_hand(story)


def test_allocations_have_a_quota() -> None:
    """It is for all of them: there is one client."""

    async def story(_client: ByHand, server: TurnServer) -> None:
        clients = [ByHand(server) for _ in range(MAX_ALLOCATIONS + 1)]
        codes = [(await each.allocate()).error_code for each in clients]
        assert codes == [None] * MAX_ALLOCATIONS + [486]
        await clients[0].ask(stun.Method.REFRESH, LIFETIME=0)
        assert (await clients[-1].allocate()).error_code is None
        for each in clients:
            each.close()

    by_hand(story)


def test_a_peer_needs_a_permission_and_may_do_without_a_channel() -> None:
    """By indications: what is sent before the permission is dropped, both ways."""

    async def story(client: ByHand, _server: TurnServer) -> None:
        async with peer() as other:
            relayed = (await client.allocate()).attributes["XOR-RELAYED-ADDRESS"]
            told = stun.Message(stun.Method.SEND, stun.Class.INDICATION)
            told.attributes = {"XOR-PEER-ADDRESS": other.address, "DATA": b"early"}
            await client.send(bytes(told))
            other.transport.sendto(b"uninvited", relayed)
            at = other.address
            await client.ask(stun.Method.CREATE_PERMISSION, XOR_PEER_ADDRESS=at)
            told.attributes["DATA"] = b"late"
            await client.send(bytes(told))
            heard = stun.parse_message(await client.hear())
            assert heard.message_method is stun.Method.DATA
            assert heard.attributes == {"XOR-PEER-ADDRESS": at, "DATA": b"answer to late"}
            assert other.heard.qsize() == 1

    by_hand(story)


def test_a_channel_is_bound_to_one_peer() -> None:
    """And a peer to one channel, of those that there are; binding it again keeps it."""

    async def story(client: ByHand, _server: TurnServer) -> None:
        one, another = (HOST, 40001), (HOST, 40002)
        await client.allocate()
        tries = [(0x4000, one), (0x4000, one), (0x4000, another), (0x4001, one), (0x5000, another)]
        codes = [
            (
                await client.ask(
                    stun.Method.CHANNEL_BIND, CHANNEL_NUMBER=number, XOR_PEER_ADDRESS=at
                )
            ).error_code
            for number, at in tries
        ]
        assert codes == [None, None, 400, 400, 400]
        assert (await client.ask(stun.Method.CREATE_PERMISSION)).error_code == 400

    by_hand(story)


def test_an_allocation_that_has_ended_relays_nothing() -> None:
    """By a refresh of 0 seconds; what needs one is a mismatch then."""

    async def story(client: ByHand, _server: TurnServer) -> None:
        await client.allocate()
        kept = await client.ask(stun.Method.REFRESH, LIFETIME=100_000)
        assert kept.attributes["LIFETIME"] == 3600
        assert (await client.ask(stun.Method.REFRESH, LIFETIME=0)).error_code is None
        assert (await client.ask(stun.Method.REFRESH)).error_code == 437
        at = (HOST, 40001)
        refused = await client.ask(stun.Method.CREATE_PERMISSION, XOR_PEER_ADDRESS=at)
        assert refused.error_code == 437

    by_hand(story)


def test_what_is_no_request_has_no_answer() -> None:
    """Nor does it harm: the next request is answered."""

    async def story(client: ByHand, _server: TurnServer) -> None:
        cut = bytes([0, 3, 0, 8]) + stun.COOKIE.to_bytes(4, "big") + b"123456789012"
        for garbage in (b"", b"\x40", b"\x40\x00\x00\x01x", b"garbage" * 9, cut):
            await client.send(garbage)
        answer = await client.ask(stun.Method.BINDING)
        assert answer.attributes["XOR-MAPPED-ADDRESS"][0] == HOST
        assert (await client.ask(stun.Method.SHARED_SECRET)).error_code == 400

    by_hand(story)
