"""Where exporters that share a Redis find it."""

from importlib.util import find_spec
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from exporter.config.values import SecretFromFile, Section, invalid
from exporter.store.config import StoreConfig

_SCHEMES = ("redis", "rediss", "unix")


def _check_url(url: SecretStr) -> SecretStr:
    """Refuse what is no URL of a Redis, without repeating what may be a secret."""
    scheme, mark, _ = url.get_secret_value().partition("://")
    if not mark or scheme.lower() not in _SCHEMES:
        raise invalid(
            "{value}: its URL is not that of a Redis; expected redis://, rediss:// or unix://"
        )
    if find_spec("redis") is None:
        expected = "expected pip install 'livekit-voice-exporter[redis]'"
        raise invalid(f"needs what is not installed: redis; {expected}")
    return url


class RedisConfig(Section):
    """A Redis that several exporters share."""

    url_file: Annotated[SecretFromFile, AfterValidator(_check_url)] | None = Field(
        None,
        description="File with the URL of the Redis: redis://, rediss:// (TLS) or unix://. Needs "
        "the extra `redis`.",
    )
    prefix: str = Field(
        "voice-exporter",
        min_length=1,
        max_length=64,
        pattern=r"^[A-Za-z0-9_.:-]+$",
        description="Prefix of all keys; exporters that share something have the same one.",
    )


class StoreSettings(StoreConfig):
    """The ledger on disk, and a Redis: history of runs, budget spent, runs in progress."""

    redis: RedisConfig = Field(
        default=RedisConfig(), description="A Redis that several exporters share."
    )
