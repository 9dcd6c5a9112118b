"""The application: the pages put together behind one gate, and the document of them all."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from exporter import __version__
from exporter.calls.turns import TurnBatch
from exporter.probes.ramp.figures import RampFigures
from exporter.roster.wire import Heartbeat
from exporter.web.api import api_routes
from exporter.web.call_now import call_routes
from exporter.web.gate import SIGNED_PATHS, Access, Gate, is_write
from exporter.web.metrics_page import metrics_routes
from exporter.web.pages import page_routes
from exporter.web.probe_page import probe_routes
from exporter.web.refusals import API, TEXT, Problem, Refusals, problem
from exporter.web.run_routes import run_routes
from exporter.web.server import ConnectionLimits, WebServer
from exporter.web.settings import WebSettings
from exporter.web.sources import Sources
from exporter.web.web_config import WebConfigWatch
from exporter.web.webhook import quickly, webhook_routes

OPENAPI = "/api/v1/openapi.json"
_REF = "#/components/schemas/{model}"
_OF_EVERY_REQUEST = {
    "401": "Basic auth is enabled, and user or password is missing or wrong",
    "403": "A client certificate is required, and none was sent",
    "413": "The body is larger than 1 MiB",
    "429": "More requests than the web configuration file allows",
    "500": "Internal error; see the log",
}
_OF_WRITES = {
    "401": "The bearer token is missing or wrong, or user and password if there is no token",
    "403": "No client certificate, not a local request without a token, or a cross-site request",
}
_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "`web.token`."},
    "password": {
        "type": "http",
        "scheme": "basic",
        "description": "`basic_auth_users`; for writes only if no token is configured.",
    },
    "signature": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "A JWT with the hash of the body, signed with the LiveKit server's key.",
    },
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
        settings: Returns the settings as of now: a reload may change the token.
        config: The web configuration file.
        refusals: Told of every request that is turned away.
    """
    access = Access(lambda: settings().write_token, settings().host)
    paths = settings().paths
    pages = quickly(make_pages(sources, paths.external), sources)
    return Gate(pages, access=access, config=config, refusals=refusals, paths=paths)


def make_server(
    sources: Sources,
    settings: Callable[[], WebSettings],
    config: WebConfigWatch,
    refusals: Refusals,
) -> WebServer:
    """Return the server of the application; see `make_app`."""
    app = make_app(sources, settings, config, refusals)
    return WebServer(
        app, config, refusals, ConnectionLimits(connections=settings().max_connections)
    )


def make_pages(sources: Sources, external_path: str = "") -> FastAPI:
    """Return the pages without the gate before them.

    Args:
        sources: What they show.
        external_path: Where clients find them, for the document.
    """
    app = FastAPI(
        title="voice-exporter",
        version=__version__,
        openapi_url=OPENAPI,
        servers=[{"url": external_path or "/"}],
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
    for routes in (
        page_routes(sources),
        run_routes(sources),
        metrics_routes(sources.metrics, sources.process),
        probe_routes(sources),
        call_routes(sources),
        api_routes(sources),
        webhook_routes(sources),
    ):
        # As they are: include_router would make each once more, with the schemas of its types.
        app.router.routes.extend(routes.routes)
    _describe(app)
    return app


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
    """Send no answer: the client disconnected during its request. This is not an error."""
    return problem(request.url.path, 400, "request did not end")


async def _on_bug(request: Request, _error: Exception) -> Response:
    """Say no more; the server logs the traceback."""
    return problem(request.url.path, 500, "internal error")


def _describe(app: FastAPI) -> None:
    """Put what the gate adds into the application's document."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # as FastAPI's own guide says


def _document(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(
        title=app.title, version=app.version, routes=app.routes, servers=app.servers
    )
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for model in (Heartbeat, RampFigures, TurnBatch):
        schema = model.model_json_schema(ref_template=_REF)
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    schemas["Problem"] = Problem.model_json_schema(ref_template=_REF)
    components["securitySchemes"] = _SCHEMES
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            _add_gate(path, method.upper(), operation)
    return found


def _add_gate(path: str, method: str, operation: dict[str, Any]) -> None:
    """Add what the gate may answer in place of the page, and what the request must bring."""
    signed = path in SIGNED_PATHS
    write = is_write(method, path) and not signed
    more = _OF_EVERY_REQUEST | (_OF_WRITES if write else {})
    if "{" in path:
        more = {"404": "No such resource, or an invalid path"} | more
    as_json = {"content": {"application/json": {"schema": {"$ref": _REF.format(model="Problem")}}}}
    body = as_json if path.startswith(API) else TEXT
    responses: dict[str, Any] = operation["responses"]
    for status, text in more.items():
        told = responses.get(status, {}).get("description")
        responses[status] = {"description": told or text, **body}
    if "422" in responses:
        responses["422"] = {"description": "The request is not valid", **body}
    if signed:
        operation["security"] = [{"signature": []}]
        return
    operation["security"] = [{"token": []}, {"password": []}] if write else [{}, {"password": []}]
