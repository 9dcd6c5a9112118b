"""The pages for people and supervisors: the status page, /-/healthy, /-/ready and /-/reload.

The status page works without scripts; with its own, the only one allowed, it refreshes itself.
"""

import secrets

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from exporter.web.refusals import TEXT
from exporter.web.sources import Sources
from exporter.web.status import Viewer, template

_POLICY = (
    "default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; "
    "connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


def page_headers(nonce: str) -> dict[str, str]:
    """Return what a browser is told of a page with style and script of its own.

    Args:
        nonce: On both of them; another for each answer.
    """
    return {
        "Content-Security-Policy": _POLICY.format(nonce=nonce),
        # Not no-referrer: a form would then name no origin, and the gate would refuse it.
        "Referrer-Policy": "same-origin",
    }


def page_routes(sources: Sources) -> APIRouter:
    """Return the routes."""
    template()  # now: read at the first request, it would hold the event loop
    routes = APIRouter(default_response_class=PlainTextResponse)

    @routes.get("/", response_class=HTMLResponse)
    async def status(request: Request) -> Response:
        """What is watched and what came of it, for people."""
        may_call = sources.call is not None and getattr(request.state, "may_write", False)
        viewer = Viewer(may_call=may_call, nonce=secrets.token_urlsafe(16))
        return HTMLResponse(sources.status_page(viewer), headers=page_headers(viewer.nonce))

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
        """Whether what it shows is to be relied on: after the first listing, until it stops."""
        return _state(request, sources.not_ready(), "ready")

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
