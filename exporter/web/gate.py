"""What every request passes before it reaches a page: path, rate, access, size.

Reads are open unless the web configuration file asks for a password or a certificate. A write,
which changes something or costs money, needs the token; where none is configured it must come from
this host, from no web page of another site, must name this host, and needs the password that a read
needs. The sound of a call, and what was said in it, needs what its page needs; and from another
host the token or a login, even where pages are open. Health and readiness are open to everybody, in
one word: a supervisor such as the kubelet has neither password nor certificate, and would restart
the exporter for ever. Webhooks of the server are signed, which their page checks.
What a proxy says about a client's address is never a reason to let it in.
"""

import hmac
import ipaddress
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.web.refusals import Refusal, RefusalReason, Refusals, problem
from exporter.web.settings import Paths, is_plain
from exporter.web.web_config import BasicAuth, TooManyChecks, WebConfigWatch

BODY_LIMIT = 1024 * 1024
"""Bytes of a request's body."""
_HEADERS: Mapping[bytes, bytes] = {
    b"x-content-type-options": b"nosniff",
    b"cache-control": b"no-store",
}
"""Of every answer that does not say otherwise."""
_ENCODED = (b"%2e", b"%2f", b"%5c", b"%00", b"\\")
"""In a path these only serve to get past somebody's rule."""
COSTLY_PATHS = frozenset({"/probe"})
"""Places where even a GET is a write: it makes a call."""
OPEN_PATHS = frozenset({"/-/healthy", "/-/ready"})
"""Open to everybody, in one word; the detail is for those who may read the rest."""
TELLS_OF_WRITES = "/"
"""The page that offers a write to whom it would be allowed."""
SIGNED_PATHS = frozenset({"/webhook/livekit"})
"""Every request is signed over its body, and the page checks that: the sender, a LiveKit server,
has neither the token nor a certificate."""
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
_PROXIED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""Headers of a proxy: the client is not the one that we see."""
_OWN_FETCHES = ("same-origin", "none")
"""Values of Sec-Fetch-Site: of our own page, or typed by a person."""
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - is compared
_ONLY_FROM_HERE = (
    "writes are accepted from this host only; set web.token or web.token_file, and send it as "
    "`Authorization: Bearer ...`"
)
_ONLY_HEARD_HERE = (
    "calls can be heard from this host only; else send web.token as `Authorization: Bearer ...`, "
    "or set up basic_auth_users or client certificates in the web configuration file"
)
_BAD_PASSWORD = Refusal(
    RefusalReason.PASSWORD,
    401,
    "user name and password are required",
    {"WWW-Authenticate": 'Basic realm="voice-exporter", charset="UTF-8"'},
)
_BAD_TOKEN = Refusal(
    RefusalReason.TOKEN,
    401,
    "the bearer token is missing or wrong",
    {"WWW-Authenticate": 'Bearer realm="voice-exporter"'},
)
_NO_CERTIFICATE = Refusal(RefusalReason.CERTIFICATE, 403, "a client certificate is needed")
_TOO_MANY_PASSWORDS = Refusal(
    RefusalReason.RATE, 429, "too many password checks are pending", {"Retry-After": "1"}
)
_NOT_FOUND = Refusal(RefusalReason.PATH, 404, "not found")
_TOO_LARGE = Refusal(RefusalReason.TOO_LARGE, 413, f"the body is larger than {BODY_LIMIT} bytes")
_TOO_MANY_REQUESTS = Refusal(RefusalReason.RATE, 429, "too many requests", {"Retry-After": "1"})


def is_write(method: str, path: str) -> bool:
    """Return whether a request changes something or costs money; when in doubt it does."""
    return method not in _READS or path in COSTLY_PATHS


def is_private(path: str) -> bool:
    """Return whether a page is a voice: the sound of a kept call."""
    return "/runs/" in path and path.endswith("/sound")


def may_hear(request: HTTPConnection) -> bool:
    """Return whether the gate has found that the client may hear calls, and read what was said."""
    return bool(_state(request.scope).get("may_hear"))


class Access:
    """The rules, with what is configured."""

    def __init__(self, token: Callable[[], str], host: str) -> None:
        """Take the configuration.

        Args:
            token: Returns what a write needs, "" for nothing; asked each time, as a reload may
                change it.
            host: Listened on, as configured.
        """
        self._token = token
        self._host = host.lower()

    async def refusal(self, request: HTTPConnection, users: BasicAuth) -> Refusal | None:
        """Return why a request is turned away, None if it is let in.

        Args:
            request: Its head; the body is not read.
            users: Of the web configuration file; false when basic auth is off.
        """
        write = is_write(request.scope["method"], request.scope["path"])
        if write and _is_of_other_site(request):
            return Refusal(RefusalReason.ORIGIN, 403, "cross-site writes are refused")
        authorization = request.headers.get("authorization", "")
        token = self._token().encode()
        if write and token:
            # A password is not enough: a reader is not to reload, or to make calls.
            return None if _has_token(authorization, token) else _BAD_TOKEN
        refusal = self._elsewhere(request) if write else None
        if refusal is None and users:
            refusal = await _check_password(users, authorization)
        return refusal

    def may_write(self, request: HTTPConnection) -> bool:
        """Return whether a write of this client, by a form of our page, would be let in.

        Not where a token is configured: a form cannot send one.
        """
        return not self._token() and self._elsewhere(request) is None

    def may_not_hear(
        self, request: HTTPConnection, users: BasicAuth, *, certified: bool
    ) -> Refusal | None:
        """Return why a client that may read a page may not hear a call, None if it may.

        Args:
            request: Its head.
            users: As of `refusal`, which has let it in.
            certified: It has shown a certificate that is needed.
        """
        if _is_of_other_site(request):
            return Refusal(RefusalReason.ORIGIN, 403, "other sites may not play calls")
        token = self._token().encode()
        given = request.headers.get("authorization", "")
        if users or certified or (token and _has_token(given, token)):
            return None
        refusal = self._elsewhere(request)
        return refusal and replace(refusal, text=_ONLY_HEARD_HERE)

    def _elsewhere(self, request: HTTPConnection) -> Refusal | None:
        """Refuse a write without a token unless it is meant for this host, and made on it."""
        peer = request.client.host if request.client else ""
        proxied = any(name in request.headers for name in _PROXIED)
        if proxied or not _is_loopback(peer):
            return Refusal(RefusalReason.NOT_LOOPBACK, 403, _ONLY_FROM_HERE)
        if not self._is_own(_host_of(request.headers.get("host", "")), request):
            text = "the header Host names another host, and no token is configured"
            return Refusal(RefusalReason.HOST, 403, text)
        return None

    def _is_own(self, host: str, request: HTTPConnection) -> bool:
        """Return whether a name is ours: one that a foreign site's DNS can point to us is not."""
        if host in _EVERYWHERE:
            # It leads here as well, and what a browser asks for there, for whatever site, has no
            # header that says for which.
            return False
        server = request.scope.get("server") or ("", None)
        return host in ("localhost", self._host, server[0]) or _is_loopback(host)


