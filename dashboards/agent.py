"""One agent: what its callers hear, where the time goes, and why calls fail."""

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

from dashboards.board import AGENT, Board, Section
from dashboards.overrides import counted, dashed, in_unit
from dashboards.panels import Card, Field, graph, heatmap, stat, table, timeline
from dashboards.queries import (
    CALL_STEP,
    buckets,
    column,
    increase,
    mean,
    quantile,
    rate,
    recent,
    seen,
    series,
    total,
    value,
    verdict,
)
from dashboards.values import (
    ENOUGH_TURNS,
    SHARE_OF_LIMIT,
    SOME_IS_ODD,
    VERDICTS,
    WORKER_STATUSES,
)
from dashboards.variables import CALL_TYPES_OF_ONE, ONE_AGENT, ONE_SERVER

_SERVER = 'server="$server"'
_AGENT = f'{_SERVER}, agent_name="$agent_name"'
_CALLS = f'{_AGENT}, call_type=~"$call_type"'
_CALL = "call_type"

_E2E = "voice_e2e_latency_seconds"
_REPORTED = "voice_reported_e2e_latency_seconds"
_COMPONENTS = "voice_component_latency_seconds"
_TARGET = f"min by ({_CALL}) (voice_target_latency_seconds{{{_CALLS}}})"
_TURNS = f"voice_turns_total{{{_CALLS}}}"


def board() -> Board:
    """Return the dashboard."""
    return Board(
        uid=AGENT,
        title="Voice / Agent",
        text="One agent: what its callers hear, where the time goes, why calls fail",
        variables=(ONE_SERVER, ONE_AGENT, CALL_TYPES_OF_ONE),
        alerts='server=~"$server|", agent_name="$agent_name"',
        sections=(
            Section(100, "Now", _now()),
            Section(110, "Calls of type $call_type", _one_call_type(), repeat="call_type"),
            Section(130, "Reaching the agent", _reaching()),
            Section(140, "Failures", _failures()),
            Section(150, "What the prober adds, and may spend", _prober()),
            Section(160, "Workers, dispatches and rooms", _workers()),
        ),
    )


def _now() -> tuple[Panel, ...]:
    return _verdict(), _median(), _late(), _samples(), _within(), _failed()


def _verdict() -> Panel:
    card = Card(
        101,
        "Verdict",
        "What the agent's last calls amount to, the worst of its targets. From voice_verdict. "
        "Bad: FAIL: no answer, or later than fail_ms on average; SLOW: later than the target on "
        "average; UNKNOWN: not measured, or by void turns only.",
        empty="Not called",
        width=4,
        height=4,
    )
    words = verdict("server", f'{_AGENT}, check="latency"')
    return stat(card, value(words), words=VERDICTS)


def _median() -> Panel:
    card = Card(
        102,
        "Median latency",
        "Half of the turns were answered sooner, over the time range, by call type. From "
        "voice_e2e_latency_seconds: end of the caller's speech to the first sound of the reply. "
        "Bad: near the target, or above it.",
        empty="No turn was measured",
        width=4,
        height=4,
    )
    return stat(card, value(_over_range(0.5), "{{call_type}}"), unit=Seconds)


def _late() -> Panel:
    card = Card(
        103,
        "p95 of latency and target",
        "95 of 100 turns were answered sooner, over the time range, by call type, and the "
        "configured target. From voice_e2e_latency_seconds and voice_target_latency_seconds. Bad: "
        "far above the target: some callers wait for long. Says little with fewer than 20 "
        "measured turns: they are counted beside it.",
        empty="No turn was measured",
        width=4,
        height=4,
    )
    late = value(_over_range(0.95), "{{call_type}}")
    return stat(card, late, value(_TARGET, "target {{call_type}}"), unit=Seconds)


def _over_range(share: float) -> str:
    return quantile(share, _CALL, increase(f"{_E2E}_bucket{{{_CALLS}}}"))


