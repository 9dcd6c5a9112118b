"""Fetch the caller's token as a real caller's application does."""

import asyncio
import json
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx

from exporter.errors import ProbeError
from exporter.limits import Limit
from exporter.outcome import CallerToken, Reason, TokenFailure
from exporter.probe import PROBE_ATTRIBUTE, ROOM_PREFIX, Run
from exporter.probes.latency.way_in.config import TokenConfig, read_headers
from exporter.server_api.claims import read_claims
from exporter.server_api.server import host_and_port, http_url, trusting

MAX_BYTES = 64 * 1024
"""A token with much metadata has some kilobytes."""
UNMARKED = (
    "neither the room's name nor the token says that this is a probe: it counts among real calls"
)
_TOKENS = ("participant_token", "participantToken", "token", "accessToken", "access_token", "jwt")
_URLS = ("server_url", "serverUrl", "url", "ws_url", "wsUrl", "livekit_url", "livekitUrl")
_TOKEN = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)
_REASONS = {
    TokenFailure.UNREACHABLE: Reason.CONNECT_FAILED,
    TokenFailure.TIMEOUT: Reason.CONNECT_FAILED,
    TokenFailure.REFUSED: Reason.AUTH_FAILED,
    TokenFailure.RATE_LIMITED: Reason.QUOTA_EXCEEDED,
    TokenFailure.HEADERS_FILE: Reason.VOID,
}
"""In the words of every run; `api_failed` for the others."""
_STATUSES = {
    401: TokenFailure.REFUSED,
    403: TokenFailure.REFUSED,
    429: TokenFailure.RATE_LIMITED,
}


class TokenError(ProbeError):
    """There is no token.

    Args:
        failure: Why.
        detail: One line on that, without anything of the answer.
    """

    def __init__(self, failure: TokenFailure, detail: str) -> None:
        super().__init__(_REASONS.get(failure, Reason.API_FAILED), f"token endpoint: {detail}")
        self.failure = failure
        self._said = detail

    def __reduce__(self) -> tuple[type[ProbeError], tuple[TokenFailure, str]]:  # type: ignore[override] # its own arguments
        """Pickle by its own two arguments."""
        return type(self), (self.failure, self._said)


@dataclass(frozen=True, slots=True)
class Fetched:
    """A token that came."""

    found: CallerToken
    """What is told of it."""
    room: str
    """That it opens."""
    identity: str
    """Of whoever joins with it."""
    is_marked: bool
    """Whoever joins with it is known as a probe."""
    token: str = field(repr=False)
    server_url: str
    """Where to join; "" where the endpoint names no server."""


FetchToken = Callable[[TokenConfig, str, Run], Awaitable[Fetched]]
"""Fetches a token for a room of that name."""


@dataclass(frozen=True, slots=True)
class Entrance:
    """By what a caller gets into its room."""

    asked: float
    """From when on the agent may have been called, on the monotonic clock."""
    url: str
    token: str = field(repr=False)


async def fetch_for(config: TokenConfig, room: str, run: Run) -> Fetched:
    """Fetch the token of a run, see `fetch_token`."""
    return await fetch_token(config, room, ca_file=run.server.ca_file, clock=run.clock)


