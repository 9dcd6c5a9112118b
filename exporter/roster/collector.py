"""Ask a running exporter: for its roster, and to take the result of a ramp."""

import asyncio
import json
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError

from exporter.config.values import Secret, SecretFromFile, Section, Stripped, invalid, is_name
from exporter.errors import ProbeError
from exporter.outcome import Reason
from exporter.roster.wire import WorkerList, WorkerView

if TYPE_CHECKING:
    import httpx

TIMEOUT_S = 5.0
"""For the whole answer."""
_MAX_BYTES = 32 * 1024 * 1024
"""Ten thousand workers are some 3 MB."""
_MOST_EXPLAINED = 200
"""Characters of an explanation that are repeated."""


def _check_url(url: str) -> str:
    expected = "expected http:// or https://, a host and no user or password"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise invalid(f"has no valid host and port; {expected}") from None
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise invalid(f"is not a URL of an exporter; {expected}")
    return url.rstrip("/")


class CollectorConfig(Section):
    """A running exporter: `agents` shows its roster, `sfu --collector` sends it a ramp."""

    url: Annotated[str, Stripped, AfterValidator(_check_url)] | None = Field(
        None, description="URL of a running exporter: http://HOST:9465."
    )
    token: Secret | None = Field(None, description="Bearer token: its `web.token`.")
    token_file: SecretFromFile | None = Field(None, description="File with the token.")

    @property
    def bearer(self) -> str:
        """The token, "" for none."""
        token = self.token or self.token_file
        return token.get_secret_value() if token else ""


async def fetch_workers(config: CollectorConfig) -> tuple[WorkerView, ...]:
    """Return the workers that the running exporter knows.

    Raises:
        ProbeError: It did not answer, refused, or is no exporter; one line without the token.
    """
    body = await ask(config, "GET", "workers")
    try:
        return WorkerList.model_validate_json(body).workers
    except ValidationError:
        raise ProbeError(Reason.API_FAILED, f"{config.url}: the answer is not a roster") from None


async def send_ramp(config: CollectorConfig, document: str) -> None:
    """Let the running exporter show and keep the result of a ramp.

    Raises:
        ProbeError: It did not answer, or refused; one line without the token.
    """
    await ask(config, "POST", "ramps", document)


async def ask(config: CollectorConfig, method: str, path: str, document: str = "") -> bytes:
    """Return the body of an answer that is well.

    Raises:
        ProbeError: There is none; one line without the token.
    """
    import httpx  # noqa: PLC0415 - only who asks pays for it

    headers = {"Authorization": f"Bearer {config.bearer}"} if config.bearer else {}
    url = f"{config.url}/api/v1/{path}"
    try:
        async with (
            asyncio.timeout(TIMEOUT_S),
            httpx.AsyncClient(timeout=TIMEOUT_S, headers=headers) as client,
            client.stream(
                method, url, content=document or None, follow_redirects=False
            ) as response,
        ):
            body = await _body(response)
    except TimeoutError:
        detail = f"{config.url} did not answer within {TIMEOUT_S:g} s"
        raise ProbeError(Reason.CONNECT_FAILED, detail) from None
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        why = str(error) or type(error).__name__
        raise ProbeError(Reason.CONNECT_FAILED, f"{config.url} did not answer: {why}") from None
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise ProbeError(Reason.AUTH_FAILED, f"{config.url} refused the token")
    if not response.is_success:
        detail = f"{config.url} answered {response.status_code}{_why(body)}"
        raise ProbeError(Reason.API_FAILED, detail)
    if len(body) > _MAX_BYTES:
        raise ProbeError(Reason.API_FAILED, f"{config.url}: the answer is too large")
    return body


def _why(body: bytes) -> str:
    """Return the explanation of an exporter that refused; "" for what cannot be printed."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    short = isinstance(error, str) and len(error) <= _MOST_EXPLAINED and is_name(error)
    return f": {error}" if short else ""


async def _body(response: "httpx.Response") -> bytes:
    """Return the body, or a little more than the most that is taken of it."""
    body = bytearray()
    async for part in response.aiter_bytes():
        body += part
        if len(body) > _MAX_BYTES:
            break
    return bytes(body)
