"""The agent's workers, the dispatches that wait for them, and the rooms it is in."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.prometheus import Dataquery
from grafana_foundation_sdk.models.units import (
    BytesIEC,
    DateTimeFromNow,
    NoUnit,
    PercentUnit,
    Seconds,
    Short,
)

from dashboards.agent.series import THE_AGENT
from dashboards.overrides import dashed, in_unit
from dashboards.panels import Card, graph
from dashboards.queries import column, seen, series
from dashboards.tables import Field, table
from dashboards.values import SHARE_OF_LIMIT, WORKER_STATUSES


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _each_worker(), _in_rooms(), _waiting(), _alone()


def _each_worker() -> Panel:
    card = Card(
        161,
        "Workers",
        "Known workers with their reports. From voice_worker_*. LiveKit uses the load for load "
        "balancing: at 100 % the host is fully loaded. Bad: offline, full, or an old heartbeat. "
        "Columns are empty for workers known only by their page or from rooms.",
        empty="No worker has reported",
        width=24,
    )
    return table(card, _worker_columns(), _worker_fields(), worst="Status")


def _worker_columns() -> list[Dataquery]:
    numbers = enumerate(("idle", "busy", "draining", "full", "offline"))
    status = " or ".join(
        f'{number} * (voice_worker_status{{{THE_AGENT}, status="{name}"}} == 1)'
        for number, name in numbers
    )
    metrics = ("load_ratio", "active_jobs", "cpu_ratio", "memory_bytes")
    columns = [column("status", f"max by (worker_id) ({status})")]
    columns += [
        column(name, f"max by (worker_id) (voice_worker_{name}{{{THE_AGENT}}})") for name in metrics
    ]
    beat = f"max by (worker_id) (voice_worker_last_heartbeat_timestamp_seconds{{{THE_AGENT}}})"
    return [*columns, column("beat", f"{beat} * 1000")]


def _worker_fields() -> list[Field]:
    return [
        Field("Worker", "worker_id", width=200, grows=True),
        Field("Status", "status", words=WORKER_STATUSES, width=110),
        Field("Load", "load_ratio", PercentUnit, SHARE_OF_LIMIT, decimals=0, width=90),
        Field("Jobs", "active_jobs", width=90),
        Field("Cores", "cpu_ratio", NoUnit, decimals=2, width=90),
        Field("Memory", "memory_bytes", BytesIEC, width=110),
        Field("Last heartbeat", "beat", DateTimeFromNow, width=170),
    ]


def _in_rooms() -> Panel:
    card = Card(
        162,
        "The agent's rooms by its state",
        "Rooms with the agent, by the state it reports. From voice_agents and voice_agent_stuck, "
        "as of the last listing. Bad: any that is stuck: in initializing or thinking for longer "
        "than agents.stuck_after.",
        empty="The agent is in no room",
        width=12,
    )
    agents = seen("state", f"voice_agents{{{THE_AGENT}}}")
    stuck = f"sum({seen('state', f'voice_agent_stuck{{{THE_AGENT}}}')})"
    return graph(
        card,
        series(agents, "{{state}}"),
        series(stuck, "stuck"),
        unit=Short,
        is_stacked=True,
        overrides=[dashed("^stuck$")],
    )


def _alone() -> Panel:
    card = Card(
        164,
        "Callers without an agent, agents without a voice",
        "Real calls: callers who are the only human in a room without any agent for longer than "
        "agents.alone_after, for how long the first of them has waited (right axis), agents that "
        "publish no microphone track, and rooms with several agents of this name. From "
        "voice_callers_alone, voice_caller_alone_oldest_seconds, voice_agents_without_audio and "
        "voice_rooms_with_several_agents. Bad: any for longer than a minute.",
        empty="Not listed yet",
        width=24,
    )
    oldest = f"max(voice_caller_alone_oldest_seconds{{{THE_AGENT}}})"
    return graph(
        card,
        series(f"max(voice_callers_alone{{{THE_AGENT}}})", "callers alone"),
        series(f"max(voice_agents_without_audio{{{THE_AGENT}}})", "agents without audio"),
        series(f"max(voice_rooms_with_several_agents{{{THE_AGENT}}})", "rooms with several"),
        series(oldest, "longest alone"),
        unit=Short,
        overrides=[in_unit("^longest alone$", Seconds)],
    )


def _waiting() -> Panel:
    card = Card(
        163,
        "Pending dispatches, and workers that could accept them",
        "Dispatches that no agent has joined for, the age of the oldest (right axis), and idle "
        "workers that accept no job meanwhile. From voice_dispatches_pending, "
        "voice_dispatch_oldest_pending_seconds and voice_workers_not_taking_jobs. Bad: any for a "
        "long time.",
        empty="Not listed yet",
        width=12,
    )
    oldest = f"max(voice_dispatch_oldest_pending_seconds{{{THE_AGENT}}})"
    return graph(
        card,
        series(f"max(voice_dispatches_pending{{{THE_AGENT}}})", "waiting dispatches"),
        series(f"max(voice_workers_not_taking_jobs{{{THE_AGENT}}})", "idle, accept no job"),
        series(oldest, "oldest waits"),
        unit=Short,
        overrides=[in_unit("^oldest waits$", Seconds)],
    )
