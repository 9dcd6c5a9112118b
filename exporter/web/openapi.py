"""The OpenAPI document: what the routes say of themselves, and what the gate before them adds."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from exporter.roster.wire import Heartbeat
from exporter.web.access import is_write
from exporter.web.answers import API, TEXT, Problem

_REF = "#/components/schemas/{model}"
_OF_EVERY_REQUEST = {
    "401": "Basic auth is on, and user or password is missing or wrong",
    "413": "The body is larger than 1 MiB",
    "429": "More requests than the web configuration file allows",
    "500": "A bug; the log has more",
}
_OF_WRITES = {
    "401": "The bearer token is missing or wrong; without one, user and password",
    "403": "Not from here: no token is configured, or a page of another site asks",
}
_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "`web.token`."},
    "password": {
        "type": "http",
        "scheme": "basic",
        "description": "`basic_auth_users`; of writes where no token is configured.",
    },
}


def describe(app: FastAPI) -> None:
    """Let the application's document tell of the gate as well."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # as FastAPI's own guide says


def _document(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(title=app.title, version=app.version, routes=app.routes)
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    heartbeat = Heartbeat.model_json_schema(ref_template=_REF)
    schemas.update(heartbeat.pop("$defs", {}))
    schemas["Heartbeat"] = heartbeat
    schemas["Problem"] = Problem.model_json_schema(ref_template=_REF)
    components["securitySchemes"] = _SCHEMES
    for path, operations in found["paths"].items():
        for method, operation in operations.items():
            _add_gate(path, method.upper(), operation)
    return found


def _add_gate(path: str, method: str, operation: dict[str, Any]) -> None:
    """Add what the gate may answer in place of the page, and what the request must bring."""
    write = is_write(method, path)
    more = _OF_EVERY_REQUEST | (_OF_WRITES if write else {})
    if "{" in path:
        more = {"404": "No such thing, or no plain path"} | more
    as_json = {"content": {"application/json": {"schema": {"$ref": _REF.format(model="Problem")}}}}
    body = as_json if path.startswith(API) else TEXT
    responses: dict[str, Any] = operation["responses"]
    for status, text in more.items():
        told = responses.get(status, {}).get("description")
        responses[status] = {"description": told or text, **body}
    if "422" in responses:
        responses["422"] = {"description": "The request makes no sense", **body}
    operation["security"] = [{"token": []}, {"password": []}] if write else [{}, {"password": []}]
