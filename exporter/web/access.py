"""Who may do what: reads, and writes, which change something or cost money.

Reads are open unless the web configuration file asks for a password. A write needs the token; where
none is configured it must come from this host, from no web page of another site, must name this
host, and needs the password that a read needs. What a proxy says about a client's address is never
a reason to let it in.
"""

import hmac
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from exporter.web.basic_auth import BasicAuth, TooManyChecks
from exporter.web.refusals import RefusalReason

COSTLY_PATHS = frozenset({"/probe"})
"""Places where even a GET is a write: it makes a call."""
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


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer to a request that is turned away."""

    reason: RefusalReason
    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


_BAD_PASSWORD = Refusal(
    RefusalReason.PASSWORD,
    401,
    "a user's name and password are needed",
    {"WWW-Authenticate": 'Basic realm="voice-exporter", charset="UTF-8"'},
)
_BAD_TOKEN = Refusal(
    RefusalReason.TOKEN,
    401,
    "the bearer token is missing or wrong",
    {"WWW-Authenticate": 'Bearer realm="voice-exporter"'},
)
_TOO_MANY = Refusal(
    RefusalReason.RATE, 429, "too many passwords wait to be checked", {"Retry-After": "1"}
)


def is_write(method: str, path: str) -> bool:
    """Return whether a request changes something or costs money; when in doubt it does."""
    return method not in _READS or path in COSTLY_PATHS


class Access:
    """The rules, with what is configured."""

    def __init__(self, token: Callable[[], str], host: str) -> None:
        """Take the configuration.

        Args:
            token: Tells what a write needs, "" for nothing; asked each time, as a reload may
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
            return Refusal(RefusalReason.ORIGIN, 403, "writes from other sites are refused")
        authorization = request.headers.get("authorization", "")
        token = self._token().encode()
        if write and token:
            # A password is not enough: whoever may read is not to reload, or to make calls.
            return None if _has_token(authorization, token) else _BAD_TOKEN
        refusal = self._elsewhere(request) if write else None
        if refusal is None and users:
            refusal = await _check_password(users, authorization)
        return refusal

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
        return _TOO_MANY


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
