"""The session as an HTTP API. Probers dial out to it, and ask for their next step by long polls."""

import hmac
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.distributed.messages import Done, Heard, Now, Plan, Registration, Sign, Step
from exporter.distributed.session import RefusedError, Session

POLL_S = 20.0
"""A long poll is answered after so long at the latest: less than proxies and NATs wait."""
LARGEST_BODY = 1 << 20


def make_app(session: Session, token: str) -> ASGIApp:
    """Return the API.

    Args:
        session: What it is about.
        token: That every request needs; "" for none.
    """
    app = FastAPI(title="voice-exporter coordinator", docs_url=None, redoc_url=None)

    @app.exception_handler(RefusedError)
    async def refuse(_request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, HTTPStatus.CONFLICT)

    @app.post("/v1/vantages", status_code=HTTPStatus.CREATED)
    async def register(registration: Registration) -> Plan:
        return await session.register(registration)

    @app.get("/v1/time")
    async def time() -> Now:
        return Now(monotonic_s=session.now())

    @app.get("/v1/vantages/{member}/step", response_model=Step)
    async def step(member: str, after: int = 0) -> Step | Response:
        found = await session.step_after(member, after, POLL_S)
        return found if found is not None else Response(status_code=HTTPStatus.NO_CONTENT)

    @app.post("/v1/vantages/{member}/sign")
    async def sign(member: str, sign: Sign) -> Heard:
        return await session.sign(member, sign)

    @app.post("/v1/vantages/{member}/done", status_code=HTTPStatus.NO_CONTENT)
    async def done(member: str, done: Done) -> None:
        await session.done(member, done)

    return Gate(app, token)


class Gate:
    """Lets through who has the token, and bodies of a sane size, before anything is read."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode() if token else b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        app: Callable[[Scope, Receive, Send], Awaitable[None]] = self._app
        if scope["type"] == "http" and (refusal := self._refusal(scope)):
            app = refusal
        await app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        given = headers.get(b"authorization", b"")
        if self._expected and not hmac.compare_digest(given, self._expected):
            return _problem(HTTPStatus.UNAUTHORIZED, "the token is missing or wrong")
        size = headers.get(b"content-length", b"")
        if scope["method"] == "POST" and not size.isdigit():
            return _problem(HTTPStatus.LENGTH_REQUIRED, "a body needs its length")
        if size.isdigit() and int(size) > LARGEST_BODY:
            return _problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is too large")
        return None


def _problem(status: HTTPStatus, detail: str) -> Response:
    body = json.dumps({"detail": detail})
    return Response(body, status, media_type="application/json", headers={"Connection": "close"})
