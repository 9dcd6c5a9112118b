"""Where the coordinator of a distributed ramp listens, and the token that probers need."""

import ipaddress
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from exporter.config.values import (
    FILE,
    Duration,
    Secret,
    SecretFromFile,
    Section,
    fault,
)

_MAX_PORT = 65535


def _check_token(token: SecretStr) -> SecretStr:
    """Refuse a token that no client could send in a header."""
    text = token.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise fault("cannot be sent in a header; expected printable ASCII without spaces")
    return token


class DistributedConfig(Section):
    """A ramp from several hosts at once: `sfu --coordinator` and `sfu --report-to`."""

    address: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Where the coordinator listens; beyond loopback it needs a token.",
    )
    port: int = Field(8787, ge=0, le=_MAX_PORT, description="Port of the coordinator.")
    token: Annotated[Secret, AfterValidator(_check_token)] | None = Field(
        None, description="Bearer token that coordinator and probers share."
    )
    token_file: Annotated[SecretFromFile, AfterValidator(_check_token)] | None = Field(
        None, description="File that holds the token."
    )
    tls_certificate: Annotated[Path, FILE] | None = Field(
        None, description="Certificate of the coordinator, PEM; with tls_key it serves HTTPS."
    )
    tls_key: Annotated[Path, FILE] | None = Field(None, description="Key of the certificate.")
    ca_file: Annotated[Path, FILE] | None = Field(
        None, description="Certificates, PEM, that probers trust instead of the system's."
    )
    gather_timeout: Duration = Field(
        120.0, gt=0, description="How long the coordinator waits for all vantages to register."
    )
    silent_timeout: Duration = Field(
        10.0, ge=2, description="A vantage that is silent for so long is given up."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise fault("is set alone; expected both tls_certificate and tls_key", "tls_key")
        return self

    @property
    def shared_token(self) -> str:
        """The token, "" for none."""
        token = self.token or self.token_file
        return token.get_secret_value() if token else ""

    @property
    def is_loopback(self) -> bool:
        """Whether the address can only be reached from this host."""
        try:
            return ipaddress.ip_address(self.address.strip("[]")).is_loopback
        except ValueError:
            return self.address == "localhost"
