"""The routes. Everything they need is handed in; nothing here waits for a probe or a server."""

import asyncio
import gzip
from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

_GZIP_LEVEL = 5
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
_PAGE_HEADERS = _HEADERS | {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class Sources:
    """What the pages show."""

    registry: CollectorRegistry
    not_healthy: Callable[[], str]
    """Why the exporter does not do its work, "" when it does."""
    not_ready: Callable[[], str]
    """Why what it shows is not yet, or no more, to be relied on, "" when it is."""
    status_page: Callable[[], str]
    """The status page as HTML."""


def make_app(sources: Sources) -> Starlette:
    """Return the ASGI application."""

    async def metrics(request: Request) -> Response:
        # In a thread: a page of 20,000 series takes longer than the loop may stand still.
        return await asyncio.to_thread(_metrics, sources.registry, request)

    async def healthy(_request: Request) -> Response:
        return _state(sources.not_healthy(), "healthy")

    async def ready(_request: Request) -> Response:
        return _state(sources.not_ready(), "ready")

    async def status(_request: Request) -> Response:
        return HTMLResponse(sources.status_page(), headers=_PAGE_HEADERS)

    return Starlette(
        routes=[
            Route("/", status),
            Route("/metrics", metrics),
            Route("/-/healthy", healthy),
            Route("/-/ready", ready),
        ]
    )


def _metrics(registry: CollectorRegistry, request: Request) -> Response:
    """Render the page in the format and the encoding that the reader asks for."""
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    body = encode(registry)
    headers = _HEADERS | {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
    if _takes_gzip(request.headers.get("accept-encoding", "")):
        body = gzip.compress(body, _GZIP_LEVEL)
        headers["Content-Encoding"] = "gzip"
    return Response(body, headers=headers)


def _takes_gzip(accept_encoding: str) -> bool:
    for part in accept_encoding.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _state(why_not: str, state: str) -> Response:
    if why_not:
        return PlainTextResponse(f"not {state}: {why_not}\n", 503, headers=_HEADERS)
    return PlainTextResponse(f"{state}\n", headers=_HEADERS)
