"""The caller's token from the user's own endpoint: what is asked, what is read, what it opens."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from livekit.api import AccessToken, SIPGrants, VideoGrants

from exporter.outcome import CallerToken, CallResult, Outcome, Reason, TokenDanger, TokenFailure
from exporter.probe import PROBE_ATTRIBUTE, Run
from exporter.probes.latency.families import readings
from exporter.probes.latency.way_in.config import TokenConfig
from exporter.probes.latency.way_in.fetch import (
    MAX_BYTES,
    Fetched,
    TokenError,
    fetch_token,
    parse,
)
from exporter.server_api.claims import read_claims
from tests.fake_call.calls import Placed, World, place, target
from tests.fake_call.script import Script
from tests.unit.calls import WHEN

URL = "https://app.test/token?key=hidden"


def minted(
    hours: float = 1, sip: SIPGrants | None = None, grants: VideoGrants | None = None
) -> str:
    """Return a caller's token; its grants are those that it needs, unless others are given."""
    token = AccessToken("key", "a-secret-of-at-least-thirty-two-characters").with_identity("ann")
    token = token.with_grants(grants or VideoGrants(room_join=True, room="r"))
    if sip is not None:
        token = token.with_sip_grants(sip)
    return token.with_ttl(timedelta(hours=hours)).to_jwt()


def given(text: str) -> httpx.Response:
    """Return an answer that nobody reads before its time."""

    async def parts() -> AsyncIterator[bytes]:
        yield text.encode()

    return httpx.Response(200, content=parts())


