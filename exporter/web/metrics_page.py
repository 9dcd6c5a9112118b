"""/metrics: every series as text or OpenMetrics, compressed where that is asked for. No I/O."""

import asyncio
import gzip
import time
from collections.abc import Iterable
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CollectorRegistry

from exporter.metrics.exposition import Block, Format
from exporter.metrics.registry import Metrics

_GZIP_LEVEL = 5


@dataclass(frozen=True, slots=True)
class Page:
    """One rendering."""

    body: bytes
    content_type: str
    zipped: bool
    began: float
    """On the monotonic clock: what it shows is no older."""

    def response(self) -> Response:
        """Return it as an answer."""
        headers = {"Content-Type": self.content_type, "Vary": "Accept, Accept-Encoding"}
        if self.zipped:
            headers["Content-Encoding"] = "gzip"
        return Response(self.body, headers=headers)


class Renderer:
    """Renders in a thread, one page at a time; who waited for one shares it with the others.

    A page of 20,000 series takes longer than the loop may stand still, and as several at a time
    take turns in the interpreter, they would only all be late.
    """

    def __init__(self, metrics: Metrics, others: CollectorRegistry) -> None:
        self._metrics = metrics
        self._others = others
        self._one_at_a_time = asyncio.Lock()
        self._last: dict[tuple[Format, bool], Page] = {}

    async def page(self, accept: str, accept_encoding: str) -> Page:
        """Return what the metrics are now, or at some time since this was called."""
        asked = time.monotonic()
        zipped = takes_gzip(accept_encoding)
        wanted = Format.accepted(accept)
        async with self._one_at_a_time:
            last = self._last.get((wanted, zipped))
            if last is None or last.began < asked:
                # The snapshot is taken in the loop, where nothing writes meanwhile.
                snapshot = self._metrics.snapshot()
                last = await asyncio.to_thread(
                    render, snapshot, self._others, wanted, zipped=zipped
                )
                self._last[wanted, zipped] = last
            return last


def render(
    snapshot: Iterable[Block], others: CollectorRegistry, wanted: Format, *, zipped: bool
) -> Page:
    """Render a page."""
    began = time.monotonic()
    body = wanted.page(snapshot, others).encode()
    content = gzip.compress(body, _GZIP_LEVEL) if zipped else body
    return Page(content, wanted.content_type, zipped, began)


def takes_gzip(accept_encoding: str) -> bool:
    """Return whether a header `Accept-Encoding` allows gzip."""
    for part in accept_encoding.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def metrics_routes(metrics: Metrics, others: CollectorRegistry) -> APIRouter:
    """Return /metrics, with what others have in the client library's registry."""
    routes = APIRouter()
    renderer = Renderer(metrics, others)

    @routes.get("/metrics", response_class=PlainTextResponse, summary="Every metric")
    async def page(request: Request) -> Response:
        """Text, or OpenMetrics where the header Accept asks for it."""
        wanted = request.headers
        found = await renderer.page(wanted.get("accept", ""), wanted.get("accept-encoding", ""))
        return found.response()

    return routes
