"""/webhook/livekit: what the LiveKit server reports of real calls.

A delivery needs no token of the exporter: it is signed with the server's key over its exact body.
"""

from typing import Final

from fastapi import APIRouter, HTTPException, Request, Response
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.web.refusals import TEXT, problem
from exporter.web.sources import Sources, TakesDeliveries

PATH: Final = "/webhook/livekit"
BODY_LIMIT: Final = 64 * 1024
"""Bytes of one event."""
CONTENT_TYPES = ("application/webhook+json", "application/json")
_PROBLEMS = {
    "signature": (401, "the signature is not of the key of this exporter's server and this body"),
    "body": (400, "the body is no event"),
    "content_type": (415, f"the content type is not {CONTENT_TYPES[0]}"),
    "too_large": (413, f"an event may have at most {BODY_LIMIT} bytes"),
}
_TEXT, _WHOLE = {"type": "string"}, {"type": ["string", "integer"]}
_PARTICIPANT = {
    "sid": _TEXT,
    "identity": _TEXT,
    "kind": _TEXT,
    "region": _TEXT,
    "joinedAtMs": _WHOLE,
    "attributes": {"type": "object", "additionalProperties": _TEXT},
    "permission": {"type": "object", "properties": {"hidden": {"type": "boolean"}}},
    "disconnectReason": _TEXT,
}
_EVENT = {
    "event": _TEXT,
    "id": _TEXT,
    "createdAt": _WHOLE,
    "numDropped": _WHOLE,
    "room": {"type": "object", "properties": {"sid": _TEXT, "name": _TEXT}},
    "participant": {"type": "object", "properties": _PARTICIPANT},
    "track": {"type": "object", "properties": {"type": _TEXT, "source": _TEXT}},
    "roomEndReason": _TEXT,
}
"""The properties of an event that are read; numbers of 64 bits are text in JSON."""
_SCHEMA = {"type": "object", "properties": _EVENT}
_BODY = {"requestBody": {"required": True, "content": {CONTENT_TYPES[0]: {"schema": _SCHEMA}}}}


def webhook_routes(sources: Sources) -> APIRouter:
    """Return the route, which is in the document of all pages."""
    routes = APIRouter()

    @routes.post(
        PATH,
        status_code=204,
        responses=dict.fromkeys((400, 401, 413, 415, 503), TEXT),
        openapi_extra=_BODY,
    )
    async def webhook(request: Request) -> Response:
        """Take one webhook event of the LiveKit server, signed by it in the header Authorization.

        An event that was taken before is answered as taken, or the server would send it again.
        """
        return await _take(request.headers, request.receive, sources)

    return routes


def quickly(pages: ASGIApp, sources: Sources) -> ASGIApp:
    """Return an application that answers deliveries itself, and leaves all else to the pages.

    Routing and the layers around a page cost more than all that a delivery needs, and a busy
    server sends hundreds a second.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != PATH or scope["method"] != "POST":
            await pages(scope, receive, send)
            return
        try:
            answer = await _take(Headers(scope=scope), receive, sources)
        except HTTPException as refusal:
            answer = problem(PATH, refusal.status_code, refusal.detail)
        except ClientDisconnect:
            answer = problem(PATH, 400, "request did not end")
        await answer(scope, receive, send)

    return app


async def _take(headers: Headers, receive: Receive, sources: Sources) -> Response:
    deliveries = sources.deliveries
    if deliveries is None:
        raise HTTPException(503, "this exporter follows no real calls")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in CONTENT_TYPES:
        raise _refused(deliveries, "content_type")
    body = await _body(receive, deliveries)
    if reason := await deliveries.take(body, headers.get("authorization", "")):
        status, text = _PROBLEMS[reason]
        raise HTTPException(status, text)
    return Response(status_code=204)


async def _body(receive: Receive, deliveries: TakesDeliveries) -> bytes:
    """Return the body; one that is too large is not read to its end.

    Raises:
        ClientDisconnect: It ended before.
    """
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > BODY_LIMIT:
            raise _refused(deliveries, "too_large")
    return body


def _refused(deliveries: TakesDeliveries, reason: str) -> HTTPException:
    deliveries.refuse(reason)
    status, text = _PROBLEMS[reason]
    return HTTPException(status, text)