def _samples() -> Panel:
    card = Card(
        104,
        "Measured turns (n)",
        "How many turns the latencies of this page are of, over the time range, by call type. "
        "From voice_e2e_latency_seconds_count: answered ones, without warm-up. Bad: below 20, too "
        "few for a 95th percentile.",
        empty="No turn was measured",
        width=4,
        height=4,
    )
    turns = total(_CALL, increase(f"{_E2E}_count{{{_CALLS}}}"))
    return stat(card, value(turns, "{{call_type}}"), unit=Short, colors=ENOUGH_TURNS, decimals=0)


def _within() -> Panel:
    card = Card(
        105,
        "Turns within target",
        "Share of turns that were answered within the target, over the time range, by call type; "
        "failed ones count as late, void ones not at all. From voice_turns_within_target_total "
        "over voice_turns_total. Bad: below the objective (slo.objective).",
        empty="No turn was measured",
        width=4,
        height=4,
    )
    good = total(_CALL, increase(f"voice_turns_within_target_total{{{_CALLS}}}"))
    judged = total(_CALL, increase(f'voice_turns_total{{{_CALLS}, outcome!="void"}}'))
    share = value(f"{good} / ({judged} > 0)", "{{call_type}}")
    return stat(card, share, unit=PercentUnit, decimals=2)


def _failed() -> Panel:
    card = Card(
        106,
        "Runs in a row",
        "How many of the latest calls in a row were SLOW or worse, and how many FAIL, of the "
        "target with the most. From voice_verdict_streak. Bad: two and more: one may be an "
        "accident.",
        empty="Not called",
        width=4,
        height=4,
    )
    streak = f'max by (verdict) (voice_verdict_streak{{{_AGENT}, check="latency"}})'
    return stat(card, value(streak, "{{verdict}}"), colors=SOME_IS_ODD)


def _one_call_type() -> tuple[Panel, ...]:
    return _distribution(), _waterfall(), _quantiles(), _observed_reported(), _outcomes()


def _distribution() -> Panel:
    card = Card(
        111,
        "End-to-end latency",
        "How long callers of this type waited for replies: the darker, the more turns. From "
        "voice_e2e_latency_seconds, in the window that ends there. Bad: a second band above the "
        "first (a path that is sometimes slow), or one that climbs.",
        empty="No turn was measured",
        width=12,
        height=9,
    )
    turns = total(f"le, {_CALL}", recent(f"{_E2E}_bucket{{{_CALLS}}}"))
    return heatmap(card, buckets(turns, CALL_STEP), unit=Seconds, counted=" turns")


def _waterfall() -> Panel:
    card = Card(
        112,
        "Where the time goes",
        "Mean of each component, on top of each other in the order in which they happen, with "
        "transport (network, jitter buffers, and what the agent reports under none of them) on "
        "top; the line is the mean of the end-to-end latency. From voice_component_latency_seconds "
        "as the agent reports it. Bad: a part that grows. The stack is lower than the line where "
        "some turns were not reported, and higher where parts of the model's work overlap.",
        empty="The agent reports no components",
        width=12,
        height=9,
    )
    parts = ("transcription", "end_of_turn", "llm", "tts", "transport")
    queries = [
        series(
            mean(_COMPONENTS, _CALL, f'{_CALLS}, component="{part}", source="probe"'),
            part,
            CALL_STEP,
        )
        for part in parts
    ]
    queries.append(series(mean(_E2E, _CALL, _CALLS), "end to end", CALL_STEP))
    return graph(
        card, *queries, unit=Seconds, is_stacked=True, overrides=[dashed("^end to end$", "text")]
    )


