"""Every agent at a glance: which of them needs a look, and why."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.prometheus import Dataquery
from grafana_foundation_sdk.models.units import (
    DateTimeFromNow,
    PercentUnit,
    Seconds,
    Short,
)

from dashboards.board import AGENT, FLEET, SFU, Board, Section
from dashboards.overrides import dashed, in_unit
from dashboards.panels import Card, Field, graph, stat, table, timeline
from dashboards.queries import (
    CALL_STEP,
    column,
    increase,
    quantile,
    rate,
    seen,
    series,
    total,
    value,
    verdict,
)
from dashboards.values import (
    BAD,
    ENOUGH_TURNS,
    GOOD,
    NONE_IS_GOOD,
    SHARE_OF_LIMIT,
    SOME_IS_ODD,
    VERDICTS,
    WARN,
    steps,
)
from dashboards.variables import AGENTS, CALL_TYPES, SERVER

_SERVERS = 'server=~"$server"'
_AGENTS = f'{_SERVERS}, agent_name=~"$agent_name"'
_CALLS = f'{_AGENTS}, call_type=~"$call_type"'
_BY_AGENT = "server, agent_name"
_BY_CALL = f"{_BY_AGENT}, call_type"
_CALL_LEGEND = "{{agent_name}} {{call_type}} ({{server}})"

_OPEN_AGENT = (
    f"/d/{AGENT}?${{datasource:queryparam}}&var-server=${{__data.fields.Server}}"
    "&var-agent_name=${__data.fields.Agent}&${__url_time_range}"
)
_OPEN_SFU = (
    f"/d/{SFU}?${{datasource:queryparam}}&var-server=${{__data.fields.Server}}"
    "&var-vantage=${__data.fields.Vantage}&${__url_time_range}"
)

_E2E = f"voice_e2e_latency_seconds_bucket{{{_CALLS}}}"
_TARGET = f"min by ({_BY_CALL}) (voice_target_latency_seconds{{{_CALLS}}})"
_WITHIN = f"voice_turns_within_target_total{{{_CALLS}}}"
_JUDGED = f'voice_turns_total{{{_CALLS}, outcome!="void"}}'
_OBJECTIVE = f"max by (server) (voice_slo_objective_ratio{{{_SERVERS}}})"
_LATENCY = 'check="latency"'


def board() -> Board:
    """Return the dashboard."""
    return Board(
        uid=FLEET,
        title="Voice / Fleet",
        text="Every agent's verdict, latency against its target, workers and budget",
        variables=(SERVER, AGENTS, CALL_TYPES),
        alerts='server=~"$server|", agent_name=~"$agent_name|"',
        sections=(
            Section(100, "Now", (*_verdicts(), _sfu(), _firing())),
            Section(110, "Agents", (_agents(),)),
            Section(120, "Alerts and verdicts", (_alerts(), _timeline())),
            Section(130, "Latency against target", _latency()),
            Section(140, "Workers and dispatches", (_workers(), _statuses())),
            Section(150, "Rooms and budget", (_in_rooms(), _rooms(), _budget())),
        ),
    )


def _verdicts() -> tuple[Panel, ...]:
    texts = (
        (101, "Agents that pass", 0, "answer within their target", "none", steps(BAD, (1, GOOD))),
        (102, "Slow agents", 2, "answer, but later than their target", "any", SOME_IS_ODD),
        (103, "Failing agents", 3, "do not answer, or later than fail_ms", "any", NONE_IS_GOOD),
        (104, "Unknown agents", 1, "have no measured turn", "any for a long time", SOME_IS_ODD),
    )
    verdicts = verdict(_BY_AGENT, f"{_AGENTS}, {_LATENCY}")
    return tuple(
        stat(
            Card(
                id_,
                title,
                f"Number of agents that {meaning}, by their last calls. From voice_verdict, the "
                f"worst verdict of an agent's targets. Bad: {bad}.",
                empty="No exporter is scraped",
                width=4,
                height=4,
            ),
            value(f"sum({verdicts} == bool {number})"),
            colors=colors,
        )
        for id_, title, number, meaning, bad, colors in texts
    )


def _sfu() -> Panel:
    card = Card(
        105,
        "Network path to the SFU",
        "The worst verdict of baselines, transports and reconnects, over all servers and "
        "vantages. From voice_verdict. Bad: SLOW or FAIL, because they slow down every agent: "
        "look at the SFU dashboard first.",
        empty="Not measured",
        width=4,
        height=4,
    )
    checks = 'check=~"sfu|reach|reconnect"'
    worst = verdict("server", f"{_SERVERS}, {checks}")
    return stat(card, value(f"max({worst})"), words=VERDICTS)


def _firing() -> Panel:
    card = Card(
        106,
        "Firing alerts",
        "Firing alerts, without the watchdog. From ALERTS, which Prometheus writes for its rules. "
        "Bad: any; the table below lists them.",
        empty="No alerts",
        width=4,
        height=4,
    )
    return stat(card, value(f"count({_firing_alerts()}) or vector(0)"), colors=NONE_IS_GOOD)


def _firing_alerts() -> str:
    matchers = 'alertname=~"Voice.*", alertstate="firing", severity!="none"'
    return f'ALERTS{{{matchers}, server=~"$server|", agent_name=~"$agent_name|"}}'


def _agents() -> Panel:
    card = Card(
        111,
        "Agents by call type",
        "Response latency as heard by the caller. Last call: its mean, which the verdict compares "
        "with the target. Median and p95: end-to-end latency over the time range, with the "
        "configured target and n, the number of measured turns; p95 is not meaningful with n "
        "below 20. Within target: share of turns answered in time, including failed turns, "
        "without void turns. Error budget: what is left of the share that the objective allows to "
        "be late. From voice_last_call_latency_seconds, voice_e2e_latency_seconds, "
        "voice_target_latency_seconds, voice_turns_* and voice_slo_objective_ratio. Bad: an error "
        "budget below 0: the objective is missed. A click on an agent opens its dashboard.",
        empty="No agent is called",
        width=24,
        height=9,
    )
    return table(card, _agent_columns(), _agent_fields(), worst="Verdict")


def _agent_columns() -> list[Dataquery]:
    verdicts = verdict(_BY_CALL, f"{_CALLS}, {_LATENCY}")
    median = quantile(0.5, _BY_CALL, increase(_E2E))
    late = quantile(0.95, _BY_CALL, increase(_E2E))
    measured = increase(f"voice_e2e_latency_seconds_count{{{_CALLS}}}")
    within = _within(increase(_WITHIN), increase(_JUDGED))
    return [
        column("verdict", verdicts),
        column("target", _TARGET),
        column("last", seen(_BY_CALL, f"voice_last_call_latency_seconds{{{_CALLS}}}")),
        column("median", median),
        column("median share", f"({median}) / {_TARGET}"),
        column("late", late),
        column("late share", f"({late}) / {_TARGET}"),
        column("n", total(_BY_CALL, measured)),
        column("within", within),
        column("budget", f"1 - (1 - {within}) / on (server) group_left () (1 - {_OBJECTIVE})"),
    ]


def _agent_fields() -> list[Field]:
    return [
        Field("Agent", "agent_name", url=_OPEN_AGENT),
        Field("Call type", "call_type"),
        Field("Server", "server"),
        Field("Verdict", "verdict", words=VERDICTS),
        Field("Target", "target", Seconds),
        Field("Last call", "last", Seconds),
        Field("Median", "median", Seconds),
        Field("Median of target", "median share", PercentUnit, SHARE_OF_LIMIT, decimals=0),
        Field("p95", "late", Seconds),
        Field("p95 of target", "late share", PercentUnit, SHARE_OF_LIMIT, decimals=0),
        Field("n", "n", colors=ENOUGH_TURNS, decimals=0),
        Field("Within target", "within", PercentUnit, decimals=2),
        Field("Error budget", "budget", PercentUnit, steps(BAD, (0, WARN), (0.5, GOOD))),
    ]


def _within(good: str, judged: str) -> str:
    return f"{total(_BY_CALL, good)} / ({total(_BY_CALL, judged)} > 0)"


def _alerts() -> Panel:
    card = Card(
        121,
        "Alerts",
        "Firing alerts, the oldest last. From ALERTS_FOR_STATE, which Prometheus writes for its "
        "rules, with the start time of each condition. Bad: severity page. alerts/runbooks has a "
        "page for each alert with the first steps.",
        empty="No alert fires",
        width=12,
    )
    labels = "alertname, severity, server, agent_name, call_type, vantage"
    began = f"max by ({labels}) (ALERTS_FOR_STATE) * 1000"
    fires = f"max by ({labels}) ({_firing_alerts()})"
    fields = [
        Field("Alert", "alertname"),
        Field("Severity", "severity"),
        Field("Agent", "agent_name", url=_OPEN_AGENT),
        Field("Call type", "call_type"),
        Field("Vantage", "vantage", url=_OPEN_SFU),
        Field("Server", "server"),
        Field("Since", "since", DateTimeFromNow),
    ]
    return table(card, [column("since", f"{began} and {fires}")], fields, worst="Since")


def _timeline() -> Panel:
    card = Card(
        122,
        "Verdicts of agents",
        "Verdict of each agent's last calls, the worst of its targets. From voice_verdict. Bad: "
        "FAIL: no answer, or later than fail_ms on average; SLOW: later than the target on "
        "average; UNKNOWN: not measured, or the prober itself was late.",
        empty="No agent is called",
        width=12,
    )
    verdicts = verdict(_BY_AGENT, f"{_AGENTS}, {_LATENCY}")
    return timeline(card, series(verdicts, "{{agent_name}} ({{server}})"), words=VERDICTS)


def _latency() -> tuple[Panel, ...]:
    return _share_of_target(131, "Median", 0.5), _share_of_target(132, "p95", 0.95), _slo()


def _share_of_target(id_: int, name: str, share: float) -> Panel:
    card = Card(
        id_,
        f"{name} of the end-to-end latency, as a share of the target",
        f"{name} of the response latency as heard by the caller, divided by the configured target "
        "of the call type. From voice_e2e_latency_seconds and voice_target_latency_seconds. Bad: "
        "above 100 %: callers wait longer than the target. A window contains few turns: the "
        "table above shows n.",
        empty="No turn was measured",
    )
    seconds = quantile(share, _BY_CALL, rate(_E2E))
    query = series(f"({seconds}) / {_TARGET}", _CALL_LEGEND, CALL_STEP)
    return graph(card, query, unit=PercentUnit, limit=1)


def _slo() -> Panel:
    card = Card(
        133,
        "Turns within target",
        "Share of turns answered within the target, by call type. Failed turns count as late, "
        "void turns do not count. From voice_turns_within_target_total over voice_turns_total. "
        "Bad: below the objective, the dashed line: the error budget shrinks.",
        empty="No turn was measured",
    )
    within = _within(rate(_WITHIN), rate(_JUDGED))
    return graph(
        card,
        series(within, _CALL_LEGEND, CALL_STEP),
        series(_OBJECTIVE, "objective ({{server}})"),
        unit=PercentUnit,
        overrides=[dashed("^objective")],
    )


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
        column(each, _max(f'voice_workers{{{_AGENTS}, status="{each}"}}')) for each in statuses
    ]
    columns += [
        column("not taking", _max(f"voice_workers_not_taking_jobs{{{_AGENTS}}}")),
        column("pending", _max(f"voice_dispatches_pending{{{_AGENTS}}}")),
        column("oldest", _max(f"voice_dispatch_oldest_pending_seconds{{{_AGENTS}}}")),
        column(
            "stuck",
            total(_BY_AGENT, seen(f"{_BY_AGENT}, state", f"voice_agent_stuck{{{_AGENTS}}}")),
        ),
    ]
    return table(card, columns, _worker_fields(), worst="Waiting dispatches")


def _worker_fields() -> list[Field]:
    return [
        Field("Agent", "agent_name", url=_OPEN_AGENT),
        Field("Server", "server"),
        Field("Idle", "idle"),
        Field("Busy", "busy"),
        Field("Full", "full", colors=SOME_IS_ODD),
        Field("Draining", "draining"),
        Field("Offline", "offline", colors=SOME_IS_ODD),
        Field("Not accepting jobs", "not taking", colors=NONE_IS_GOOD),
        Field("Waiting dispatches", "pending", colors=SOME_IS_ODD),
        Field("Oldest waits", "oldest", Seconds),
        Field("Stuck agents", "stuck", colors=NONE_IS_GOOD),
    ]


def _statuses() -> Panel:
    card = Card(
        142,
        "Workers by status",
        "Known workers by status. From voice_workers. Bad: none idle, because the next call "
        "waits, or any offline.",
        empty="No worker has reported",
    )
    known = seen(f"{_BY_AGENT}, status", f"voice_workers{{{_AGENTS}}}")
    workers = series(total("status", known), "{{status}}")
    return graph(card, workers, unit=Short, is_stacked=True)


def _in_rooms() -> Panel:
    card = Card(
        151,
        "Agents in rooms by state",
        "Agents in rooms by the state they report, without those in rooms of probes. "
        "From voice_agents, as of the last listing. Bad: many that stay in initializing or "
        "thinking.",
        empty="No agent is in a room",
    )
    listed = seen(f"{_BY_AGENT}, state", f"voice_agents{{{_AGENTS}}}")
    agents = series(total("state", listed), "{{state}}")
    return graph(card, agents, unit=Short, is_stacked=True)


def _rooms() -> Panel:
    card = Card(
        152,
        "Rooms and participants",
        "Rooms and participants on the server, without those of probes, and "
        "rooms without a human for longer than agents.unclosed_after, with the age of the oldest. "
        "From voice_rooms, voice_participants, voice_rooms_unclosed and "
        "voice_room_oldest_unclosed_seconds. Bad: unclosed rooms: each may contain an agent "
        "without a caller.",
        empty="Not listed yet",
    )
    oldest = seen("server", f"voice_room_oldest_unclosed_seconds{{{_SERVERS}}}")
    return graph(
        card,
        series(seen("server", f"voice_rooms{{{_SERVERS}}}"), "rooms ({{server}})"),
        series(seen("server", f"voice_rooms_unclosed{{{_SERVERS}}}"), "unclosed ({{server}})"),
        series(seen("server, kind", f"voice_participants{{{_SERVERS}}}"), "{{kind}} ({{server}})"),
        series(oldest, "age of the oldest unclosed ({{server}})"),
        unit=Short,
        overrides=[in_unit("^age", Seconds)],
    )


def _budget() -> Panel:
    card = Card(
        153,
        "Budget left today",
        "Turns and call seconds left in today's budget of each agent. From "
        "voice_budget_remaining_turns and voice_budget_remaining_call_seconds. Bad: 0: the agent "
        "is not called until midnight, and its metrics go out of date.",
        empty="No target has a budget",
    )
    fields = [
        Field("Agent", "agent_name", url=_OPEN_AGENT),
        Field("Server", "server"),
        Field("Turns", "turns", colors=steps(BAD, (1, GOOD)), decimals=0),
        Field("Time", "time", Seconds, steps(BAD, (1, GOOD))),
    ]
    columns = [
        column("turns", _min(f"voice_budget_remaining_turns{{{_AGENTS}}}")),
        column("time", _min(f"voice_budget_remaining_call_seconds{{{_AGENTS}}}")),
    ]
    return table(card, columns, fields)


def _max(values: str) -> str:
    return seen(_BY_AGENT, values)


def _min(values: str) -> str:
    return f"min by ({_BY_AGENT}) ({values})"
