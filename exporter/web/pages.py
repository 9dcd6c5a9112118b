"""The pages for people and supervisors: the status page, /-/healthy, /-/ready and /-/reload.

The status page works without scripts; with its own, the only one allowed, it refreshes itself.
"""

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from exporter.web.refusals import TEXT
from exporter.web.rendering import new_nonce, policy, template
from exporter.web.sources import Sources
from exporter.web.status import STATUS, Viewer

_DOES = "connect-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'"
"""It refreshes itself, and asks for calls."""


def page_routes(sources: Sources) -> APIRouter:
    """Return the routes."""
    template(STATUS)  # now: read at the first request, it would hold the event loop
    routes = APIRouter(default_response_class=PlainTextResponse)
    rendering = asyncio.Lock()  # several at once would take the event loop's turns as well

    @routes.get("/", response_class=HTMLResponse)
    async def status(request: Request) -> Response:
        """What is watched and what came of it, for people."""
        may_call = sources.call is not None and getattr(request.state, "may_write", False)
        viewer = Viewer(may_call=may_call, nonce=new_nonce())
        headers = {
            "Content-Security-Policy": policy(viewer.nonce, _DOES),
            # Not no-referrer: a form would then name no origin, and the gate would refuse it.
            "Referrer-Policy": "same-origin",
        }
        async with rendering:
            page = await asyncio.to_thread(sources.status_page(viewer))
        return HTMLResponse(page, headers=headers)

    _add_state(routes, sources)
    return routes


def _add_state(routes: APIRouter, sources: Sources) -> None:
    """Add what a supervisor asks for."""

    @routes.get(
        "/-/healthy", responses={503: {"description": "Unhealthy, with the reason", **TEXT}}
    )
    async def healthy(request: Request) -> Response:
        """Whether the exporter does its work; what an operator should still know comes after."""
        return _state(request, sources.not_healthy(), "healthy", tuple(sources.notes()))

    @routes.get("/-/ready", responses={503: {"description": "Not ready, with the reason", **TEXT}})
    async def ready(request: Request) -> Response:
        """Whether what it shows is to be relied on: after the first listing, until it stops.

        A ledger that is away is named below, and is no reason: calls go on.
        """
        return _state(request, sources.not_ready(), "ready", tuple(sources.notes()))

    @routes.post("/-/reload", responses={500: {"description": "Failed, with the reason", **TEXT}})
    async def reload() -> Response:
        """Read the configuration again; a bad one changes nothing."""
        if sources.reload is None:
            return PlainTextResponse("this exporter cannot reload its configuration\n", 500)
        why_not = await sources.reload()
        if why_not:
            return PlainTextResponse(f"failed to reload the configuration: {why_not}\n", 500)
        return PlainTextResponse("reloaded\n")


def _state(request: Request, why_not: str, state: str, notes: tuple[str, ...] = ()) -> Response:
    if getattr(request.state, "brief", False):  # by the gate: the client may read nothing else
        return PlainTextResponse(f"{'un' if why_not else ''}{state}\n", 503 if why_not else 200)
    if why_not:
        return PlainTextResponse(f"not {state}: {why_not}\n", 503)
    return PlainTextResponse("".join(f"{line}\n" for line in (state, *notes)))