def _quantiles() -> Panel:
    card = Card(
        113,
        "Median and p95 against the target",
        "Median and 95th percentile of the end-to-end latency in the window that ends there, the "
        "mean of the last call, the target, and n, the measured turns of the window (axis on the "
        "right): with few of them the percentiles jump. From voice_e2e_latency_seconds, "
        "voice_last_call_latency_seconds and voice_target_latency_seconds. Bad: the last call "
        "above the target: the verdict is SLOW.",
        empty="No turn was measured",
        height=9,
    )
    rates = rate(f"{_E2E}_bucket{{{_CALLS}}}")
    samples = total(_CALL, recent(f"{_E2E}_count{{{_CALLS}}}"))
    return graph(
        card,
        series(quantile(0.5, _CALL, rates), "median", CALL_STEP),
        series(quantile(0.95, _CALL, rates), "p95", CALL_STEP),
        series(seen(_CALL, f"voice_last_call_latency_seconds{{{_CALLS}}}"), "last call"),
        series(_TARGET, "target"),
        series(samples, "n", CALL_STEP),
        unit=Seconds,
        overrides=[dashed("^target$"), counted("^n$")],
    )


def _observed_reported() -> Panel:
    card = Card(
        114,
        "Observed against reported",
        "Mean latency that the caller hears, beside what the agent says of the same turns, and "
        "the difference: uplink, jitter buffers, codec and downlink, which the agent cannot see. "
        "From voice_e2e_latency_seconds and voice_reported_e2e_latency_seconds. Bad: a difference "
        "above the dashed line, or one that grows: the network, or a report that leaves something "
        "out.",
        empty="No turn was measured",
        height=9,
    )
    observed, reported = mean(_E2E, _CALL, _CALLS), mean(_REPORTED, _CALL, _CALLS)
    limit = f'max(voice_alert_threshold{{{_SERVER}, alert="VoiceLatencyDisagrees"}})'
    return graph(
        card,
        series(observed, "observed", CALL_STEP),
        series(reported, "reported", CALL_STEP),
        series(f"{observed} - {reported}", "difference", CALL_STEP),
        series(limit, "largest difference without an alert"),
        unit=Seconds,
        overrides=[dashed("^largest")],
    )


def _outcomes() -> Panel:
    card = Card(
        115,
        "Turns by outcome",
        "Planned turns in the window that ends there. From voice_turns_total: replied; failed, "
        "without a reply; void, when the prober itself was late, which says nothing about the "
        "agent. Bad: failed ones; many void ones mean that the prober's host is overloaded.",
        empty="The agent was not called",
        height=9,
    )
    turns = total(f"{_CALL}, outcome", recent(_TURNS))
    return graph(
        card, series(turns, "{{outcome}}", CALL_STEP), unit=Short, is_stacked=True, has_bars=True
    )


def _reaching() -> tuple[Panel, ...]:
    to_agent = _wait(
        131,
        "Time to agent",
        "voice_time_to_agent_seconds",
        "Dispatch requested to agent in the room. Bad: seconds (no idle worker, or cold starts)",
    )
    to_greeting = _wait(
        132,
        "Time to greeting",
        "voice_time_to_greeting_seconds",
        "Caller in the room to the first sound of the greeting, of agents that greet. Bad: far "
        "above the time to the agent",
    )
    return to_agent, to_greeting, _states()


def _wait(id_: int, title: str, histogram: str, meaning: str) -> Panel:
    card = Card(
        id_,
        title,
        f"{meaning}. From {histogram}: median and 95th percentile of the window that ends there, "
        "and n, its calls (axis on the right).",
        empty="No call was answered",
    )
    rates = rate(f"{histogram}_bucket{{{_AGENT}}}")
    calls = total("agent_name", recent(f"{histogram}_count{{{_AGENT}}}"))
    return graph(
        card,
        series(quantile(0.5, "agent_name", rates), "median", CALL_STEP),
        series(quantile(0.95, "agent_name", rates), "p95", CALL_STEP),
        series(calls, "n", CALL_STEP),
        unit=Seconds,
        overrides=[counted("^n$")],
    )


def _states() -> Panel:
    card = Card(
        133,
        "Verdicts over time",
        "The agent's verdict after each of its calls, the worst of its targets. From "
        "voice_verdict. Bad: SLOW and FAIL that last, or that come and go.",
        empty="Not called",
    )
    words = verdict("agent_name", f'{_AGENT}, check="latency"')
    return timeline(card, series(words, "{{agent_name}}"), words=VERDICTS)


