"""The application: it only puts the pages together, behind one gate."""

from collections.abc import Callable
from http import HTTPStatus

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from exporter import __version__
from exporter.web.access import Access
from exporter.web.answers import problem
from exporter.web.api import api_routes
from exporter.web.gate import Gate
from exporter.web.life import life_routes
from exporter.web.metrics_page import metrics_routes
from exporter.web.openapi import describe
from exporter.web.probe_page import probe_routes
from exporter.web.refusals import Refusals
from exporter.web.server import Limits, WebServer
from exporter.web.settings import WebSettings
from exporter.web.sources import Sources
from exporter.web.web_config import WebConfigWatch

OPENAPI = "/api/v1/openapi.json"
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
}


def make_app(
    sources: Sources,
    settings: Callable[[], WebSettings],
    config: WebConfigWatch,
    refusals: Refusals,
) -> ASGIApp:
    """Return the ASGI application.

    Args:
        sources: What the pages show.
        settings: Tells the settings as of now: a reload may change the token.
        config: The web configuration file.
        refusals: Told of every request that is turned away.
    """
    access = Access(lambda: settings().write_token, settings().host)
    return Gate(make_pages(sources), access=access, config=config, refusals=refusals)


def make_server(
    sources: Sources,
    settings: Callable[[], WebSettings],
    config: WebConfigWatch,
    refusals: Refusals,
) -> WebServer:
    """Return the server of the application; see `make_app`."""
    app = make_app(sources, settings, config, refusals)
    return WebServer(app, config, refusals, Limits(connections=settings().max_connections))


def make_pages(sources: Sources) -> FastAPI:
    """Return the pages without the gate before them."""
    app = FastAPI(
        title="voice-exporter",
        version=__version__,
        openapi_url=OPENAPI,
        # These pages would load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        # A redirect would repeat the header Host, whatever it says.
        redirect_slashes=False,
        exception_handlers={
            HTTPException: _on_http_error,
            RequestValidationError: _on_invalid,
            ClientDisconnect: _on_disconnect,
            Exception: _on_bug,
        },
    )
    app.include_router(_status_routes(sources))
    app.include_router(metrics_routes(sources.registry))
    app.include_router(life_routes(sources))
    app.include_router(probe_routes(sources))
    app.include_router(api_routes(sources))
    describe(app)
    return app


def _status_routes(sources: Sources) -> APIRouter:
    routes = APIRouter()

    @routes.get("/", response_class=HTMLResponse)
    async def status() -> Response:
        """What is watched and what came of it, for people."""
        return HTMLResponse(sources.status_page(), headers=_PAGE_HEADERS)

    return routes


async def _on_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    is_phrase = error.detail == HTTPStatus(error.status_code).phrase  # where a page said no more
    text = error.detail.lower() if is_phrase else error.detail
    return problem(request.url.path, error.status_code, text, error.headers)


async def _on_invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    where = " ".join(str(part) for part in first["loc"])
    text = str(first["msg"]).removeprefix("Value error, ")
    return problem(request.url.path, 422, f"{where}: {text}")


async def _on_disconnect(request: Request, _error: Exception) -> Response:
    """Answer nobody: the client went while it sent its body. It is no error of ours."""
    return problem(request.url.path, 400, "the request did not end")


async def _on_bug(request: Request, _error: Exception) -> Response:
    """Say no more; the server logs the traceback."""
    return problem(request.url.path, 500, "internal error")