def fetched(answer: httpx.Response | Exception, **config: Any) -> tuple[Fetched, httpx.Request]:
    """Return what comes of an answer of the endpoint, and what was asked."""
    asked: list[httpx.Request] = []

    def give(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    found = asyncio.run(
        fetch_token(
            TokenConfig(**({"url": URL} | config)),
            "voice-exporter-r1",
            transport=httpx.MockTransport(give),
        )
    )
    return found, asked[0]


@pytest.mark.parametrize(
    ("body", "server_url"),
    [
        ('{"server_url": "wss://lk.test", "participant_token": "TOKEN"}', "wss://lk.test"),
        ('{"serverUrl": "wss://lk.test", "participantToken": "TOKEN"}', "wss://lk.test"),
        ('{"accessToken": "TOKEN"}', ""),
        ('{"token": "TOKEN", "url": 5}', ""),
        ('"TOKEN"', ""),
        ("TOKEN\n", ""),
    ],
)
def test_common_answers_are_read(body: str, server_url: str) -> None:
    """LiveKit's standard endpoint, other keys that are common, and plain text."""
    token = minted()
    found, _ = fetched(given(body.replace("TOKEN", token)))
    assert (found.token, found.server_url, found.room) == (token, server_url, "r")
    assert found.found.dangers == ()
    assert token not in repr(found)


@pytest.mark.parametrize(
    "body", [b"\xff", b"[]", b"{}", b"null", b"<html>a.b.c</html>", b"[" * 9999]
)
def test_other_answers_hold_no_token(body: bytes) -> None:
    """Whatever else comes holds none."""
    assert parse(body) == ("", "")


def test_the_standard_request_marks_the_call_as_a_probe() -> None:
    """It asks for a room of ours, and for the attribute by which probes are known."""
    _, asked = fetched(given(minted()))
    body = json.loads(asked.content)
    assert (asked.method, asked.headers["content-type"]) == ("POST", "application/json")
    assert body["room_name"] == "voice-exporter-r1"
    assert body["participant_attributes"] == {PROBE_ATTRIBUTE: "true"}


def test_a_request_of_the_user(tmp_path: Path) -> None:
    """Method, headers and body are the user's; the names of room and caller are put in."""
    (tmp_path / "headers").write_text(
        "# ours\nAuthorization: Bearer x\n\nContent-Type: text/plain\n"
    )
    _, asked = fetched(given(minted()), headers_file=tmp_path / "headers", body="to {room}")
    assert asked.content == b"to voice-exporter-r1"
    assert asked.headers["authorization"] == "Bearer x"
    assert asked.headers["content-type"] == "text/plain"
    got, url = "GET", "http://app.test/{room}?as={identity}"
    _, asked = fetched(given(minted()), method=got, url=url)
    assert (asked.method, asked.content) == (got, b"")
    assert str(asked.url).startswith("http://app.test/voice-exporter-r1?as=caller-")


@pytest.mark.parametrize(
    ("answer", "failure", "reason"),
    [
        (httpx.Response(401), TokenFailure.REFUSED, Reason.AUTH_FAILED),
        (httpx.Response(429), TokenFailure.RATE_LIMITED, Reason.QUOTA_EXCEEDED),
        (httpx.Response(302), TokenFailure.HTTP_ERROR, Reason.API_FAILED),
        (httpx.Response(500, text="secret"), TokenFailure.HTTP_ERROR, Reason.API_FAILED),
        (httpx.Response(200, text="secret"), TokenFailure.NO_TOKEN, Reason.API_FAILED),
        (httpx.Response(200, text="secret.b.c"), TokenFailure.NOT_A_TOKEN, Reason.API_FAILED),
        (
            httpx.Response(200, content=b"x" * (MAX_BYTES + 1)),
            TokenFailure.TOO_LARGE,
            Reason.API_FAILED,
        ),
        (httpx.ConnectError("secret"), TokenFailure.UNREACHABLE, Reason.CONNECT_FAILED),
        (TimeoutError(), TokenFailure.TIMEOUT, Reason.CONNECT_FAILED),
    ],
    ids=str,
)
def test_failures_have_a_reason(
    answer: httpx.Response | Exception, failure: TokenFailure, reason: Reason
) -> None:
    """Each has one of the declared reasons, and a line without what was answered or sent."""
    with pytest.raises(TokenError) as found:
        fetched(answer)
    assert (found.value.failure, found.value.reason) == (failure, reason)
    assert found.value.detail.startswith("token endpoint: app.test")
    assert not [word for word in ("secret", "hidden") if word in str(found.value)]


def test_a_headers_file_that_went_is_no_fault_of_the_agent(tmp_path: Path) -> None:
    """It was there when the configuration was read."""
    file = tmp_path / "headers"
    file.write_text("A: b")
    config = TokenConfig(url=URL, headers_file=file)
    file.unlink()
    with pytest.raises(TokenError) as found:
        asyncio.run(fetch_token(config, "r"))
    assert (found.value.failure, found.value.reason) == (TokenFailure.HEADERS_FILE, Reason.VOID)


@pytest.mark.parametrize(
    ("token", "dangers"),
    [
        (minted(), ()),
        (minted(23.9), ()),
        (minted(25), (TokenDanger.LONG_LIVED,)),
        (minted(grants=VideoGrants(room_join=False)), (TokenDanger.NO_ROOM,)),
        (minted(grants=VideoGrants(room="r", room_admin=True)), (TokenDanger.ROOM_ADMIN,)),
        (
            minted(grants=VideoGrants(room="r", room_create=True, room_list=True)),
            (TokenDanger.ROOM_CREATE, TokenDanger.ROOM_LIST),
        ),
        (minted(grants=VideoGrants(room="r", room_record=True)), (TokenDanger.ROOM_RECORD,)),
        (minted(grants=VideoGrants(room="r", ingress_admin=True)), (TokenDanger.INGRESS_ADMIN,)),
        (minted(sip=SIPGrants(admin=True)), (TokenDanger.SIP_ADMIN,)),
    ],
)
def test_dangerous_claims(token: str, dangers: tuple[TokenDanger, ...]) -> None:
    """Each right that no caller needs is found, and no other."""
    assert read_claims(token).dangers == dangers


def placed(answer: CallerToken | TokenError, room: str = "theirs", **world: Any) -> Placed:
    """Place a call whose token comes from an endpoint that answers this."""

    async def give(_config: TokenConfig, _room: str, _run: Run) -> Fetched:
        if isinstance(answer, TokenError):
            raise answer
        return Fetched(answer, room, "ann", False, "token", "")

    config = target(token=TokenConfig(url=URL), dispatch="token")
    return place(Script(), World(unasked=True, **world), config, fetch=give)


def test_a_call_by_a_token_of_the_endpoint() -> None:
    """No room is made and no dispatch asked for; what was found of the token is in the result."""
    found = CallerToken(0.25, (TokenDanger.ROOM_ADMIN,), ("demo",))
    call = placed(found)
    assert (call.outcome.reason, call.call.token) == (None, found)
    assert (call.rooms_made, call.rooms_left, call.dispatches_left) == ((), frozenset(), 0)
    assert any("counts among real calls" in line for line in call.outcome.log)


def test_a_room_with_people_is_left_alone() -> None:
    """The endpoint gave a room that is in use: nobody is disturbed, and it is not deleted."""
    call = placed(CallerToken(0.25), rooms=frozenset({"theirs"}), people=("visitor",))
    assert call.outcome.reason is Reason.API_FAILED
    assert "room theirs is in use" in call.outcome.detail
    assert call.rooms_left == {"theirs"}


def test_a_token_that_did_not_come_ends_the_call() -> None:
    """With the reason of the run, and its own in the result."""
    call = placed(TokenError(TokenFailure.REFUSED, "app.test answered HTTP 401"))
    assert call.outcome.reason is Reason.AUTH_FAILED
    assert call.call.token == CallerToken(failure=TokenFailure.REFUSED)


def test_a_token_without_a_room() -> None:
    """Nobody can join with it by the SDK."""
    call = placed(CallerToken(0.1, (TokenDanger.NO_ROOM,)), room="")
    assert (call.outcome.reason, call.inside) == (Reason.API_FAILED, False)
    assert "names no room" in call.outcome.detail


def test_metrics_of_tokens() -> None:
    """How long it took, every declared danger as 0 or 1, and failures by reason."""
    config = target()

    def told(token: CallerToken) -> list[tuple[str, str, float]]:
        call = CallResult("demo", "default", "default", token=token)
        found = readings(config, Outcome("latency", "demo", WHEN, 1.0, Reason.VOID, result=call))
        mine = [each for each in found if each.family.name.startswith("voice_token")]
        return [(each.family.name, "".join(each.labels.values()), each.value) for each in mine]

    assert told(CallerToken(failure=TokenFailure.TIMEOUT)) == [
        ("voice_token_failures_total", "timeout", 1)
    ]
    seconds, *dangers = told(CallerToken(0.2, (TokenDanger.NO_ROOM,)))
    assert seconds == ("voice_token_seconds", "", 0.2)
    assert [claim for _, claim, value in dangers if value] == ["no_room"]
    assert len(dangers) == len(TokenDanger)


def test_errors_travel_between_processes() -> None:
    """With their own reason."""
    import pickle  # noqa: PLC0415 - of this test alone

    error = TokenError(TokenFailure.TIMEOUT, "late")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - made above
    assert (again.failure, again.detail) == (error.failure, error.detail)
