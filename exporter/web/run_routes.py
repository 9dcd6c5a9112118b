"""/runs/ID, the page of a run, and /runs/last, the way to it from an alert."""

import asyncio
import re
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from exporter.evidence.detail import recorded
from exporter.evidence.kept import KeptCall
from exporter.outcome import Verdict
from exporter.store.records import EvidencePlace, RunQuery, RunRecord
from exporter.web.gate import may_hear
from exporter.web.refusals import TEXT
from exporter.web.rendering import new_nonce, policy, template
from exporter.web.run_page import run_page
from exporter.web.sources import History, Sources

_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DOES = "media-src 'self'; form-action 'none'; frame-ancestors 'none'"
_NOT_WELL = (Verdict.SLOW, Verdict.FAIL)
_Label = Annotated[str | None, Query(max_length=256)]


def run_routes(sources: Sources) -> APIRouter:
    """Return the routes."""
    template("run.html")  # now: read at the first request, it would hold the event loop
    routes = APIRouter(default_response_class=PlainTextResponse)
    _add_last(routes, sources)
    _add_page(routes, sources)
    return routes


def _add_last(routes: APIRouter, sources: Sources) -> None:
    @routes.get(
        "/runs/last",
        status_code=302,
        response_class=RedirectResponse,
        response_description="To the page of that run",
        responses={404: {"description": "There is none", **TEXT}},
    )
    async def last(
        agent_name: _Label = None,
        call_type: _Label = None,
        scenario: _Label = None,
        *,
        failed: bool = False,
    ) -> Response:
        """Go to the last call; with `failed`, to the last one that was FAIL or SLOW."""
        query = RunQuery(
            1,
            agent_name,
            probe="latency",
            call_type=call_type,
            scenario=scenario,
            verdicts=_NOT_WELL if failed else None,
        )
        found = await history_of(sources).runs(query)
        if not found:
            return PlainTextResponse(f"{_none(query)}\n", 404)
        # Relative: a proxy may have put the pages below any path.
        return RedirectResponse(f"./{found[0].run_id}", 302)


def _add_page(routes: APIRouter, sources: Sources) -> None:
    @routes.get(
        "/runs/{run_id}",
        response_class=HTMLResponse,
        responses={
            404: {"description": "No such run", **TEXT},
            503: {"description": "No history", **TEXT},
        },
    )
    async def run(run_id: str, request: Request) -> Response:
        """The call as a picture and as sound, why it failed, its turns and its log."""
        if not _RUN_ID.fullmatch(run_id):
            raise HTTPException(404, "no such run")
        record, kept, elsewhere = await known_run(sources, run_id)
        nonce, runbooks = new_nonce(), sources.runbooks().rstrip("/")
        hears = may_hear(request)
        page = await asyncio.to_thread(  # a long call takes a while to draw
            run_page, record, kept, elsewhere, runbooks=runbooks, nonce=nonce, hears=hears
        )
        headers = {
            "Content-Security-Policy": policy(nonce, _DOES),
            "Referrer-Policy": "no-referrer",
        }
        return HTMLResponse(page, headers=headers)


async def known_run(
    sources: Sources, run_id: str
) -> tuple[RunRecord, KeptCall | None, EvidencePlace | None]:
    """Return a run, its call where that is kept here, and who else keeps it.

    Raises:
        HTTPException: There is no such run, or no history.
    """
    kept = await sources.kept.read(run_id) if sources.kept else None
    record = recorded(await history_of(sources).run(run_id), kept)
    if record is None:
        raise HTTPException(404, "no such run")
    return record, kept, None if kept else await sources.elsewhere(run_id)


def history_of(sources: Sources) -> History:
    """Return the runs that have ended.

    Raises:
        HTTPException: This exporter has none.
    """
    if sources.history is None:
        raise HTTPException(503, "this exporter has no run history")
    return sources.history


def _none(query: RunQuery) -> str:
    """Say what is not in the history."""
    what = "no call that was FAIL or SLOW" if query.verdicts else "no call"
    labels = (query.agent_name, query.call_type, query.scenario)
    subject = " / ".join(each for each in labels if each)
    return f"{what}{f' to {subject}' if subject else ''} in the history"
