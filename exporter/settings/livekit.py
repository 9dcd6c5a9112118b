"""The LiveKit server and its credentials, each from one of three places."""

import ssl
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
)

from exporter.config.values import (
    FILE,
    Secret,
    SecretFromFile,
    Section,
    Stripped,
    invalid,
    read_value,
    split_url,
)
from exporter.server_api.server import trusting

CREDENTIALS = ("url", "api_key", "api_secret")
"""Keys of the section `livekit`, each of which may instead be read from a file."""

_SCHEMES = ("ws", "wss", "http", "https")


def _check_url(url: str) -> str:
    """Refuse a server's address that is none, without repeating what may be a secret."""
    expected = "expected ws://, wss://, http:// or https:// and a host"
    parts = split_url(url, _SCHEMES, expected)
    if parts.username or parts.password:
        raise invalid("contains a user name or password; expected them in api_key and api_secret")
    return url


_Url = Annotated[str, Stripped, AfterValidator(_check_url)]
_UrlFromFile = Annotated[_Url, BeforeValidator(read_value), FILE]


def _check_authorities(path: Path) -> Path:
    try:
        trusting(str(path))
    except OSError as error:
        why = "no certificate in it" if isinstance(error, ssl.SSLError) else error.strerror
        raise invalid(f"{{value}} cannot be used: {why}; expected certificates in PEM") from None
    return path


_Authorities = Annotated[Path, FILE, AfterValidator(_check_authorities)]


class LiveKitSettings(Section):
    """The LiveKit server and its credentials; a key `..._file` names a file with the value."""

    url: _Url | None = Field(None, description="Server URL: ws://, wss://, http:// or https://.")
    url_file: _UrlFromFile | None = Field(None, description="File with the server URL.")
    api_key: Secret | None = Field(None, description="API key.")
    api_key_file: SecretFromFile | None = Field(None, description="File with the API key.")
    api_secret: Secret | None = Field(None, description="API secret.")
    api_secret_file: SecretFromFile | None = Field(None, description="File with the API secret.")
    e2ee_key_file: SecretFromFile | None = Field(
        None, description="File with the shared key of agents that encrypt end to end."
    )
    ca_file: _Authorities | None = Field(
        None,
        description=(
            "Certificate authorities (PEM) of the server's certificate, if this host does not "
            "trust them."
        ),
    )

    def missing(self) -> tuple[str, ...]:
        """Return a line for each credential that is in none of the three places."""
        return tuple(
            _is_missing(name)
            for name in CREDENTIALS
            if not (getattr(self, name) or getattr(self, f"{name}_file"))
        )


def _is_missing(name: str) -> str:
    return (
        f"livekit.{name}: is missing; expected --{name.replace('_', '-')}, "
        f"LIVEKIT_{name.upper()}, LIVEKIT_{name.upper()}_FILE, "
        f"or livekit.{name} in the configuration file"
    )
