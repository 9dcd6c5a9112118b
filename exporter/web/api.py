"""/api/v1: workers, targets, runs and turns as JSON; every status is in the OpenAPI document."""

import math
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field, ValidationError

from exporter.calls import turns
from exporter.evidence.detail import RunDetail
from exporter.evidence.sound import SOUND_TYPE
from exporter.probes.ramp.figures import RampFigures
from exporter.roster.wire import MAX_BODY_BYTES, Heartbeat, WorkerId, WorkerList
from exporter.store.records import RunQuery, RunRecord
from exporter.web.gate import may_hear
from exporter.web.refusals import Problem
from exporter.web.run_routes import history_of, known_run
from exporter.web.sources import Sources
from exporter.web.watched import TargetStatus

_NO_ROSTER = "this exporter has no roster"
_Model = TypeVar("_Model", bound=BaseModel)


def _body_of(schema: str) -> dict[str, Any]:
    """Document a body that is read here and not by FastAPI."""
    reference = {"$ref": f"#/components/schemas/{schema}"}
    content = {"application/json": {"schema": reference}}
    return {"requestBody": {"required": True, "content": content}}


@dataclass(frozen=True, slots=True)
class TargetList:
    """The answer to `GET /api/v1/targets`."""

    targets: tuple[TargetStatus, ...]