def _failures() -> tuple[Panel, ...]:
    reasons = Card(
        141,
        "Failed runs by reason",
        "Calls in the window that ends there that did not measure all that they set out to "
        "measure, by the first reason. From voice_probe_failures_total. Bad: any: no_worker, "
        "join_timeout and dispatch_failed point at workers; no_reply and agent_error at the "
        "agent; connect_failed at the server; void and deadline at the prober's host.",
        empty="The agent was not called",
        width=12,
    )
    runs = Card(
        142,
        "Runs and skipped runs",
        "Calls that ended, failed ones included, and those that were due and did not start, in "
        "the window that ends there. From voice_probe_attempts_total and "
        "voice_probe_skipped_total. Bad: overlap (calls take longer than their interval), missed "
        "(the exporter is overloaded) and budget.",
        empty="The agent was not called",
        width=12,
    )
    failures = total("reason", recent(f"voice_probe_failures_total{{{_AGENT}}}")) + " > 0"
    skipped = total("reason", recent(f"voice_probe_skipped_total{{{_AGENT}}}"))
    attempts = total("probe", recent(f"voice_probe_attempts_total{{{_AGENT}}}"))
    return (
        graph(
            reasons,
            series(failures, "{{reason}}", CALL_STEP),
            unit=Short,
            is_stacked=True,
            has_bars=True,
        ),
        graph(
            runs,
            series(attempts, "ended", CALL_STEP),
            series(skipped, "skipped: {{reason}}", CALL_STEP),
            unit=Short,
        ),
    )


def _prober() -> tuple[Panel, ...]:
    return _floor(), _voids(), _remaining(), _spent()


def _floor() -> Panel:
    card = Card(
        151,
        "Floor",
        "What the method itself adds to the latency: codec, two jitter buffers, two hops; "
        "measured against an echo, never subtracted, for a caller hears it too. From "
        "voice_probe_floor_seconds, the last calibration. Bad: far above 0.15 s on a local "
        "network.",
        empty="Not calibrated yet",
        width=4,
        height=7,
    )
    return stat(
        card,
        value(f"max(voice_probe_floor_seconds{{{_SERVER}}})"),
        unit=Seconds,
        decimals=3,
    )


def _voids() -> Panel:
    card = Card(
        152,
        "Void turns",
        "Share of turns that were void over the time range, by call type, because the prober was "
        "late, and the share above which VoiceTooManyVoids is due. From voice_turns_total and "
        "voice_alert_threshold. Bad: near that limit: the prober needs a quieter host.",
        empty="The agent was not called",
        width=4,
        height=7,
    )
    void = total(_CALL, increase(f'voice_turns_total{{{_CALLS}, outcome="void"}}'))
    turns = total(_CALL, increase(_TURNS))
    limit = f'max(voice_alert_threshold{{{_SERVER}, alert="VoiceTooManyVoids"}})'
    share = value(f"{void} / ({turns} > 0)", "{{call_type}}")
    return stat(card, share, value(limit, "limit"), unit=PercentUnit, decimals=1)


def _remaining() -> Panel:
    card = Card(
        153,
        "Budget that remains today",
        "Turns, and seconds of calls, that the agent's targets may still have until midnight. "
        "From voice_budget_remaining_turns and voice_budget_remaining_call_seconds. Bad: 0: it is "
        "not called until then.",
        empty="No budget is set",
        height=7,
    )
    turns = f"min(voice_budget_remaining_turns{{{_AGENT}}})"
    seconds = f"min(voice_budget_remaining_call_seconds{{{_AGENT}}})"
    return graph(
        card,
        series(turns, "turns"),
        series(seconds, "call time"),
        unit=Short,
        overrides=[in_unit("^call time$", Seconds)],
    )


