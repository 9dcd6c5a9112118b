"""Where the coordinator of a distributed ramp listens, and the token that probers need."""

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import Field

from exporter.config.rules import Faults, rule
from exporter.config.values import (
    FILE,
    Duration,
    Section,
    Token,
    TokenFromFile,
    invalid,
)

_MAX_PORT = 65535


class DistributedConfig(Section):
    """A ramp from several hosts: `sfu --coordinator` and `sfu --report-to`."""

    address: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Address of the coordinator; it needs a token beyond loopback.",
    )
    port: int = Field(8787, ge=0, le=_MAX_PORT, description="Port of the coordinator.")
    token: Token | None = Field(None, description="Bearer token shared by coordinator and probers.")
    token_file: TokenFromFile | None = Field(None, description="File with the token.")
    tls_certificate: Annotated[Path, FILE] | None = Field(
        None,
        description="Certificate of the coordinator (PEM); serves HTTPS together with tls_key.",
    )
    tls_key: Annotated[Path, FILE] | None = Field(
        None, description="Private key of the certificate."
    )
    ca_file: Annotated[Path, FILE] | None = Field(
        None, description="CA certificates (PEM) that probers trust instead of those of the system."
    )
    gather_timeout: Duration = Field(
        120.0, gt=0, description="Time the coordinator waits for all vantages to register."
    )
    silent_timeout: Duration = Field(
        10.0, ge=2, description="Time without reports after which a vantage counts as lost."
    )

    @rule
    def _has_both_or_none(self) -> Faults:
        names = ("tls_certificate", "tls_key")
        for name, other in (names, names[::-1]):
            if getattr(self, name) is None and getattr(self, other) is not None:
                yield invalid(f"is missing; expected it, because {other} is set", name, near=other)

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
