"""A LiveKit server, and the way to it: its address, proxies, and whom to trust."""
# ruff: noqa: PLC0415 - as in client

import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from exporter.errors import ProbeError
from exporter.outcome import Reason

if TYPE_CHECKING:
    from aiohttp import ClientMiddlewareType, ClientSession

_SCHEMES = {"ws": "http", "wss": "https", "http": "http", "https": "https"}


@dataclass(frozen=True, slots=True)
class Server:
    """A LiveKit server and the credentials for it."""

    url: str
    """ws://, wss://, http:// or https://."""
    api_key: str
    api_secret: str = field(repr=False)
    name: str = ""
    """The label `server`; never holds credentials."""
    ca_file: str = ""
    """Authorities whose certificates are trusted as well as those that this host trusts; PEM."""
    e2ee_key: str = field(default="", repr=False)
    """Shared key of calls that are end-to-end encrypted; "" where none is."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """What never appears in a line."""
        return self.api_secret, self.e2ee_key


def open_session(server: Server, *middlewares: "ClientMiddlewareType") -> "ClientSession":
    """Return a session of HTTP to a server: by the proxy that the environment names for it."""
    import aiohttp

    connector = aiohttp.TCPConnector(ssl=trusting(server.ca_file) if server.ca_file else True)
    # Not by trust_env: with that, aiohttp would send what ~/.netrc has, in the token's place.
    proxy = proxy_of(server.url)
    return aiohttp.ClientSession(connector=connector, proxy=proxy, middlewares=middlewares)


def proxy_of(url: str) -> str | None:
    """Return the proxy for a server's URL, by HTTPS_PROXY, HTTP_PROXY and NO_PROXY, or None."""
    from urllib.request import getproxies, proxy_bypass

    try:
        parts = urlsplit(http_url(url))
    except ProbeError:  # the first request says so
        return None
    proxy = None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def trusting(ca_file: str) -> ssl.SSLContext:
    """Return how a client connects that trusts this host's authorities, and those of a file.

    Raises:
        OSError: It cannot be read, or holds no certificate.
    """
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
        # The variable of `trust_in_sdk` has taken the place of these.
        system = ssl.get_default_verify_paths()
        if Path(system.openssl_cafile).is_file():
            context.load_verify_locations(system.openssl_cafile)
        if Path(system.openssl_capath).is_dir():
            context.load_verify_locations(capath=system.openssl_capath)
    return context


def trust_in_sdk(server: Server) -> None:
    """Let the real-time SDK of this process trust the server: it can be told by a variable only."""
    if server.ca_file:
        os.environ["SSL_CERT_FILE"] = server.ca_file


def http_url(url: str) -> str:
    """Return the URL with the scheme of HTTP, or say that it is none."""
    try:
        parts = urlsplit(url)
        # User and password are refused: the token takes the place where HTTP would carry them.
        valid = parts.scheme in _SCHEMES and parts.hostname and not parts.username
        valid = valid and parts.port != 0
    except ValueError:  # brackets or a port that are none
        valid = False
    if not valid:
        raise ProbeError(
            Reason.CONNECT_FAILED,
            "the server's URL must be ws://, wss://, http:// or https:// and a host, "
            "without user or password",
        )
    return parts._replace(scheme=_SCHEMES[parts.scheme]).geturl()


def host_and_port(url: str) -> str:
    """Return host and port of a server's URL: without what might be credentials."""
    return url.partition("://")[2].partition("/")[0].rpartition("@")[2]
