"""The first phase of a connection, by itself: from nothing to the server's answer to a join."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus

import aiohttp
from google.protobuf.message import DecodeError
from livekit.protocol.rtc import JoinResponse, SignalRequest, SignalResponse

from exporter.errors import ProbeError
from exporter.limits import Limit
from exporter.outcome import Reason
from exporter.server_api.clock import ServerClock
from exporter.server_api.errors import translated, unanswered
from exporter.server_api.pace import Busy
from exporter.server_api.server import Server, host_and_port, http_url, open_session

PROTOCOL = "16"
"""Of the signalling messages: old enough for any server that has agents."""


@dataclass(frozen=True, slots=True)
class Joined:
    """What the server answered to a join."""

    seconds: float
    """TCP, TLS, WebSocket and the answer itself."""
    server_version: str
    ice_urls: tuple[str, ...]
    """The STUN and TURN servers that clients are told to use."""
    region: str = ""
    """Of the node that took the join; "" if the server names none."""
    node_id: str = ""
    room: str = ""
    """The room that was entered."""
    relays: tuple["Relay", ...] = ()
    """The TURN servers among them, with what opens them."""


@dataclass(frozen=True, slots=True)
class Relay:
    """A TURN server, as a participant is told of it."""

    url: str
    username: str = field(repr=False)
    credential: str = field(repr=False)


async def join_and_leave(server: Server, token: str, timeout_s: float, *, room: str = "") -> Joined:
    """Join a room by signalling alone, without any media, and leave it again.

    Args:
        server: Where.
        token: For one participant and one room.
        timeout_s: For all of it.
        room: Name of a room that is asked for, whatever the token says; that of the token if "".

    Raises:
        ProbeError: connect_failed, auth_failed, quota_exceeded or api_failed.
    """
    async with _joined(server, token, timeout_s, room) as (joined, _):
        return joined


async def may_publish(server: Server, token: str, timeout_s: float) -> bool:
    """Join by signalling alone, announce a track, and return whether the server takes it.

    A server that refuses says so, or nothing at all: ask for a participant who may publish as well.

    Args:
        server: Where.
        token: For one participant and one room.
        timeout_s: For the join, and again for the answer.

    Raises:
        ProbeError: As of `join_and_leave`; void: the prober stood still while it waited for the
            answer, so that none says nothing.
    """
    async with _joined(server, token, 2 * timeout_s, "") as (_, socket):
        ask = SignalRequest()
        ask.add_track.cid = ask.add_track.name = "preflight"
        await socket.send_bytes(ask.SerializeToString())
        asked = time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                async for message in socket:
                    if not isinstance(message.data, bytes):
                        continue
                    answer = SignalResponse()
                    answer.ParseFromString(message.data)
                    kind = answer.WhichOneof("message")
                    if kind in ("track_published", "request_response"):
                        return bool(kind == "track_published")
        if late := Limit.PERMISSION.spoiled("no answer to a track", asked, timeout_s):
            raise late
    return False


@asynccontextmanager
async def _joined(
    server: Server, token: str, timeout_s: float, room: str
) -> AsyncIterator[tuple[Joined, aiohttp.ClientWebSocketResponse]]:
    """Be in a room by signalling alone."""
    address, asked = host_and_port(server.url), time.monotonic()
    with translated("join", address, timeout_s), _limited(address, asked, timeout_s):
        async with asyncio.timeout(timeout_s), open_session(server) as session:
            began = time.monotonic()
            headers = {"Authorization": f"Bearer {token}"}
            params = {"protocol": PROTOCOL, "sdk": "python", "auto_subscribe": "0"}
            params |= {"room": room} if room else {}
            place = f"{http_url(server.url).rstrip('/')}/rtc"
            try:
                socket = await session.ws_connect(place, params=params, headers=headers)
            except aiohttp.WSServerHandshakeError as error:
                raise _refusal(error) from None
            async with socket:
                join = _join(await socket.receive())
                yield _described(join, time.monotonic() - began), socket
                leave = SignalRequest()
                leave.leave.SetInParent()
                await socket.send_bytes(leave.SerializeToString())


@contextmanager
def _limited(address: str, since: float, limit_s: float) -> Iterator[None]:
    """Say whose fault it is that a join was not answered in time."""
    try:
        yield
    except TimeoutError:
        raise unanswered(Limit.SIGNAL, "join", address, since, limit_s) from None


def _described(join: JoinResponse, seconds: float) -> Joined:
    return Joined(
        seconds,
        join.server_info.version or join.server_version,
        ice_urls=tuple(address for each in join.ice_servers for address in each.urls),
        region=join.server_info.region or join.server_region,
        node_id=join.server_info.node_id,
        room=join.room.name,
        relays=tuple(
            Relay(address, each.username, each.credential)
            for each in join.ice_servers
            for address in each.urls
            if address.startswith("turn")
        ),
    )


def _refusal(error: aiohttp.WSServerHandshakeError) -> ProbeError:
    """Say what an answer means that opens no WebSocket."""
    status, clock = error.status, ServerClock()
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        clock.note(error.headers.get("Date") if error.headers else None)
        detail = f"join: the server refused the API key or secret (HTTP {status}){clock.blame()}"
        return ProbeError(Reason.AUTH_FAILED, detail)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return ProbeError(Reason.QUOTA_EXCEEDED, f"join: {Busy(status)}")
    return ProbeError(Reason.API_FAILED, f"join: HTTP {status}, and no WebSocket was opened")


def _join(message: aiohttp.WSMessage) -> JoinResponse:
    """Return the server's answer to a join.

    Raises:
        ProbeError: It is none.
    """
    response = SignalResponse()
    try:
        response.ParseFromString(message.data)
    except (DecodeError, TypeError):
        raise ProbeError(
            Reason.API_FAILED, "join: the answer is not a signalling message"
        ) from None
    if not response.HasField("join"):
        raise ProbeError(Reason.API_FAILED, f"join: answered {response.WhichOneof('message')}")
    return response.join
