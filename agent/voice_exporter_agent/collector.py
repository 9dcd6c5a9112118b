"""The exporter that reports go to: its address and its token, checked."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx


class ArgumentError(ValueError):
    """An argument is wrong; the text says what was expected."""


@dataclass(frozen=True, slots=True)
class Collector:
    """The exporter that the reports go to."""

    url: str
    token: str = field(default="", repr=False)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of every request."""
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def why(error: Exception) -> str:
    """Say why on one line: never the address, which could hold a secret, nor the token."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"the exporter answered {error.response.status_code}"
    return type(error).__name__


def collector_at(url: str | None, token: str | None) -> Collector:
    """Return the collector that is given, or else that of the environment.

    Args:
        url: Its address; else `VOICE_EXPORTER_COLLECTOR_URL`.
        token: The exporter's `web.token`; else `VOICE_EXPORTER_TOKEN`, else the content of the
            file `VOICE_EXPORTER_TOKEN_FILE`.

    Raises:
        ArgumentError: One of them is wrong.
    """
    address = (url or os.environ.get("VOICE_EXPORTER_COLLECTOR_URL", "")).strip()
    return Collector(_checked(address), _token(token))


def _checked(url: str) -> str:
    """Return the address without a slash at its end.

    Raises:
        ArgumentError: It is none. It is not repeated: it might hold a password.
    """
    expected = "expected http://HOST:PORT, as collector or in VOICE_EXPORTER_COLLECTOR_URL"
    if not url:
        raise ArgumentError(f"no collector is configured; {expected}")
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # wrong brackets, or a port that is no number
        valid = False
    if not valid or parts.username is not None:
        raise ArgumentError(f"the collector is not a valid URL; {expected}")
    return url.rstrip("/")


def _token(given: str | None) -> str:
    """Return the token, "" for none.

    Raises:
        ArgumentError: Its file cannot be read, or it cannot be sent.
    """
    token = (given or os.environ.get("VOICE_EXPORTER_TOKEN", "")).strip()
    path = os.environ.get("VOICE_EXPORTER_TOKEN_FILE", "")
    if not token and path:
        try:
            token = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "not UTF-8 text"
            raise ArgumentError(
                f"VOICE_EXPORTER_TOKEN_FILE {path}: cannot be read: {why}"
            ) from None
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ArgumentError("the token cannot be sent in a header; expected printable ASCII")
    return token
