"""The client of the server API against servers that misbehave: real sockets, no LiveKit."""

import asyncio
import itertools
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, TypeVar

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from livekit import api
from livekit.protocol.agent_dispatch import AgentDispatch, AgentDispatchState

from exporter.errors import ProbeError
from exporter.outcome import Listing, Outcome, Reason, Verdict, failure, verdict_of
from exporter.probe import Run
from exporter.probes.agents.measure import list_agents
from exporter.probes.agents.spec import AgentsConfig
from exporter.rtc.client import Client
from exporter.rtc.signalling import join_and_leave
from exporter.server_api import Server, ServerApi, make_token
from tests import patience

_Result = TypeVar("_Result")
_SECRET = "a-secret-that-must-appear-in-no-message"  # noqa: S105


@dataclass(frozen=True, slots=True)
class Answer:
    """What the misbehaving server sends."""

    status: str = "200 OK"
    body: bytes = b""
    headers: tuple[str, ...] = ()

    def raw(self) -> bytes:
        """Return it as HTTP."""
        head = (f"HTTP/1.1 {self.status}", f"Content-Length: {len(self.body)}", *self.headers)
        return "\r\n".join((*head, "Connection: close", "", "")).encode() + self.body


async def _asked(
    raw: bytes | None,
    request: Callable[[ServerApi], Awaitable[_Result]],
    *,
    timeout_s: float = patience.WAIT_S,
) -> _Result:
    """Send one request to a server that answers these bytes, or nothing for ever."""
    connections: asyncio.Queue[None] = asyncio.Queue()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if raw is None:
            await reader.read()
        else:
            writer.write(raw)
        writer.close()
        await writer.wait_closed()
        connections.put_nowait(None)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    server = Server(f"ws://127.0.0.1:{port}", "key", _SECRET)
    try:
        async with ServerApi(server, timeout_s=timeout_s) as client:
            return await request(client)
    finally:
        async with asyncio.timeout(patience.END_S):
            await connections.get()
        listener.close()
        await listener.wait_closed()


def _failure(raw: bytes | None, *, timeout_s: float = patience.WAIT_S) -> ProbeError:
    with pytest.raises(ProbeError) as caught:
        asyncio.run(_asked(raw, lambda client: client.list_rooms(), timeout_s=timeout_s))
    return caught.value


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        pytest.param(
            Answer("404 Not Found", b"<html>no such page</html>"),
            Reason.API_FAILED,
            "HTTP 404, which is not an answer of a LiveKit server",
            id="another web server",
        ),
        pytest.param(
            Answer("200 OK", b"<html>welcome</html>"),
            Reason.API_FAILED,
            "its answer is not that of a LiveKit server",
            id="a page instead of an answer",
        ),
        pytest.param(
            Answer("401 Unauthorized", b"invalid token: eyJhbGciOiJIUzI1NiJ9.eyJpc3Mi.c2ln"),
            Reason.AUTH_FAILED,
            "the server refused the API key or secret, or they lack the grant (HTTP 401)",
            id="the token repeated",
        ),
        pytest.param(
            Answer(
                "403 Forbidden",
                b'{"code":"permission_denied","msg":"permissions denied"}',
                ("Content-Type: application/json",),
            ),
            Reason.AUTH_FAILED,
            "(HTTP 403)",
            id="a missing grant",
        ),
        pytest.param(
            Answer(
                "503 Service Unavailable",
                b'{"code":"unavailable","msg":"twirp error unknown: no response from servers"}',
                ("Content-Type: application/json",),
            ),
            Reason.API_FAILED,
            ": no response from servers (unavailable, HTTP 503)",
            id="no node",
        ),
        pytest.param(
            Answer("502 Bad Gateway", b"<html>" + b"x" * 10_000 + b"</html>"),
            Reason.API_FAILED,
            "HTTP 502",
            id="a proxy without its server",
        ),
        pytest.param(
            Answer("307 Temporary Redirect", headers=("Location: ftp://elsewhere/",)),
            Reason.API_FAILED,
            "it redirects to a URL that is not HTTP",
            id="a redirect to nowhere",
        ),
    ],
)
def test_odd_answers_have_a_reason(answer: Answer, reason: Reason, words: str) -> None:
    """Whatever answers the port, the failure is one short line that says what it was."""
    failure = _failure(answer.raw())
    assert failure.reason is reason
    assert words in failure.detail
    assert len(failure.detail) <= 240
    assert "\n" not in failure.detail
    assert "eyJ" not in failure.detail
    assert _SECRET not in failure.detail


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        pytest.param(b"", "it closed the connection without an answer", id="closes at once"),
        pytest.param(b"SSH-2.0-server\r\n", "", id="speaks another protocol"),
    ],
)
def test_what_is_no_http_could_not_be_reached(raw: bytes, words: str) -> None:
    """A port that is open, but not for HTTP, is a failure with a reason like any other."""
    failure = _failure(raw)
    assert failure.reason in {Reason.CONNECT_FAILED, Reason.API_FAILED}
    assert words in failure.detail


