"""POST /call: the form of the status page that calls an agent now."""

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import RedirectResponse, Response

from exporter.web.refusals import TEXT
from exporter.web.sources import Sources
from exporter.web.watched import find_target


def call_routes(sources: Sources) -> APIRouter:
    """Return the route. The gate lets in what may write, and nothing from pages of other sites."""
    routes = APIRouter()

    @routes.post(
        "/call",
        status_code=303,
        response_class=RedirectResponse,
        responses={
            303: {"description": "The call begins, if budget and windows allow: see /"},
            404: {"description": "No such target is configured", **TEXT},
            503: {"description": "This exporter makes no calls", **TEXT},
        },
    )
    async def call(
        target: str = Query(max_length=800, description="Target: an `id` of /api/v1/targets."),
    ) -> Response:
        """Call one configured target now; the status page shows what comes of it."""
        config = find_target(sources.targets(), target)
        if config is None:
            raise HTTPException(404, f"no target {target!r} is configured")
        if sources.call_soon is None:
            raise HTTPException(503, "this exporter makes no calls")
        sources.call_soon(config)
        return RedirectResponse("./", 303)

    return routes
