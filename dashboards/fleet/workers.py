"""The workers of every agent, and what waits for them."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Seconds, Short

from dashboards.fleet.series import AGENTS, BY_AGENT, agent_fields
from dashboards.panels import Card, graph
from dashboards.queries import column, seen, series, total
from dashboards.tables import Field, table
from dashboards.values import NONE_IS_GOOD, SOME_IS_ODD


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _workers(), _statuses(), _cohorts()


def _workers() -> Panel:
    card = Card(
        141,
        "Workers and dispatches by agent",
        "Workers by status, and pending dispatches. Bad: offline or full workers, idle workers "
        "that accept no job during a pending dispatch, dispatches that no agent has joined for, "
        "agents stuck in one state. From the workers' reports and pages, and the room listing.",
        empty="No worker has reported, and no agent was listed",
        width=16,
    )
    statuses = ("idle", "busy", "full", "draining", "offline")
    columns = [
        column(each, _max(f'voice_workers{{{AGENTS}, status="{each}"}}')) for each in statuses
    ]
    columns += [
        column("not taking", _max(f"voice_workers_not_taking_jobs{{{AGENTS}}}")),
        column("pending", _max(f"voice_dispatches_pending{{{AGENTS}}}")),
        column("oldest", _max(f"voice_dispatch_oldest_pending_seconds{{{AGENTS}}}")),
        column(
            "stuck",
            total(BY_AGENT, seen(f"{BY_AGENT}, state", f"voice_agent_stuck{{{AGENTS}}}")),
        ),
    ]
    return table(card, columns, _worker_fields(), worst="Waiting")


def _worker_fields() -> list[Field]:
    return [
        *agent_fields(),
        Field("Idle", "idle", width=55),
        Field("Busy", "busy", width=55),
        Field("Full", "full", colors=SOME_IS_ODD, width=55),
        Field("Draining", "draining", width=75),
        Field("Offline", "offline", colors=SOME_IS_ODD, width=70),
        Field("Not taking", "not taking", colors=NONE_IS_GOOD, width=80),
        Field("Waiting", "pending", colors=SOME_IS_ODD, width=70),
        Field("Oldest", "oldest", Seconds, decimals=0, width=75),
        Field("Stuck", "stuck", colors=NONE_IS_GOOD, width=60),
    ]


def _statuses() -> Panel:
    card = Card(
        142,
        "Workers by status",
        "Known workers by status. From voice_workers. Bad: none idle, because the next call "
        "waits, or any offline.",
        empty="No worker has reported",
    )
    known = seen(f"{BY_AGENT}, status", f"voice_workers{{{AGENTS}}}")
    workers = series(total("status", known), "{{status}}")
    return graph(card, workers, unit=Short, is_stacked=True)


def _cohorts() -> Panel:
    card = Card(
        143,
        "Workers by version and region",
        "Known workers by the version of livekit-agents, and by the version and region that "
        "register_worker gives. From voice_worker_info. Bad: an old version after a release, or a "
        "region without workers.",
        empty="No worker has reported",
        width=24,
        height=6,
    )
    by = f"{BY_AGENT}, region, version, sdk_version"
    one_each = seen(f"{by}, worker_id", f"voice_worker_info{{{AGENTS}}}")
    fields = [
        *agent_fields(),
        Field("Region", "region", width=120),
        Field("Version", "version", width=120),
        Field("livekit-agents", "sdk_version", width=110),
        Field("Workers", "workers", decimals=0, width=80),
    ]
    return table(card, [column("workers", total(by, one_each))], fields)


def _max(values: str) -> str:
    return seen(BY_AGENT, values)
