"""The web configuration as it holds now; it follows its file, and the certificates named there."""

import asyncio
import hashlib
import logging
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.errors import ConfigError
from exporter.web.basic_auth import BasicAuth
from exporter.web.config_file import TlsServerConfig, WebConfigFile, read_web_config
from exporter.web.rate_limit import RateLimiter
from exporter.web.tls import make_context

log = logging.getLogger(__name__)

LOOKED_AT_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class WebConfig:
    """One state of the file and of all that it names."""

    tls: ssl.SSLContext | None = None
    """For new connections; None for plain HTTP."""
    allowed_names: frozenset[str] = frozenset()
    """One of them must be in a client's certificate; empty for any."""
    users: BasicAuth = field(default_factory=lambda: BasicAuth({}))
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Of every answer."""
    limiter: RateLimiter | None = None


class WebConfigWatch:
    """Holds the configuration, and reads it again when a file of it changes."""

    def __init__(self, file: Path | None) -> None:
        """Read it for the first time.

        Args:
            file: The web configuration file; None for plain HTTP without passwords.

        Raises:
            ConfigError: Something in it is wrong; one line for each problem.
        """
        self._file = file
        self._seen: Mapping[Path, bytes] = {}
        self.current = WebConfig()
        self.problem = ""
        """Why what the files say now is not used, "" when it is."""
        if file is not None:
            self.current, self._seen = _load(file)

    async def watch(self) -> None:
        """Look at the files again and again, for ever; what is wrong changes nothing."""
        while self._file is not None:
            await asyncio.sleep(LOOKED_AT_EVERY_S)
            await self.refresh()

    async def refresh(self) -> None:
        """Look at the files once."""
        if self._file is None:
            return
        try:
            loaded = await asyncio.to_thread(_load_if_changed, self._file, self._seen)
            if loaded is not None:
                self._take(*loaded)
            problem = ""
        except ConfigError as error:
            problem = str(error).partition("\n")[0]
        except Exception as error:
            # Whatever it is, the watch goes on: one that ended would be noticed months later, by
            # a certificate that has expired.
            problem = f"{self._file}: cannot be read: unexpected {type(error).__name__}"
            if problem != self.problem:
                log.exception("the web configuration cannot be read")
        if problem and problem != self.problem:
            log.error("web configuration not taken, the one before holds", extra={"why": problem})
        self.problem = problem

    def _take(self, new: WebConfig, seen: Mapping[Path, bytes]) -> None:
        if (new.tls is None) is not (self.current.tls is None):
            raise ConfigError(f"{self._file}: TLS is turned on and off by a restart only")
        self.current, self._seen = new, seen
        log.info("web configuration read again")


def _load(file: Path) -> tuple[WebConfig, Mapping[Path, bytes]]:
    # Each digest is taken before its file is read, so that no change in between is missed.
    seen = {file: _digest(file)}
    config = read_web_config(file)
    seen |= {path: _digest(path) for path in _named(config.tls_server_config, file)}
    return _web_config(config, file), seen


def _load_if_changed(
    file: Path, seen: Mapping[Path, bytes]
) -> tuple[WebConfig, Mapping[Path, bytes]] | None:
    changed = any(_digest(path) != digest for path, digest in seen.items())
    return _load(file) if changed else None


def _web_config(config: WebConfigFile, file: Path) -> WebConfig:
    tls = config.tls_server_config
    users = config.basic_auth_users
    limit = config.rate_limit
    headers = config.http_server_config.headers
    return WebConfig(
        tls=make_context(tls, file) if tls.enabled else None,
        allowed_names=frozenset(tls.client_allowed_sans),
        users=BasicAuth({name: hashed.get_secret_value() for name, hashed in users.items()}),
        headers=tuple((name.lower().encode(), text.encode()) for name, text in headers.items()),
        limiter=RateLimiter(limit.interval, limit.burst) if limit.interval else None,
    )


def _named(config: TlsServerConfig, file: Path) -> Iterator[Path]:
    """Give the files that the configuration names."""
    for path in (config.cert_file, config.key_file, config.client_ca_file):
        if path is not None:
            yield file.parent / path


def _digest(path: Path) -> bytes:
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except (OSError, ValueError):  # gone for now, or no path at all: reading it says so
        return b""
