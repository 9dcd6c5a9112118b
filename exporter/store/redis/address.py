"""The URL of a Redis: one server, Sentinels that know it, or a cluster. Needs no Redis package."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

Kind = Literal["server", "socket", "sentinel", "cluster"]
_KINDS: Mapping[str, Kind] = {"": "server", "sentinel": "sentinel", "cluster": "cluster"}
_PORTS = {"server": 6379, "sentinel": 26379, "cluster": 6379}
_TLS_OPTIONS = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
_SENTINEL_OPTIONS = frozenset({"sentinel_username", "sentinel_password"})
SCHEMES = (
    "expected redis://, rediss://, redis+sentinel://, rediss+sentinel://, redis+cluster://, "
    "rediss+cluster:// or unix://"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a Redis is, and how to sign in. Its text (`place`) holds no secret."""

    kind: Kind
    hosts: tuple[tuple[str, int], ...]
    """One of them, or several Sentinels or nodes of a cluster; none of a socket."""
    tls: bool = False
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    path: str = ""
    """The file of a socket; of Sentinels the name of the server that they watch."""
    database: int = 0
    options: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Files of certificates, and how to sign in to Sentinels."""

    @property
    def place(self) -> str:
        """Where it is, for messages and logs."""
        hosts = ",".join(
            f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts
        )
        return f"{hosts}/{self.path}" if self.kind == "sentinel" else hosts or self.path

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log line may hold."""
        found = (self.password, self.options.get("sentinel_password"))
        return tuple(each for each in found if each)


def parse(url: str) -> Address:
    """Read a URL.

    Args:
        url: `redis://[user][:password@]host[:port][/database]`; `redis+sentinel://` has several
            hosts, with commas, and `/service[/database]`; `redis+cluster://` may have several
            hosts; `rediss` is TLS; `unix:///path`.

    Raises:
        ValueError: What is wrong and what is expected, without what may be a secret.
    """
    scheme, mark, _ = url.partition("://")
    base, _, kind_name = scheme.lower().partition("+")
    if mark and scheme.lower() == "unix":
        return _socket(url)
    if not mark or base not in ("redis", "rediss") or kind_name not in _KINDS:
        raise ValueError(f"is not the URL of a Redis; {SCHEMES}")
    kind = _KINDS[kind_name]
    parts = urlsplit(url)
    user_info, _, hosts = parts.netloc.rpartition("@")
    username, _, password = user_info.partition(":")
    path = [unquote(step) for step in parts.path.strip("/").split("/") if step]
    service = ""
    if kind == "sentinel":
        if not path:
            raise ValueError("names no service; expected redis+sentinel://HOST,HOST/SERVICE")
        service = path.pop(0)
    return Address(
        kind=kind,
        hosts=_hosts(hosts, kind),
        tls=base == "rediss",
        username=unquote(username) or None,
        password=unquote(password) or None,
        path=service,
        database=_database(path, kind),
        options=_options(parts.query, kind, tls=base == "rediss"),
    )


def _socket(url: str) -> Address:
    parts = urlsplit(url)
    if parts.netloc or not parts.path or parts.query:
        raise ValueError("is not the URL of a socket; expected unix:///PATH")
    return Address("socket", (), path=unquote(parts.path))


def _hosts(text: str, kind: Kind) -> tuple[tuple[str, int], ...]:
    found = tuple(_host(each, _PORTS[kind]) for each in text.split(","))
    if kind == "server" and len(found) > 1:
        raise ValueError("has several hosts; expected redis+sentinel:// or redis+cluster://")
    return found


def _host(text: str, usual_port: int) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or port == 0:
        raise ValueError("has no valid host and port; expected HOST or HOST:PORT")
    return host, port or usual_port


def _database(path: list[str], kind: Kind) -> int:
    if not path:
        return 0
    if kind == "cluster":
        raise ValueError("has a path; a cluster has no databases, expected none")
    if len(path) > 1 or not path[0].isascii() or not path[0].isdecimal():
        raise ValueError("has no valid database; expected its number after the host, such as /0")
    return int(path[0])


def _options(query: str, kind: Kind, *, tls: bool) -> Mapping[str, str]:
    known = (_TLS_OPTIONS if tls else frozenset()) | (
        _SENTINEL_OPTIONS if kind == "sentinel" else frozenset()
    )
    options = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := sorted(options.keys() - known):
        expected = ", ".join(sorted(known)) or "none"
        raise ValueError(f"has an unknown option {unknown[0][:30]!r}; expected {expected}")
    return options
