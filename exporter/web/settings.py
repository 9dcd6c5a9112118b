"""What can be set about the exporter's own web server."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from exporter.config.values import FILE, Secret, SecretFromFile, Section, fault

EVERYWHERE = "::"
"""Every address of this host, of IPv6 and of IPv4."""
_MAX_PORT = 65535


def _check_address(address: str) -> str:
    _, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > _MAX_PORT:
        raise fault("{value} is no address; expected HOST:PORT")
    return address


def _check_token(token: SecretStr) -> SecretStr:
    """Refuse a token that no client could send in a header."""
    text = token.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise fault("cannot be sent in a header; expected printable ASCII without spaces")
    return token


ListenAddress = Annotated[str, AfterValidator(_check_address)]
"""HOST:PORT; no host means every address, port 0 lets the system choose."""
_Token = Annotated[Secret, AfterValidator(_check_token)]
_TokenFromFile = Annotated[SecretFromFile, AfterValidator(_check_token)]


class WebSettings(Section):
    """The exporter's own web server."""

    listen_address: ListenAddress = Field(
        "127.0.0.1:9465",
        description=(
            "HOST:PORT for /metrics and the pages; `:9465` listens on every address, of IPv6 and "
            "of IPv4."
        ),
    )
    config_file: Annotated[Path, FILE] | None = Field(
        None,
        description=(
            "TLS, client certificates and basic auth, in the web configuration file that all "
            "Prometheus exporters share; read again when it changes."
        ),
    )
    token: _Token | None = Field(
        None,
        description=(
            "Bearer token for heartbeats, /-/reload and /probe. Without one these are accepted "
            "from this host only; set one where a proxy runs on it, which may not say that it is "
            "one."
        ),
    )
    token_file: _TokenFromFile | None = Field(None, description="File that holds the token.")
    max_connections: int = Field(
        512, ge=1, le=65536, description="Connections at one time; more are closed at once."
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
    def write_token(self) -> str:
        """The token that a write needs, "" for none."""
        token = self.token or self.token_file
        return token.get_secret_value() if token else ""