async def fetch_token(
    config: TokenConfig,
    room: str,
    *,
    ca_file: str = "",
    clock: Callable[[], float] = time.monotonic,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Fetched:
    """Ask the endpoint for a token.

    Args:
        config: Where and how.
        room: Name of the room that is asked for; the endpoint may choose another.
        ca_file: Authorities that are trusted as well as those of this host.
        clock: Times it.
        transport: How requests go; over the network if None.

    Raises:
        TokenError: None came, or what came is none.
        ProbeError: void: none came, and the prober stood still for too much of the time.
    """
    request = _request(config, room, f"caller-{secrets.token_hex(4)}")
    place, began = host_and_port(config.url.partition("?")[0]), clock()
    since = time.monotonic()
    try:
        async with (
            asyncio.timeout(config.timeout),
            httpx.AsyncClient(
                timeout=None,  # noqa: S113 - the line above limits all of it
                transport=transport,
                verify=trusting(ca_file) if ca_file else True,
            ) as client,
        ):
            response = await client.send(request, stream=True)
            body = await _body(response, place)
            await response.aclose()
    except TimeoutError:
        detail = f"{place} did not answer within {config.timeout:g} s"
        if late := Limit.TOKEN.spoiled(f"token endpoint: {detail}", since, config.timeout):
            raise late from None
        raise TokenError(TokenFailure.TIMEOUT, detail) from None
    except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
        # Not its words: they may repeat the URL, whose query may hold a secret.
        detail = f"{place} did not answer: {type(error).__name__}"
        raise TokenError(TokenFailure.UNREACHABLE, detail) from None
    return _fetched(body, clock() - began, place)


def _request(config: TokenConfig, room: str, identity: str) -> httpx.Request:
    def filled(text: str) -> str:
        return text.replace("{room}", room).replace("{identity}", identity)

    body = config.body
    if body is None and config.method == "POST":
        asked = {
            "room_name": room,
            "participant_identity": identity,
            "participant_attributes": {PROBE_ATTRIBUTE: "true"},
        }
        body = json.dumps(asked)
    try:
        headers = read_headers(config.headers_file) if config.headers_file else {}
        if body:
            headers = {"Content-Type": "application/json"} | headers
        content = filled(body).encode() if body else None
        return httpx.Request(config.method, filled(config.url), headers=headers, content=content)
    except ValueError:
        detail = f"headers_file {config.headers_file} cannot be used any more"
        raise TokenError(TokenFailure.HEADERS_FILE, detail) from None
    except httpx.InvalidURL:
        raise TokenError(TokenFailure.UNREACHABLE, "its URL is none") from None


async def _body(response: httpx.Response, place: str) -> bytes:
    """Return the body of an answer that is well."""
    if not response.is_success:
        failure = _STATUSES.get(response.status_code, TokenFailure.HTTP_ERROR)
        raise TokenError(failure, f"{place} answered HTTP {response.status_code}")
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > MAX_BYTES:
            detail = f"{place}: the answer is larger than {MAX_BYTES // 1024} KiB"
            raise TokenError(TokenFailure.TOO_LARGE, detail)
    return bytes(body)


def _fetched(body: bytes, took_s: float, place: str) -> Fetched:
    token, server_url = parse(body)
    if not token:
        wanted = f"expected one of {', '.join(_TOKENS)} in JSON, or the token as text"
        raise TokenError(TokenFailure.NO_TOKEN, f"{place}: no token in the answer; {wanted}")
    try:
        claims = read_claims(token)
    except ValueError as error:
        raise TokenError(TokenFailure.NOT_A_TOKEN, f"{place}: {error}") from None
    if server_url:
        try:
            http_url(server_url)
        except ProbeError as error:
            raise TokenError(TokenFailure.NOT_A_TOKEN, f"{place}: {error.detail}") from None
    found = CallerToken(took_s, claims.dangers, claims.dispatches)
    marked = PROBE_ATTRIBUTE in claims.attributes or claims.room.startswith(ROOM_PREFIX)
    return Fetched(found, claims.room, claims.identity, marked, token, server_url)


def parse(body: bytes) -> tuple[str, str]:
    """Return the token and the server's URL of an answer; "" for what it does not have."""
    try:
        text = body.decode().strip()
    except UnicodeDecodeError:
        return "", ""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = text
    if isinstance(told, str):
        return (told, "") if _TOKEN.fullmatch(told) else ("", "")
    if not isinstance(told, dict):
        return "", ""
    return _first(told, _TOKENS), _first(told, _URLS)


def _first(told: dict[str, object], keys: tuple[str, ...]) -> str:
    values = (told.get(key) for key in keys)
    return next((value for value in values if isinstance(value, str) and value), "")
