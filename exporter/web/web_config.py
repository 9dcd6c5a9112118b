"""The web configuration as it holds now: passwords, rate and TLS, which follow their files."""

import asyncio
import base64
import hashlib
import hmac
import logging
import secrets
import ssl
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import bcrypt

from exporter.errors import ConfigError
from exporter.web.config_file import TlsServerConfig, WebConfigFile, read_web_config
from exporter.web.tls import make_context

log = logging.getLogger(__name__)

LOOKED_AT_EVERY_S = 1.0
_CACHED = 256
"""Users' last passwords that need no second bcrypt: more than there are users."""
_WAITING = 16
"""Checks that may wait for the one that runs; a flood of wrong passwords goes no further."""
_BCRYPT_READS = 72
"""Bytes of a password that bcrypt looks at; the library refuses longer ones instead."""


class TooManyChecks(Exception):  # noqa: N818 - describes a state, not a failure
    """So many passwords wait to be checked that one more must come later."""


class BasicAuth:
    """Checks passwords, off the event loop and one at a time."""

    def __init__(self, users: Mapping[str, str]) -> None:
        """Take the users.

        Args:
            users: bcrypt hash by name.
        """
        self._users = {name: hashed.encode() for name, hashed in users.items()}
        # An unknown user costs as much time as a known one: this hash is checked and ignored.
        self._decoy = max(self._users.values(), key=lambda hashed: hashed[4:6], default=b"")
        self._key = secrets.token_bytes(32)
        self._good: OrderedDict[bytes, None] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0

    def __bool__(self) -> bool:
        """Whether there are users, so that a password is needed."""
        return bool(self._users)

    async def accepts(self, authorization: str) -> bool:
        """Return whether a header `Authorization` has a user's name and password.

        Raises:
            TooManyChecks: Too many others wait for the same.
        """
        credentials = _credentials(authorization)
        if credentials is None:
            return False
        user, password = credentials
        hashed = self._users.get(user, self._decoy)
        # What was good is remembered by a keyed digest: passwords are kept nowhere.
        digest = hmac.digest(self._key, b"\0".join((hashed, user.encode(), password)), "sha256")
        if digest in self._good:
            self._good.move_to_end(digest)
            return True
        good = await self._check(password, hashed) and user in self._users
        if good:
            self._good[digest] = None
            while len(self._good) > _CACHED:
                self._good.popitem(last=False)
        return good

    async def _check(self, password: bytes, hashed: bytes) -> bool:
        if self._waiting >= _WAITING:
            raise TooManyChecks
        self._waiting += 1
        try:
            async with self._one_at_a_time:
                return await asyncio.to_thread(bcrypt.checkpw, password[:_BCRYPT_READS], hashed)
        finally:
            self._waiting -= 1


def _credentials(authorization: str) -> tuple[str, bytes] | None:
    """Return name and password, None where there are none."""
    scheme, _, coded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(coded.strip(), validate=True)
    except ValueError:
        return None
    user, colon, password = decoded.partition(b":")
    if not colon:
        return None
    return user.decode("utf-8", "replace"), password


class RateLimiter:
    """A token bucket: allows a burst of requests at once, then one in each interval."""

    def __init__(
        self, interval_s: float, burst: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Fill the bucket.

        Args:
            interval_s: Seconds until one more request is allowed.
            burst: Requests that may come at once.
            clock: Seconds.
        """
        self._interval_s = interval_s
        self._burst = burst
        self._clock = clock
        self._allowed = float(burst)
        self._at = clock()

    def take(self) -> bool:
        """Return whether one more request is allowed now, and count it if so."""
        now = self._clock()
        refilled = self._allowed + (now - self._at) / self._interval_s
        self._allowed, self._at = min(float(self._burst), refilled), now
        if self._allowed < 1:
            return False
        self._allowed -= 1
        return True


@dataclass(frozen=True, slots=True)
class WebConfig:
    """One state of the file and of all that it names."""

    tls: ssl.SSLContext | None = None
    """For new connections; None for plain HTTP."""
    certificate_needed: bool = False
    """Whether a client must have shown a certificate, which TLS has verified."""
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
            log.error(
                "web configuration rejected, the previous one stays in use", extra={"why": problem}
            )
        self.problem = problem

    def _take(self, new: WebConfig, seen: Mapping[Path, bytes]) -> None:
        if (new.tls is None) is not (self.current.tls is None):
            raise ConfigError(f"{self._file}: TLS can be turned on and off by a restart only")
        self.current, self._seen = new, seen
        log.info("web configuration reloaded")


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
        certificate_needed=tls.client_auth_type == "RequireAndVerifyClientCert",
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
