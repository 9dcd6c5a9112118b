"""/metrics: the registry as text or OpenMetrics, compressed where that is asked for. No I/O."""

import asyncio
import gzip
import time
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CollectorRegistry

from exporter.metrics.exposition import choose_encoder

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

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._one_at_a_time = asyncio.Lock()
        self._last: dict[tuple[str, bool], Page] = {}

    async def page(self, accept: str, accept_encoding: str) -> Page:
        """Return what the registry holds now, or at some time since this was called.

        Args:
            accept: The header of that name.
            accept_encoding: The header of that name.
        """
        asked = time.monotonic()
        zipped = takes_gzip(accept_encoding)
        _, content_type = choose_encoder(accept)
        async with self._one_at_a_time:
            last = self._last.get((content_type, zipped))
            if last is None or last.began < asked:
                last = await asyncio.to_thread(render, self._registry, accept, zipped=zipped)
                self._last[content_type, zipped] = last
            return last


def render(registry: CollectorRegistry, accept: str, *, zipped: bool) -> Page:
    """Render a registry in the format that a header `Accept` asks for."""
    began = time.monotonic()
    encode, content_type = choose_encoder(accept)
    body = encode(registry)
    return Page(gzip.compress(body, _GZIP_LEVEL) if zipped else body, content_type, zipped, began)


def takes_gzip(accept_encoding: str) -> bool:
    """Return whether a header `Accept-Encoding` allows gzip."""
    for part in accept_encoding.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def metrics_routes(registry: CollectorRegistry) -> APIRouter:
    """Return /metrics."""
    routes = APIRouter()
    renderer = Renderer(registry)

    @routes.get("/metrics", response_class=PlainTextResponse, summary="Every metric")
    async def metrics(request: Request) -> Response:
        """Text, or OpenMetrics where the header Accept asks for it."""
        wanted = request.headers
        page = await renderer.page(wanted.get("accept", ""), wanted.get("accept-encoding", ""))
        return page.response()

    return routes