@dataclass(frozen=True, slots=True)
class RunList:
    """The answer to `GET /api/v1/runs`."""

    runs: Annotated[tuple[RunRecord, ...], Field(description="Newest first.")]
    next_before: Annotated[
        str | None, Field(description="`before` of the next page; null on the last page.")
    ]


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document these statuses, with the shape that every error has."""
    return {status: {"model": Problem} for status in statuses}


def api_routes(sources: Sources) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(prefix="/api/v1")
    _add_workers(routes, sources)
    _add_targets(routes, sources)
    _add_runs(routes, sources)
    _add_run(routes, sources)
    _add_ramps(routes, sources)
    _add_turns(routes, sources)
    return routes


def _add_workers(routes: APIRouter, sources: Sources) -> None:
    @routes.post(
        "/workers/{worker_id}/heartbeat",
        status_code=204,
        responses=_problems(400, 401, 403, 409, 413, 422, 503),
        openapi_extra=_body_of("Heartbeat"),
    )
    async def heartbeat(worker_id: Annotated[WorkerId, Path()], request: Request) -> Response:
        """Tell how a worker is; a worker that stays silent is taken to be offline."""
        beat = await _read(request, Heartbeat, "a heartbeat", MAX_BODY_BYTES)
        if sources.roster is None:
            raise HTTPException(503, _NO_ROSTER)
        peer = request.client.host if request.client else ""
        refusal = sources.roster.heartbeat(beat.report(worker_id, peer))
        if refusal is not None:
            raise HTTPException(409, refusal)
        return Response(status_code=204)

    @routes.get("/workers", responses=_problems(503))
    async def workers() -> WorkerList:
        """Every worker that is known, with its status as of now."""
        if sources.roster is None:
            raise HTTPException(503, _NO_ROSTER)
        return WorkerList.of(sources.roster.workers(), time.time())


def _add_targets(routes: APIRouter, sources: Sources) -> None:
    @routes.get("/targets")
    async def targets() -> TargetList:
        """Every agent that is called on a schedule, with its verdict."""
        return TargetList(tuple(sources.watched()))


def _add_runs(routes: APIRouter, sources: Sources) -> None:
    @routes.get("/runs", responses=_problems(422, 503))
    async def runs(
        agent_name: Annotated[str | None, Query(max_length=256)] = None,
        outcome: Literal["failed", "succeeded"] | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        before: Annotated[
            str | None,
            Query(
                max_length=128,
                description="Runs that began before this time; or the next_before of a page, for "
                "the runs after it.",
            ),
        ] = None,
    ) -> RunList:
        """Runs that have ended, the newest first."""
        failed = None if outcome is None else outcome == "failed"
        query = RunQuery(limit, agent_name, failed, *_place(before))
        runs = tuple(await history_of(sources).runs(query))
        return RunList(runs, _place_of(runs[-1]) if len(runs) == limit else None)


def _add_run(routes: APIRouter, sources: Sources) -> None:
    @routes.get("/runs/{run_id}", responses=_problems(404, 422, 503))
    async def run(run_id: Annotated[str, Path(max_length=64)], request: Request) -> RunDetail:
        """One run with its turns, and its timeline and sound where it is kept."""
        record, kept, elsewhere = await known_run(sources, run_id)
        return RunDetail.of_record(record, kept, with_words=may_hear(request), elsewhere=elsewhere)

    @routes.get(
        "/runs/{run_id}/sound",
        response_class=FileResponse,
        responses={**_problems(404, 422), 200: {"content": {SOUND_TYPE: {}}}},
    )
    async def sound(run_id: Annotated[str, Path(max_length=64)]) -> FileResponse:
        """The sound of a kept call, whole or in part (`Range`): left the caller, right the agent.

        From another host only with the token or a login, even where the pages need neither.
        """
        file = sources.kept.sound(run_id) if sources.kept else None
        if file is None:
            raise HTTPException(404, "no sound is kept of such a run")
        return FileResponse(file, media_type=SOUND_TYPE)


def _add_ramps(routes: APIRouter, sources: Sources) -> None:
    @routes.post(
        "/ramps",
        status_code=204,
        responses=_problems(400, 401, 403, 409, 413, 422, 503),
        openapi_extra=_body_of("RampFigures"),
    )
    async def ramp(request: Request) -> Response:
        """Take the figures of a ramp that was made elsewhere, and show them as the last one."""
        figures = await _read(request, RampFigures)
        if not figures.can_be_shown:
            raise HTTPException(422, "vantage: expected printable characters only")
        if sources.take_ramp is None:
            raise HTTPException(503, "this exporter shows no ramps")
        refusal = sources.take_ramp(figures)
        if refusal:
            raise HTTPException(409, refusal)
        return Response(status_code=204)


def _add_turns(routes: APIRouter, sources: Sources) -> None:
    @routes.post(
        "/turns",
        status_code=204,
        responses=_problems(400, 401, 403, 413, 422, 503),
        openapi_extra=_body_of("TurnBatch"),
    )
    async def take_turns(request: Request) -> Response:
        """Count turns of real calls, as an agent reports them; a batch sent again counts once."""
        batch = await _read(request, turns.TurnBatch, "a batch", turns.MAX_BODY_BYTES)
        if sources.take_turns is None:
            raise HTTPException(503, "this exporter takes no turns")
        sources.take_turns(batch)
        return Response(status_code=204)


async def _read(
    request: Request, model: type[_Model], what: str = "", most_bytes: float = math.inf
) -> _Model:
    """Return the message of a request.

    Not by FastAPI: only from JSON itself does a model take a status and refuse "1" as 1.
    """
    body = await request.body()
    if len(body) > most_bytes:
        raise HTTPException(413, f"{what} may have at most {most_bytes} bytes")
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise HTTPException(422, explain(error)) from None


def _place(text: str | None) -> tuple[datetime | None, str]:
    """Return a time, UTC, and perhaps the id of a run that began then.

    A time alone is no place in the list: several runs may begin in the same moment.
    """
    if text is None:
        return None, ""
    time_text, _, run_id = text.partition(",")
    with suppress(ValueError, OverflowError):
        when = datetime.fromisoformat(time_text)
        if when.tzinfo is not None:
            return when.astimezone(UTC), run_id
    wanted = "expected a time such as 2026-11-21T08:30:00Z, or the next_before of a page"
    raise HTTPException(422, f"query before: {wanted}")


def _place_of(run: RunRecord) -> str:
    return f"{run.started_at.astimezone(UTC).isoformat().removesuffix('+00:00')}Z,{run.run_id}"


def explain(error: ValidationError) -> str:
    """Say in one line what is wrong with a message, without repeating it."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"])) or "body"
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"
