"""/runs/ID, the page of a run, and /runs/last, the way to it from an alert."""

import asyncio
import re
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from exporter.evidence.detail import recorded
from exporter.outcome import Verdict
from exporter.store.records import RunQuery, RunRecord
from exporter.web.gate import may_hear
from exporter.web.refusals import TEXT
from exporter.web.rendering import new_nonce, policy, template
from exporter.web.run_page import run_page
from exporter.web.sources import History, Sources

_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DOES = "media-src 'self'; form-action 'none'; frame-ancestors 'none'"
_LOOKED_AT = 1000
"""Runs of an agent, the newest first, among which the last one is looked for."""
_AT_ONCE = 200
_NOT_WELL = (Verdict.SLOW, Verdict.FAIL)
_Label = Annotated[str | None, Query(max_length=256)]


def run_routes(sources: Sources) -> APIRouter:
    """Return the routes."""
    template("run.html")  # now: read at the first request, it would hold the event loop
    routes = APIRouter(default_response_class=PlainTextResponse)

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
        wanted = _Wanted(agent_name, call_type, scenario, failed=failed)
        found = await wanted.find(_history(sources))
        if found is None:
            return PlainTextResponse(f"{wanted.none}\n", 404)
        # Relative: a proxy may have put the pages below any path.
        return RedirectResponse(f"./{found.run_id}", 302)

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
        kept = await sources.kept.read(run_id) if sources.kept else None
        record = recorded(await _history(sources).run(run_id), kept)
        if record is None:
            raise HTTPException(404, "no such run")
        nonce, runbooks = new_nonce(), sources.runbooks().rstrip("/")
        hears = may_hear(request)
        page = await asyncio.to_thread(  # a long call takes a while to draw
            run_page, record, kept, runbooks=runbooks, nonce=nonce, hears=hears
        )
        headers = {
            "Content-Security-Policy": policy(nonce, _DOES),
            "Referrer-Policy": "no-referrer",
        }
        return HTMLResponse(page, headers=headers)

    return routes


def _history(sources: Sources) -> History:
    if sources.history is None:
        raise HTTPException(503, "this exporter has no run history")
    return sources.history


class _Wanted:
    """Which call is looked for; None is any."""

    def __init__(
        self,
        agent_name: str | None,
        call_type: str | None,
        scenario: str | None,
        *,
        failed: bool,
    ) -> None:
        self._agent_name = agent_name
        self._labels = {"call_type": call_type, "scenario": scenario}
        self._failed = failed

    async def find(self, history: History) -> RunRecord | None:
        """Return the newest."""
        query = RunQuery(_AT_ONCE, self._agent_name)
        for _ in range(_LOOKED_AT // _AT_ONCE):
            runs = await history.runs(query)
            for each in runs:
                if self._fits(each):
                    return each
            if len(runs) < _AT_ONCE:
                break
            oldest = runs[-1]
            query = RunQuery(
                _AT_ONCE, self._agent_name, before=oldest.started_at, before_id=oldest.run_id
            )
        return None

    def _fits(self, run: RunRecord) -> bool:
        labels = all(
            value is None or getattr(run, name) == value for name, value in self._labels.items()
        )
        return run.probe == "latency" and labels and (not self._failed or run.verdict in _NOT_WELL)

    @property
    def none(self) -> str:
        """What to say where there is none."""
        what = "no call that was FAIL or SLOW" if self._failed else "no call"
        agent = f" to {self._agent_name}" if self._agent_name else ""
        return f"{what}{agent} among its last {_LOOKED_AT} runs in the history"