def _has_token(authorization: str, token: bytes) -> bool:
    scheme, _, given = authorization.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token)


async def _check_password(users: BasicAuth, authorization: str) -> Refusal | None:
    try:
        return None if await users.accepts(authorization) else _BAD_PASSWORD
    except TooManyChecks:
        return _TOO_MANY_PASSWORDS


def _is_of_other_site(request: HTTPConnection) -> bool:
    """Return whether a browser sends this for a page that is not ours."""
    if request.headers.get("sec-fetch-site", "none") not in _OWN_FETCHES:
        return True
    origin = request.headers.get("origin")
    if origin is None:
        return False
    scheme = request.scope.get("scheme", "http")
    return origin.lower() != f"{scheme}://{request.headers.get('host', '')}".lower()


def _host_of(header: str) -> str:
    """Return the host of a header Host, without its port; "" for none or nonsense."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


class Gate:
    """ASGI middleware around the whole application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        access: Access,
        config: WebConfigWatch,
        refusals: Refusals,
        paths: Paths = Paths(),  # noqa: B008 - frozen
    ) -> None:
        """Set up.

        Args:
            app: What is behind it.
            access: Who may do what.
            config: Users, headers and rate of the web configuration file.
            refusals: Told of every request that is turned away.
            paths: Below which all pages are; nothing behind the gate sees them.
        """
        self._app = app
        self._paths = paths
        self._access = access
        self._config = config
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it."""
        if scope["type"] != "http":
            return
        answer = _Answer(send, self._config.current.headers, with_body=scope["method"] != "HEAD")
        path, prefix = scope["path"], self._paths.prefix
        if prefix and path in ("/", prefix) and scope["method"] in _READS:
            await RedirectResponse(f"{self._paths.external}/", 302)(scope, receive, answer)
            return
        found = path.startswith(f"{prefix}/")
        if found:
            scope = {**scope, "path": path.removeprefix(prefix)}
        refusal = await self._refusal(scope) if found else _NOT_FOUND
        if refusal is not None:
            await self._refuse(refusal, scope, receive, answer)
            return

        await self._app(_as_get(scope), self._limited(scope, receive), answer)

    async def _refusal(self, scope: Scope) -> Refusal | None:
        config = self._config.current
        if not _is_plain(scope["path"], scope.get("raw_path") or b""):
            return _NOT_FOUND
        if config.limiter is not None and not config.limiter.take():
            return _TOO_MANY_REQUESTS
        request = HTTPConnection(scope)
        certified = not config.certificate_needed or bool(_state(scope).get("certificate"))
        write = is_write(scope["method"], scope["path"])
        if not write and scope["path"] in OPEN_PATHS:
            anonymous = bool(config.users) and "authorization" not in request.headers
            _state(scope)["brief"] = brief = anonymous or not certified
            refusal = None if brief else await self._access.refusal(request, config.users)
        elif write and scope["path"] in SIGNED_PATHS:
            refusal = None
        elif not certified:
            refusal = _NO_CERTIFICATE
        else:
            refusal = await self._access.refusal(request, config.users)
        if not write and scope["path"] == TELLS_OF_WRITES:
            _state(scope)["may_write"] = self._access.may_write(request)
        if refusal is None and not write:
            login = config.certificate_needed and certified
            deaf = self._access.may_not_hear(request, config.users, certified=login)
            _state(scope)["may_hear"] = deaf is None
            refusal = deaf if is_private(scope["path"]) else None
        if refusal is None and _announced(request) > BODY_LIMIT:
            refusal = _TOO_LARGE
        return refusal

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        """Return a `receive` that ends a body beyond the limit, whatever its length was said to be.

        What it raises becomes the answer.
        """
        got = 0

        async def limited() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > BODY_LIMIT:
                self._note(_TOO_LARGE, scope)
                raise HTTPException(_TOO_LARGE.status, _TOO_LARGE.text)
            return message

        return limited

    async def _refuse(self, refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
        self._note(refusal, scope)
        answer = problem(scope["path"], refusal.status, refusal.text, refusal.headers)
        await answer(scope, receive, send)

    def _note(self, refusal: Refusal, scope: Scope) -> None:
        peer = scope["client"][0] if scope.get("client") else ""
        self._refusals.note(refusal.reason, peer, scope["path"])


class _Answer:
    """Sends an answer with the headers of all answers."""

    def __init__(
        self, send: Send, headers: tuple[tuple[bytes, bytes], ...], *, with_body: bool
    ) -> None:
        self._send = send
        self._headers = dict(headers)
        self._with_body = with_body

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name.lower(): value for name, value in message.get("headers", ())}
            # WWW-Authenticate and the like stand once in our answers: a mapping will do.
            headers = {**_HEADERS, **own, **self._headers}
            message = {**message, "headers": list(headers.items())}
        elif not self._with_body:
            message = {**message, "body": b""}
        await self._send(message)


def _state(scope: Scope) -> MutableMapping[str, Any]:
    """Return what the server knows of the connection, and the pages are to know of the request."""
    state: MutableMapping[str, Any] = scope.setdefault("state", {})
    return state


def _is_plain(path: str, raw_path: bytes) -> bool:
    """Return whether a path means what it says."""
    raw_path = raw_path.lower()
    if any(code in raw_path for code in _ENCODED):
        return False
    return path == "/" or is_plain(path)


def _announced(request: HTTPConnection) -> int:
    """Return the body's length by its header; 0 if there is none."""
    text = request.headers.get("content-length", "")
    if not (text.isdecimal() and text.isascii()):
        return 0
    return int(text) if len(text) <= len(str(BODY_LIMIT)) else BODY_LIMIT + 1


def _as_get(scope: Scope) -> Scope:
    """Answer HEAD as GET, whose body is then left out; but make no call for a HEAD."""
    if scope["method"] == "HEAD" and scope["path"] not in COSTLY_PATHS:
        return {**scope, "method": "GET"}
    return scope
