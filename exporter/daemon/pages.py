"""What the pages show of the daemon."""

from collections.abc import Callable
from functools import partial

from exporter.daemon.parts import Daemon
from exporter.web.sources import Sources
from exporter.web.status import Viewer, status_page
from exporter.web.watched import target_statuses


def sources_of(daemon: Daemon) -> Sources:
    """Return what its pages show."""
    return Sources(
        metrics=daemon.metrics,
        server_name=daemon.current.server.name,
        thresholds=daemon.current.buckets,
        not_healthy=lambda: daemon.health.problem,
        not_ready=lambda: daemon.readiness.why_not(daemon.works),
        status_page=partial(status, daemon),
        vantage=lambda: daemon.current.settings.sfu.vantage,
        notes=partial(notes, daemon),
        reload=daemon.reloader.reload,
        targets=lambda: daemon.watch_list.targets,
        call=daemon.works.call,
        call_soon=daemon.asked.begin,
        roster=daemon.fleet.roster,
        history=daemon.ledger.store,
        runbooks=lambda: daemon.current.settings.web.runbooks or "",
        kept=daemon.persistence.keeper,
        elsewhere=daemon.persistence.evidence.elsewhere,
        take_ramp=daemon.persistence.ramps.take,
        deliveries=daemon.real_calls,
        take_turns=daemon.live_turns.take,
        watched=lambda: target_statuses(daemon.watch_list, daemon.works.scheduler.next_run),
    )


def status(daemon: Daemon, viewer: Viewer) -> Callable[[], str]:
    """Take a snapshot for the status page of who asks.

    Returns:
        Makes the HTML of it, in any thread.
    """
    watched = daemon.watch_list.copy()
    due = {each: daemon.works.scheduler.next_run(each) for each in watched.lines}
    group = daemon.works.group
    return partial(
        status_page,
        watched,
        due.get,
        remaining={each: daemon.ledger.remaining(each) for each in watched.lines}.__getitem__,
        workers=tuple(daemon.fleet.roster.workers()),
        notes=tuple(filter(None, (daemon.health.problem, *notes(daemon)))),
        pools=daemon.runner.states(),
        viewer=viewer,
        group=group.view() if group is not None else None,
    )


def notes(daemon: Daemon) -> tuple[str, ...]:
    """Return what an operator should know although the exporter works, one line each."""
    parts = (daemon.reloader, daemon.credentials, daemon.web_config, daemon.ledger)
    problems = [part.problem for part in parts]
    if daemon.works.group is not None:
        problems.append(daemon.works.group.problem)
    return tuple(filter(None, problems))
