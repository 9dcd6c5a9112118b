"""Where exporters that share a Redis find it."""

import re
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, SecretStr

from exporter.config.rules import Faults, rule
from exporter.config.values import SecretFromFile, Section, invalid
from exporter.errors import ConfigError, StoreError
from exporter.store.config import StoreConfig
from exporter.store.redis.address import Address, parse

if TYPE_CHECKING:
    from exporter.store.redis.store import RedisOpener

_PREFIX = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


def _check_url(url: SecretStr) -> SecretStr:
    """Refuse what is no URL of a Redis, without repeating what may be a secret."""
    try:
        parse(url.get_secret_value())
    except ValueError as error:
        raise invalid(f"{{value}}: its URL {error}") from None
    if find_spec("redis") is None:
        expected = "expected pip install 'livekit-voice-exporter[redis]'"
        raise invalid(f"needs what is not installed: redis; {expected}")
    return url


def _check_prefix(prefix: str) -> str:
    if not _PREFIX.fullmatch(prefix):
        raise invalid(
            "{value} is no prefix; expected 1 to 64 letters, digits, `_`, `.`, `:` or `-`"
        )
    return prefix


class RedisConfig(Section):
    """A Redis that several exporters share, in place of the ledger on disk."""

    url_file: Annotated[SecretFromFile, AfterValidator(_check_url)] | None = Field(
        None,
        description="File with the URL of the Redis: redis://, rediss:// (TLS), redis+sentinel://, "
        "redis+cluster:// or unix://. Needs the extra `redis`. Not set: the ledger is on disk.",
    )
    prefix: Annotated[str, AfterValidator(_check_prefix)] = Field(
        "voice-exporter",
        description="Prefix of all keys; exporters that share a ledger have the same one.",
    )

    def address(self) -> Address:
        """Return where the Redis is, as the file has it now: its password may have changed.

        Raises:
            StoreError: The file cannot be read, or what it holds is no URL.
        """
        try:
            url = self.read_again("store.redis").url_file
        except ConfigError as error:
            raise StoreError(str(error)) from None
        assert url is not None  # noqa: S101 - nobody asks where it is not set
        return parse(url.get_secret_value())

    def opener(self) -> "RedisOpener":
        """Return what opens the ledger there, for one exporter."""
        from exporter.store.redis.store import RedisOpener  # noqa: PLC0415 - of the extra `redis`

        return RedisOpener(self.address, self.prefix)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log line may hold."""
        if self.url_file is None:
            return ()
        url = self.url_file.get_secret_value()
        return (url, *parse(url).secrets)


class StoreSettings(StoreConfig):
    """The ledger, on disk or in Redis: history of runs, budget spent, runs in progress."""

    redis: RedisConfig = Field(
        default=RedisConfig(),
        description="A Redis that several exporters share, in place of the ledger on disk.",
    )

    @property
    def is_shared(self) -> bool:
        """Whether the ledger is in Redis, where other exporters may have theirs as well."""
        return self.enabled and self.redis.url_file is not None

    @rule
    def _refuse_redis_unused(self) -> Faults:
        if self.redis.url_file is not None and not self.enabled:
            yield invalid(
                "is set although store.enabled is false; expected one of them", "redis", "url_file"
            )
