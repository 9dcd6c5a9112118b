"""/-/healthy, /-/ready and /-/reload: for who runs the exporter."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response

from exporter.web.answers import TEXT
from exporter.web.sources import Sources


def life_routes(sources: Sources) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/-", default_response_class=PlainTextResponse)

    @routes.get("/healthy", responses={503: {"description": "It does not, and why", **TEXT}})
    async def healthy() -> Response:
        """Whether the exporter does its work; what it should still be told of comes after."""
        return _state(sources.not_healthy(), "healthy", tuple(sources.notes()))

    @routes.get("/ready", responses={503: {"description": "Not yet, or no more", **TEXT}})
    async def ready() -> Response:
        """Whether what it shows is to be relied on: after the first listing, until it stops."""
        return _state(sources.not_ready(), "ready")

    @routes.post("/reload", responses={500: {"description": "Refused, and why", **TEXT}})
    async def reload() -> Response:
        """Read the configuration again; a bad one changes nothing."""
        if sources.reload is None:
            return PlainTextResponse("this exporter cannot reload its configuration\n", 500)
        why_not = await sources.reload()
        if why_not:
            return PlainTextResponse(f"failed to reload the configuration: {why_not}\n", 500)
        return PlainTextResponse("reloaded\n")

    return routes


def _state(why_not: str, state: str, notes: tuple[str, ...] = ()) -> Response:
    if why_not:
        return PlainTextResponse(f"not {state}: {why_not}\n", 503)
    return PlainTextResponse("".join(f"{line}\n" for line in (state, *notes)))