def _spent() -> Panel:
    card = Card(
        154,
        "Spent on calls",
        "Turns, time and, where a price is set, money that calls to the agent took over the time "
        "range. From voice_budget_spent_total, voice_budget_spent_call_seconds_total and "
        "voice_budget_cost_total; runs that were killed count in full. Bad: more than you meant "
        "to spend.",
        empty="The agent was not called",
        height=7,
    )
    parts = {
        "turns": "voice_budget_spent_total",
        "call time": "voice_budget_spent_call_seconds_total",
        "cost": "voice_budget_cost_total",
    }
    spent = [
        value(f"sum({increase(f'{metric}{{{_AGENT}}}')})", name) for name, metric in parts.items()
    ]
    units = [in_unit("^call time$", Seconds)]
    return stat(card, *spent, unit=Short, decimals=1, overrides=units)


def _workers() -> tuple[Panel, ...]:
    return _each_worker(), _in_rooms(), _waiting()


def _each_worker() -> Panel:
    card = Card(
        161,
        "Workers",
        "Each worker that is known, with what it reports. From voice_worker_*. Load is what "
        "LiveKit balances by: at 100 % the machine is full. Bad: offline, full, or an old "
        "heartbeat. Columns are empty for workers that were found by their page or in rooms only.",
        empty="No worker has reported",
        width=24,
    )
    return table(card, _worker_columns(), _worker_fields(), worst="Status")


def _worker_columns() -> list[Dataquery]:
    numbers = enumerate(("idle", "busy", "draining", "full", "offline"))
    status = " or ".join(
        f'{number} * (voice_worker_status{{{_AGENT}, status="{name}"}} == 1)'
        for number, name in numbers
    )
    metrics = ("load_ratio", "active_jobs", "cpu_ratio", "memory_bytes")
    columns = [column("status", f"max by (worker_id) ({status})")]
    columns += [
        column(name, f"max by (worker_id) (voice_worker_{name}{{{_AGENT}}})") for name in metrics
    ]
    beat = f"max by (worker_id) (voice_worker_last_heartbeat_timestamp_seconds{{{_AGENT}}})"
    return [*columns, column("beat", f"{beat} * 1000")]


def _worker_fields() -> list[Field]:
    return [
        Field("Worker", "worker_id"),
        Field("Status", "status", words=WORKER_STATUSES),
        Field("Load", "load_ratio", PercentUnit, SHARE_OF_LIMIT, decimals=0),
        Field("Jobs", "active_jobs"),
        Field("Cores", "cpu_ratio", NoUnit, decimals=2),
        Field("Memory", "memory_bytes", BytesIEC),
        Field("Last heartbeat", "beat", DateTimeFromNow),
    ]


def _in_rooms() -> Panel:
    card = Card(
        162,
        "The agent's rooms by its state",
        "In how many rooms the agent is, by what it says it does. From voice_agents and "
        "voice_agent_stuck, as of the last listing. Bad: any that is stuck: in initializing or "
        "thinking for longer than agents.stuck_after.",
        empty="The agent is in no room",
        width=12,
    )
    agents = seen("state", f"voice_agents{{{_AGENT}}}")
    stuck = f"sum({seen('state', f'voice_agent_stuck{{{_AGENT}}}')})"
    return graph(
        card,
        series(agents, "{{state}}"),
        series(stuck, "stuck"),
        unit=Short,
        is_stacked=True,
        overrides=[dashed("^stuck$")],
    )


def _waiting() -> Panel:
    card = Card(
        163,
        "Dispatches that wait, and workers that could take them",
        "Dispatches for which no agent came, the age of the oldest (axis on the right), and idle "
        "workers that take no job meanwhile. From voice_dispatches_pending, "
        "voice_dispatch_oldest_pending_seconds and voice_workers_not_taking_jobs. Bad: any that "
        "lasts.",
        empty="Not listed yet",
        width=12,
    )
    oldest = f"max(voice_dispatch_oldest_pending_seconds{{{_AGENT}}})"
    return graph(
        card,
        series(f"max(voice_dispatches_pending{{{_AGENT}}})", "waiting dispatches"),
        series(f"max(voice_workers_not_taking_jobs{{{_AGENT}}})", "idle, but take no job"),
        series(oldest, "oldest waits"),
        unit=Short,
        overrides=[in_unit("^oldest waits$", Seconds)],
    )
