"""The first phase of a connection, by itself: from nothing to the server's answer to a join."""

import asyncio
import time
from dataclasses import dataclass
from http import HTTPStatus

import aiohttp
from google.protobuf.message import DecodeError
from livekit.protocol.rtc import JoinResponse, SignalRequest, SignalResponse

from exporter.errors import ProbeError
from exporter.outcome import Reason
from exporter.server_api.clock import ServerClock
from exporter.server_api.errors import translated
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


async def join_and_leave(server: Server, token: str, timeout_s: float) -> Joined:
    """Join a room by signalling alone, without any media, and leave it again.

    Args:
        server: Where.
        token: For one participant and one room.
        timeout_s: For all of it.

    Raises:
        ProbeError: connect_failed, auth_failed, quota_exceeded or api_failed.
    """
    with translated("join", host_and_port(server.url), timeout_s):
        async with asyncio.timeout(timeout_s), open_session(server) as session:
            began = time.monotonic()
            headers = {"Authorization": f"Bearer {token}"}
            params = {"protocol": PROTOCOL, "sdk": "python", "auto_subscribe": "0"}
            address = f"{http_url(server.url).rstrip('/')}/rtc"
            try:
                socket = await session.ws_connect(address, params=params, headers=headers)
            except aiohttp.WSServerHandshakeError as error:
                raise _refusal(error) from None
            async with socket:
                join = _join(await socket.receive())
                seconds = time.monotonic() - began
                leave = SignalRequest()
                leave.leave.SetInParent()
                await socket.send_bytes(leave.SerializeToString())
    urls = tuple(address for each in join.ice_servers for address in each.urls)
    node = join.server_info
    return Joined(
        seconds,
        node.version or join.server_version,
        urls,
        node.region or join.server_region,
        node.node_id,
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
