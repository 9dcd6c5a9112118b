"""The pages for people and supervisors: the status page, /-/healthy, /-/ready and /-/reload.

The status page is plain HTML without scripts; its template escapes every value.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from exporter import __version__
from exporter.outcome import CallResult, Outcome, Verdict, tokens
from exporter.probes import PROBES
from exporter.probes.latency.spec import as_target
from exporter.roster.types import Worker, WorkerStatus
from exporter.stats import mean_jitter_buffer_s
from exporter.store.records import LOG_LINES_KEPT, Remaining
from exporter.web.refusals import TEXT
from exporter.web.rendering import template
from exporter.web.sources import Sources
from exporter.web.watched import Watched, WatchList

_STATUS = "status.html"
_PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
}


def page_routes(sources: Sources) -> APIRouter:
    """Return the routes."""
    template(_STATUS)  # now: read at the first request, it would hold the event loop
    routes = APIRouter(default_response_class=PlainTextResponse)

    @routes.get("/", response_class=HTMLResponse)
    async def status() -> Response:
        """What is watched and what came of it, for people."""
        return HTMLResponse(sources.status_page(), headers=_PAGE_HEADERS)

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


def _no_limits(_work_id: str) -> Remaining:
    return Remaining()


def status_page(
    watched: WatchList,
    next_run: Callable[[str], datetime | None],
    now: datetime | None = None,
    *,
    remaining: Callable[[str], Remaining] = _no_limits,
    workers: Iterable[Worker] = (),
    notes: Iterable[str] = (),
) -> str:
    """Return the page.

    Args:
        watched: What is watched and what came of it.
        next_run: When each work is due next, by its id.
        now: The wall clock, UTC.
        remaining: What each work has left of its budget, by its id.
        workers: Everyone on the roster.
        notes: What is wrong, one line each.
    """
    now = now or datetime.now(UTC)
    return template(_STATUS).render(
        version=__version__,
        server=watched.server,
        notes=notes,
        watched=[
            _watched(line, now, next_run(line.work.id), remaining(line.work.id))
            for line in watched.lines.values()
        ],
        statuses=list(WorkerStatus),
        workers=_fleet(workers),
        failures=[_failure(outcome, now) for outcome in watched.failures],
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of what is watched, as the template has it."""

    work: tuple[str, ...]
    """Its probe, agent, call type and scenario."""
    verdict: Verdict
    runs: tuple[str, ...]
    """The last run, what it found, the next run, and what is left of the budget."""


def _watched(line: Watched, now: datetime, due: datetime | None, left: Remaining) -> _Row:
    target = as_target(line.work.config)
    subject = ("", "", "")
    if target is not None:
        subject = target.agent_name or "(any)", target.call_type, target.scenario
    return _Row(
        work=(line.work.probe, *subject),
        verdict=line.verdict,
        runs=(
            _ago(line.last, now) if line.last else "not yet",
            _result_text(line),
            f"in {max(0.0, (due - now).total_seconds()):.0f} s" if due else "",
            _left(left),
        ),
    )


def _left(remaining: Remaining) -> str:
    """Say what is left of a budget; nothing where there is no limit."""
    turns, seconds = remaining.turns, remaining.call_seconds
    parts = [f"{turns} turns"] if turns is not None else []
    parts += [f"{seconds:.0f} s of calls"] if seconds is not None else []
    parts += [f"{remaining.tokens} tokens"] if remaining.tokens is not None else []
    return ", ".join(parts)


def _fleet(workers: Iterable[Worker]) -> list[tuple[str, ...]]:
    """Count the workers of each agent by what they do."""
    counts = Counter((worker.agent_name, worker.status) for worker in workers)
    return [
        (name or "(any)", *(str(counts[name, status]) for status in WorkerStatus))
        for name in sorted({name for name, _ in counts})
    ]


@dataclass(frozen=True, slots=True)
class _Failure:
    """One failed run, as the template has it."""

    run_id: str
    cells: tuple[str, ...]
    log: tuple[str, ...]


def _failure(outcome: Outcome, now: datetime) -> _Failure:
    subject = outcome.target or (outcome.agent_name, "", "")
    detail = "; ".join(filter(None, (outcome.detail, _conditions(outcome))))
    cells = _ago(outcome, now), outcome.probe, *subject, str(outcome.reason), detail
    return _Failure(outcome.run_id, cells, outcome.log[-LOG_LINES_KEPT:])


def _ago(outcome: Outcome, now: datetime) -> str:
    """Say when a run began."""
    seconds = max(0.0, (now - outcome.started_at).total_seconds())
    return f"{outcome.started_at:%Y-%m-%d %H:%M:%S}Z, {seconds:.0f} s ago"


def _result_text(line: Watched) -> str:
    """Return the result of the last run, its findings, and what it was measured under."""
    row, last = PROBES.get(line.work.probe), line.last
    if row is None or last is None:
        return ""
    said = [row.text(last)]
    said += [each.text for each in last.findings or () if each.text not in said]
    return "; ".join(filter(None, (*said, _conditions(last), _used(last))))


def _used(outcome: Outcome) -> str:
    """Say how many tokens a call has used; nothing where the agent does not report it."""
    usage = outcome.result.usage if isinstance(outcome.result, CallResult) else ()
    return f"{tokens(usage)} tokens" if usage else ""


def _conditions(outcome: Outcome) -> str:
    """Say how late the prober was, and how deep its jitter buffer; nothing of what is unknown."""
    call = outcome.result
    depth_s = mean_jitter_buffer_s(call.turns) if isinstance(call, CallResult) else None
    known = (("loop lag", outcome.loop_lag_s), ("jitter buffer", depth_s))
    return ", ".join(f"{name} {s * 1000:.0f} ms" for name, s in known if s is not None)
