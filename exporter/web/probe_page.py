"""/probe?target=NAME: one call now, and the metrics of this call alone, as blackbox probes do."""

import asyncio
import math
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import PlainTextResponse, Response
from prometheus_client import CollectorRegistry

from exporter.metrics.exposition import Format
from exporter.metrics.recorder import Recorder
from exporter.metrics.registry import Metrics
from exporter.outcome import CallResult, Outcome, Reason, Turn
from exporter.probes.latency.spec import LatencyConfig
from exporter.series import Family
from exporter.web.metrics_page import Page, render, takes_gzip
from exporter.web.refusals import TEXT
from exporter.web.sources import CallNow, NotNowError, Sources
from exporter.web.watched import find_target, target_id

TIMEOUT_HEADER = "x-prometheus-scrape-timeout-seconds"
OFFSET_S = 0.5
"""What is left of the scrape's timeout for the answer to arrive."""
_SHORTEST_S = 0.1
_TO_CANCEL_S = 0.5
"""A call that passes its own deadline ends in order, with its log; after this it is cut off."""
_SHOWN_GROUPS = ("calls", "probes")


def probe_routes(sources: Sources) -> APIRouter:
    """Return /probe."""
    routes = APIRouter()
    under_way: set[str] = set()

    @routes.get(
        "/probe",
        response_class=PlainTextResponse,
        responses={
            404: {"description": "No such target is configured", **TEXT},
            429: {"description": "Not allowed now: see the header Retry-After", **TEXT},
            503: {"description": "This exporter makes no calls", **TEXT},
        },
    )
    async def probe(
        request: Request,
        target: str = Query(max_length=800, description="Target: an `id` of /api/v1/targets."),
        debug: bool = Query(False, description="Show the run's log before its metrics."),
    ) -> Response:
        """Call one configured target now; the page has the series of this call only."""
        config = find_target(sources.targets(), target)
        if config is None:
            raise HTTPException(404, f"no target {target!r} is configured")
        if sources.call is None:
            raise HTTPException(503, "this exporter makes no calls")
        if target_id(config) in under_way:
            raise _not_now(NotNowError(f"a call to {target!r} is in progress", config.deadline))
        under_way.add(target_id(config))
        try:
            limit_s = time_limit(request.headers.get(TIMEOUT_HEADER, ""), config.deadline)
            outcome = await _unless_gone(request, call_within(sources.call, config, limit_s))
        except NotNowError as error:
            raise _not_now(error) from None
        finally:
            under_way.discard(target_id(config))
        accept = "" if debug else request.headers.get("accept", "")
        zipped = not debug and takes_gzip(request.headers.get("accept-encoding", ""))
        page = await asyncio.to_thread(_page, sources, config, outcome, accept, zipped=zipped)
        return _debug(outcome, page) if debug else page.response()

    return routes


def time_limit(header: str, otherwise_s: float) -> float:
    """Return the seconds that a probe may take.

    Args:
        header: The scrape's timeout in seconds, as Prometheus sends it.
        otherwise_s: For who sends none, or nonsense.
    """
    try:
        timeout_s = float(header)
    except ValueError:
        return otherwise_s
    if not math.isfinite(timeout_s) or timeout_s <= 0:
        return otherwise_s
    return min(otherwise_s, max(_SHORTEST_S, timeout_s - OFFSET_S))


async def call_within(call: CallNow, target: LatencyConfig, limit_s: float) -> Outcome:
    """Call, and return an Outcome in time whatever happens.

    Args:
        call: Makes the call.
        target: How.
        limit_s: Seconds until the answer; a call that does not fit has the reason `deadline`.

    Raises:
        NotNowError: No call was made.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    deadline_s = max(_SHORTEST_S, limit_s - _TO_CANCEL_S)
    fitting = target.model_copy(update={"deadline": min(target.deadline, deadline_s)})
    turns: list[Turn] = []
    try:
        async with asyncio.timeout(limit_s):
            return await call(fitting, turns.append)
    except TimeoutError:
        result = CallResult(target.agent_name, target.call_type, target.scenario, tuple(turns))
        return Outcome(
            "latency",
            target.agent_name,
            datetime.now(UTC),
            loop.time() - began,
            Reason.DEADLINE,
            f"cut off after {limit_s:g} s, because the scrape timeout does not allow more",
            result,
        )


async def _unless_gone(request: Request, work: Coroutine[Any, Any, Outcome]) -> Outcome:
    """Do the work, but cancel it when the client has gone: the call would be for nobody."""
    running = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((running, gone), return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            raise HTTPException(400, "client disconnected")
        return running.result()
    finally:
        for task in (running, gone):
            task.cancel()
        await asyncio.gather(running, gone, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    """Return when the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _not_now(error: NotNowError) -> HTTPException:
    retry_after = {"Retry-After": str(max(1, math.ceil(error.retry_after_s)))}
    return HTTPException(429, str(error), retry_after)


def _page(
    sources: Sources, target: LatencyConfig, outcome: Outcome, accept: str, *, zipped: bool
) -> Page:
    """Render the series of one run, from a registry of its own."""
    metrics = Metrics(CollectorRegistry(), sources.server_name, sources.thresholds)
    recorder = Recorder(metrics, sources.vantage())
    recorder.add("latency", target)
    recorder.record(outcome)
    shown = [block for block in metrics.snapshot() if block.lines and _is_shown(block.family)]
    return render(shown, CollectorRegistry(), Format.accepted(accept), zipped=zipped)


def _is_shown(family: Family) -> bool:
    """Return whether a family is about calls, and not about anything else of an agent."""
    return family.group in _SHOWN_GROUPS and "agent_name" in family.labels


def _debug(outcome: Outcome, page: Page) -> Response:
    """Return the run for a person who wants to know why: its log, how it ended, its metrics."""
    how = "succeeded" if outcome.reason is None else f"failed, {outcome.reason}: {outcome.detail}"
    lines = [
        f"Log of run {outcome.run_id}, seconds since its start:",
        *outcome.log,
        "",
        f"The run {how}; it took {outcome.duration_s:.3f} s",
        "",
        "Metrics of this run:",
    ]
    head = "".join(f"{line}\n" for line in lines)
    return PlainTextResponse(head + page.body.decode())
