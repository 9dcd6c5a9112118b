"""What can be set about the exporter's own web server."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from exporter.config.values import FILE, Section, Token, TokenFromFile, invalid

EVERYWHERE = "::"
"""Every address of this host, of IPv6 and of IPv4."""
_MAX_PORT = 65535


def _check_address(address: str) -> str:
    _, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > _MAX_PORT:
        raise invalid("{value} is not an address; expected HOST:PORT")
    return address


def _check_prefix(prefix: str) -> str:
    """Return a path without a slash at its end, "" for none."""
    path = prefix.rstrip("/")
    if path and not is_plain(path):
        raise invalid("{value} is no path; expected one such as /voice")
    return path


def _check_external(url: str) -> str:
    """Refuse what a browser could not open."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # wrong brackets, or a port that is no number
        good = False
    if not good or parts.username or parts.query or parts.fragment:
        raise invalid(
            "is not the URL of a site; expected http:// or https://, a host and an optional path"
        )
    _check_prefix(parts.path)
    return url


def is_plain(path: str) -> bool:
    """Return whether a path means what it says: no empty part, no `.` and no `..`."""
    head, *names = path.split("/")
    return head == "" and path.isprintable() and all(each not in ("", ".", "..") for each in names)


ListenAddress = Annotated[str, AfterValidator(_check_address)]
"""HOST:PORT; no host means every address, port 0 lets the system choose."""


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths below which the pages are, without a slash at the end; "" for none."""

    prefix: str = ""
    """As requests have it."""
    external: str = ""
    """As browsers have it: a reverse proxy may take it away, or change it."""


class WebSettings(Section):
    """The exporter's own web server."""

    listen_address: ListenAddress = Field(
        "127.0.0.1:9465",
        description=(
            "Address of /metrics and the pages, HOST:PORT; `:9465` listens on all addresses, IPv6 "
            "and IPv4."
        ),
    )
    external_url: Annotated[str, AfterValidator(_check_external)] | None = Field(
        None,
        description="URL of the pages behind a reverse proxy: https://HOST/PATH.",
    )
    route_prefix: Annotated[str, AfterValidator(_check_prefix)] | None = Field(
        None,
        description=(
            "Prefix of all paths, such as /voice; the path of external_url if not set. Set it to / "
            "if the proxy strips that path."
        ),
    )
    runbooks: Annotated[str, AfterValidator(_check_external)] | None = Field(
        None,
        description=(
            "URL of the folder with the runbooks, which pages of runs link to: the `runbooks` of "
            "external_labels in prometheus.yml."
        ),
    )
    config_file: Annotated[Path, FILE] | None = Field(
        None,
        description=(
            "Web configuration file of Prometheus exporters: TLS, client certificates and basic "
            "auth. Reloaded when it changes."
        ),
    )
    token: Token | None = Field(
        None,
        description=(
            "Bearer token for heartbeats, /-/reload and /probe. Without a token these are "
            "accepted from this host only. Set one if a reverse proxy runs on this host, because "
            "a proxy may not identify itself."
        ),
    )
    token_file: TokenFromFile | None = Field(None, description="File with the token.")
    max_connections: int = Field(
        512,
        ge=1,
        le=65536,
        description="Maximum number of connections; further ones are closed at once.",
    )

    @property
    def host(self) -> str:
        """The host to listen on; every address when none is written."""
        host = self.listen_address.rpartition(":")[0].strip("[]")
        return host or EVERYWHERE

    @property
    def port(self) -> int:
        """The port to listen on; 0 lets the system choose."""
        return int(self.listen_address.rpartition(":")[2])

    @property
    def paths(self) -> Paths:
        """The paths below which the pages are; one that is not set is the other."""
        prefix = self.route_prefix
        if self.external_url is None:
            return Paths(prefix or "", prefix or "")
        external = urlsplit(self.external_url).path.rstrip("/")
        return Paths(external if prefix is None else prefix, external)

    @property
    def write_token(self) -> str:
        """The token that a write needs, "" for none."""
        token = self.token or self.token_file
        return token.get_secret_value() if token else ""