def test_a_server_that_does_not_answer_costs_the_time_limit() -> None:
    """A request ends at its limit, not before and not never; the message names it."""
    started = time.monotonic()
    failure = _failure(None, timeout_s=0.3)
    assert failure.reason is Reason.CONNECT_FAILED
    assert failure.detail.endswith("no answer within 0.3 s")
    assert time.monotonic() - started > 0.25


_ROOMS = 6


async def _through_a_proxy(
    refuses: Callable[[int], bool],
    answer: web.Response,
    ask: Callable[[Server], Awaitable[_Result]],
) -> _Result:
    """Ask a server with some rooms, behind a proxy that refuses some requests by their number."""
    number = itertools.count(1)
    participants = api.ListParticipantsResponse(participants=[api.ParticipantInfo(identity="a")])
    bodies = {
        "ListRooms": api.ListRoomsResponse(
            rooms=[api.Room(name=f"room-{each}", sid=f"RM_{each}") for each in range(_ROOMS)]
        ),
        "ListParticipants": participants,
        "ListDispatch": api.ListAgentDispatchResponse(),
    }

    async def handle(request: web.Request) -> web.Response:
        if refuses(next(number)):
            return web.Response(status=answer.status, headers=answer.headers)
        return web.Response(body=bodies[request.path.rpartition("/")[2]].SerializeToString())

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    async with TestServer(app) as proxy:
        return await ask(Server(f"ws://127.0.0.1:{proxy.port}", "key", _SECRET))


async def _listed(server: Server) -> Outcome:
    deadline = time.monotonic() + patience.WAIT_S
    return await list_agents(AgentsConfig(), Run("0123", server, deadline))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"status": 429}, id="429"),
        pytest.param({"status": 429, "headers": {"Retry-After": "0"}}, id="429 and when"),
        pytest.param({"status": 503, "headers": {"Retry-After": "0"}}, id="503 and when"),
    ],
)
def test_a_listing_goes_on_where_requests_come_too_fast(answer: dict[str, Any]) -> None:
    """A proxy that refuses every third request delays a listing, and hides nothing."""
    refused = web.Response(**answer)
    outcome = asyncio.run(_through_a_proxy(lambda number: number % 3 == 0, refused, _listed))

    assert (outcome.reason, outcome.detail) == (None, "")
    assert isinstance(outcome.result, Listing)
    assert (outcome.result.rooms, outcome.result.unread) == (_ROOMS, 0)
    assert outcome.result.participants == (("standard", _ROOMS),)


def test_what_was_read_of_a_cut_listing_is_kept() -> None:
    """1. The proxy refuses everything from the ninth request on, for a minute.

    Result: quota_exceeded, which is nobody's failure, with the rooms that were read before.
    """
    refused = web.Response(status=429, headers={"Retry-After": "60"})
    outcome = asyncio.run(_through_a_proxy(lambda number: number > 8, refused, _listed))

    assert outcome.reason is Reason.QUOTA_EXCEEDED
    assert "rooms not read: list " in outcome.detail
    assert outcome.detail.endswith("it accepts no more requests for now (HTTP 429)")
    assert isinstance(outcome.result, Listing)
    assert 0 < outcome.result.unread < _ROOMS == outcome.result.rooms
    assert verdict_of(failure(outcome)) is Verdict.UNKNOWN


async def _joined_by_sdk(server: Server) -> None:
    client = Client("caller")
    try:
        await client.connect(server.url, "a-token", patience.WAIT_S)
    finally:
        await client.leave()


