"""The client of the server API against servers that misbehave: real sockets, no LiveKit."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate
from typing import TypeVar

import pytest
from livekit import api
from livekit.protocol.agent_dispatch import AgentDispatch, AgentDispatchState

from exporter.errors import ProbeError
from exporter.outcome import Reason
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
        hidden=True,
        ttl_s=60,
    )
    claims = api.TokenVerifier("key", _SECRET).verify(token)
    assert (claims.identity, claims.name, claims.kind) == ("caller", "Caller", "agent")
    assert claims.attributes == {"a": "b"}
    assert claims.video
    assert (claims.video.room_join, claims.video.room, claims.video.hidden) == (True, "room", True)
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
