"""Requests that are turned away: answered in one shape, counted, logged without a flood."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, PlainTextResponse, Response

from exporter.metrics.registry import Metrics

log = logging.getLogger(__name__)

API = "/api/"
TEXT = {"content": {"text/plain": {"schema": {"type": "string"}}}}
"""Of an answer in the OpenAPI document: it is text."""
_REFUSED = "voice_exporter_http_requests_refused_total"
LOGGED_EVERY_S = 60.0
_SHOWN = 200
"""Characters of a path that a line repeats."""


class RefusalReason(StrEnum):
    """Why a request was turned away: the bounded label `reason`."""

    PATH = "path"
    """The path is no plain one: `..`, `//`, or encoded characters in place of these."""
    TOKEN = "token"  # noqa: S105 - a reason
    """A write without the bearer token, or with a wrong one."""
    PASSWORD = "password"  # noqa: S105 - a reason
    """Basic auth is on, and user or password is missing or wrong."""
    NOT_LOOPBACK = "not_loopback"
    """No token is configured, and the write comes from elsewhere or through a proxy."""
    ORIGIN = "origin"
    """A browser sends the write for a page of another site."""
    HOST = "host"
    """A write without a token names a host that the exporter is not."""
    TOO_LARGE = "too_large"
    """The body is larger than the limit."""
    TOO_SLOW = "too_slow"
    """The client sends its request, or reads the answer, too slowly."""
    CONNECTIONS = "connections"
    """There are as many connections as are allowed."""
    CERTIFICATE = "certificate"
    """A client certificate is needed, and there is none, or it has none of the allowed names."""
    RATE = "rate"
    """More requests than the web configuration file allows, or too many passwords to check."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer to a request that is turned away."""

    reason: RefusalReason
    status: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Problem(BaseModel):
    """The reason why a request was refused."""

    error: str = Field(description="Human-readable explanation.")


def problem(
    path: str, status: int, text: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an error: JSON below /api/, one line of text elsewhere."""
    own = dict(headers or {})
    if path.startswith(API):
        return JSONResponse(Problem(error=text).model_dump(), status, headers=own)
    return PlainTextResponse(f"{text}\n", status, headers=own)


@dataclass(slots=True)
class _Lately:
    logged_at: float
    unlogged: int = 0


class Refusals:
    """Counts every refusal, and logs each reason once a minute at most. For one thread."""

    def __init__(self, metrics: Metrics, clock: Callable[[], float] = time.monotonic) -> None:
        """Let the series of every reason exist."""
        self._metrics = metrics
        self._clock = clock
        for reason in RefusalReason:
            metrics.create(_REFUSED, reason)
        self._lately: dict[RefusalReason, _Lately] = {}

    def note(self, reason: RefusalReason, peer: str, path: str = "") -> None:
        """Count one, and log it unless another of its reason was logged a moment ago.

        Args:
            reason: Why.
            peer: The client's address.
            path: What it asked for, without the query.
        """
        self._metrics.add(_REFUSED, 1, reason)
        now = self._clock()
        lately = self._lately.get(reason)
        if lately is not None and now - lately.logged_at < LOGGED_EVERY_S:
            lately.unlogged += 1
            return
        self._lately[reason] = _Lately(now)
        fields = {
            "reason": reason.value,
            "peer": peer,
            "path": path[:_SHOWN] or None,
            "more_since": lately.unlogged if lately and lately.unlogged else None,
        }
        log.warning("request refused", extra=fields)