async def _joined_by_signalling(server: Server) -> None:
    await join_and_leave(server, "a-token", patience.WAIT_S)


@pytest.mark.parametrize("join", [_joined_by_sdk, _joined_by_signalling])
def test_a_join_that_is_one_too_many_is_no_connection_failure(
    join: Callable[[Server], Awaitable[None]],
) -> None:
    """429 at a join is quota_exceeded, by the SDK and by signalling alone."""
    with pytest.raises(ProbeError) as caught:
        asyncio.run(_through_a_proxy(lambda _: True, web.Response(status=429), join))
    assert caught.value.reason is Reason.QUOTA_EXCEEDED
    assert "429" in caught.value.detail


async def _rooms(server: Server) -> None:
    async with ServerApi(server) as client:
        await client.list_rooms()


@pytest.mark.parametrize("ask", [_rooms, _joined_by_signalling])
@pytest.mark.parametrize(
    ("ahead_s", "words"),
    [
        (-300, r"; this host's clock is (\d+) s ahead of the server's"),
        (900, r"; this host's clock is (\d+) s behind the server's"),
        (-50, ""),
        (0, ""),
    ],
)
def test_a_refusal_names_a_wrong_clock(
    ask: Callable[[Server], Awaitable[None]], ahead_s: int, words: str
) -> None:
    """Where the clocks are a minute apart, nobody needs to rotate keys that are good."""
    said_at = time.time()
    date = formatdate(said_at + ahead_s, usegmt=True)
    with pytest.raises(ProbeError) as caught:
        asyncio.run(
            _through_a_proxy(lambda _: True, web.Response(status=401, headers={"Date": date}), ask)
        )
    late_s = time.time() - said_at  # a date is made before the answer, and is of whole seconds
    assert caught.value.reason is Reason.AUTH_FAILED
    found = re.fullmatch(rf".*\(HTTP 401\){words}", caught.value.detail)
    assert found
    seconds = [int(each) for each in found.groups()]
    assert seconds in ([], [pytest.approx(abs(ahead_s), abs=late_s + 1)])


@pytest.mark.parametrize("skew_s", [-3600, 0, 86400])
def test_ages_are_reckoned_on_the_servers_clock(skew_s: int) -> None:
    """However wrong our clock or theirs is, what is ten seconds old is told as ten."""
    theirs = time.time() + skew_s
    body = AgentDispatch(
        id="AD_1",
        agent_name="demo",
        room="r",
        state=AgentDispatchState(created_at=int((theirs - 10) * 1e9)),
    ).SerializeToString()
    answer = Answer(body=body, headers=(f"Date: {formatdate(theirs, usegmt=True)}",))
    made = asyncio.run(_asked(answer.raw(), lambda client: client.create_dispatch("r", "demo")))
    assert made.agent_name == "demo"
    assert made.age_s == pytest.approx(10, abs=2)


def test_a_token_says_who_may_join_what() -> None:
    """The token is for one room and one identity, of the kind and for the time asked for."""
    server = Server("ws://localhost", "key", _SECRET)
    token = make_token(
        server,
        identity="caller",
        room="room",
        name="Caller",
        attributes={"a": "b"},
        kind="agent",
        ttl_s=60,
    )
    claims = api.TokenVerifier("key", _SECRET).verify(token)
    assert (claims.identity, claims.name, claims.kind) == ("caller", "Caller", "agent")
    assert claims.attributes == {"a": "b"}
    assert claims.video
    assert (claims.video.room_join, claims.video.room) == (True, "room")
    assert claims.video.room_admin is None


def test_a_token_is_signed_with_short_secrets_without_a_warning() -> None:
    """The secret of a server in development mode has six letters; that is no news here."""
    assert make_token(Server("ws://a", "devkey", "secret"), identity="a", room="r").count(".") == 2


@pytest.mark.parametrize("server", [Server("ws://a", "", "s"), Server("ws://a", "k", "")])
def test_missing_credentials_are_not_taken_from_the_environment(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK would sign with what the environment has: for this server, that is wrong."""
    monkeypatch.setenv("LIVEKIT_API_KEY", "other")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "other")
    with pytest.raises(ProbeError) as caught:
        make_token(server, identity="a", room="r")
    assert caught.value.reason is Reason.AUTH_FAILED
