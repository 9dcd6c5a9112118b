"""What the agent is like now: six figures, and a line for each of its targets with the cause."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.prometheus import Dataquery
from grafana_foundation_sdk.models.units import DateTimeFromNow, PercentUnit, Seconds, Short

from dashboards import colors
from dashboards.agent.series import (
    CALL,
    CALL_TYPE,
    CALLS,
    E2E,
    FAILED,
    TARGETS,
    THE_AGENT,
    THE_SERVER,
    last_call,
)
from dashboards.colors import BAD, GOOD, PLAIN, WARN
from dashboards.links import HIDDEN, last_failed_run
from dashboards.overrides import in_color, in_steps
from dashboards.panels import Card, stat
from dashboards.queries import column, increase, quantile, seen, total, value, verdict
from dashboards.tables import Field, table
from dashboards.values import ENOUGH_TURNS, SHARE_OF_LIMIT, VERDICTS, painted, steps
from exporter.colors import COMPONENTS

_LATENCY = 'check="latency"'


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _verdict(), _in_a_row(), _share(), _workers(), _within(), _samples(), _targets()


def _card(id_: int, title: str, text: str, empty: str) -> Card:
    return Card(id_, title, text, empty, width=4, height=4)


def _verdict() -> Panel:
    card = _card(
        101,
        "Verdict",
        "Verdict of the agent's last calls, the worst of its targets. From voice_verdict. Bad: "
        "FAIL: no answer, or later than fail_ms on average; SLOW: later than the target on "
        "average; UNKNOWN: not measured, or void turns only.",
        empty="Not called",
    )
    return stat(card, value(verdict("server", f"{THE_AGENT}, {_LATENCY}")), words=VERDICTS)


def _in_a_row() -> Panel:
    card = _card(
        106,
        "Runs in a row",
        "Number of consecutive calls, up to the last one, that were FAIL, or SLOW and not FAIL; "
        "the longest of the agent's targets. From voice_verdict_streak. Bad: two and more: a "
        "single one may be an accident.",
        empty="All pass",
    )
    fail, slow = (
        f'max(voice_verdict_streak{{{THE_AGENT}, {_LATENCY}, verdict="{word}"}})'
        for word in ("FAIL", "SLOW")
    )
    return stat(
        card,
        value(f"{fail} > 0", "FAIL in a row"),
        value(f"({slow} - {fail}) > 0", "SLOW in a row"),
        overrides=[in_color("^FAIL", colors.VERDICTS["FAIL"]), in_color("^SLOW", WARN)],
    )


def _share() -> Panel:
    card = _card(
        109,
        "Last call of target",
        "Mean latency of the last call as a share of its target, of the target that is worst. "
        "Nothing if the last call failed. From voice_last_call_latency_seconds and "
        "voice_target_latency_seconds. Bad: above 100 %: the verdict is SLOW.",
        empty="The last call failed",
    )
    worst = f"max by ({CALL_TYPE}) (({last_call(CALL)}) / min by ({CALL}) ({TARGETS}))"
    query = value(worst, "{{call_type}}")
    return stat(card, query, unit=PercentUnit, colors=SHARE_OF_LIMIT, decimals=0)


def _workers() -> Panel:
    card = _card(
        108,
        "Workers in service",
        "Workers of the agent that are idle, busy or full, and dispatches that no agent has joined "
        "for. From voice_workers and voice_dispatches_pending. Bad: no worker in service, or any "
        "dispatch that waits.",
        empty="No worker has reported",
    )
    in_service = f"max(agent:voice_workers_in_service:max{{{THE_AGENT}}})"
    return stat(
        card,
        value(in_service, "in service"),
        value(f"max(voice_dispatches_pending{{{THE_AGENT}}})", "waiting"),
        overrides=[
            in_steps("^in service$", steps(BAD, (1, PLAIN))),
            in_steps("^waiting$", steps(PLAIN, (1, WARN))),
        ],
    )


def _within() -> Panel:
    card = _card(
        105,
        "Turns within target",
        "Share of turns answered within the target, over the time range, and what is left of the "
        "share that the objective allows to be late. Failed turns "
        "count as late, void turns do not count. From voice_turns_within_target_total, "
        "voice_turns_total and voice_slo_objective_ratio. Bad: a budget below 0: the objective is "
        "missed.",
        empty="No turn was measured",
    )
    good = total(CALL_TYPE, increase(f"voice_turns_within_target_total{{{CALLS}}}"))
    judged = total(CALL_TYPE, increase(f'voice_turns_total{{{CALLS}, outcome!="void"}}'))
    share_within = f"{good} / ({judged} > 0)"
    objective = f"scalar(max(voice_slo_objective_ratio{{{THE_SERVER}}}))"
    left = steps(BAD, (0, WARN), (0.5, GOOD))
    return stat(
        card,
        value(share_within, "{{call_type}}"),
        value(f"1 - (1 - {share_within}) / (1 - {objective})", "budget left {{call_type}}"),
        unit=PercentUnit,
        decimals=1,
        overrides=[in_steps("^budget left", left, PercentUnit)],
    )


def _samples() -> Panel:
    card = _card(
        104,
        "Measured turns (n)",
        "Number of measured turns behind the latencies of this page, over the time range, by call "
        "type. From voice_e2e_latency_seconds_count: answered turns, without warm-up. Bad: below "
        "20, too few for a 95th percentile.",
        empty="No turn was measured",
    )
    turns = f"round({total(CALL_TYPE, increase(f'{E2E}_count{{{CALLS}}}'))})"
    return stat(card, value(turns, "{{call_type}}"), unit=Short, colors=ENOUGH_TURNS, decimals=0)


def _targets() -> Panel:
    card = Card(
        107,
        "Targets of the agent",
        "Each call type and scenario: its verdict and since when it holds; the reason of the last "
        "run if it failed, else its latency; the component that took most of it, and the mean of "
        "that component a day earlier; the 95th percentile over the time range, of 20 turns and "
        "more. From voice_verdict, voice_verdict_since_timestamp_seconds, "
        "voice_probe_last_run_failed, voice_last_call_latency_seconds, "
        "voice_last_call_component_seconds, voice_component_latency_seconds and "
        "voice_e2e_latency_seconds. Bad: FAIL and SLOW; a component above what it took "
        "yesterday. A click on a reason opens the last failed call.",
        empty="Not called",
        width=24,
        height=7,
    )
    return table(card, _columns(), _fields(), worst="Verdict")


def _columns() -> list[Dataquery]:
    since = f"voice_verdict_since_timestamp_seconds{{{CALLS}, {_LATENCY}}}"
    parts = f"max by ({CALL}, component) (voice_last_call_component_seconds{{{CALLS}}})"
    slowest = f"topk by ({CALL}) (1, {parts})"
    late = quantile(0.95, CALL, increase(f"{E2E}_bucket{{{CALLS}}}"))
    return [
        column("verdict", verdict(CALL, f"{CALLS}, {_LATENCY}")),
        column("since", f"1000 * {seen(CALL, since)}"),
        column("why", f"topk by ({CALL}) (1, {seen(f'{CALL}, reason', FAILED)})"),
        column("target", f"min by ({CALL}) ({TARGETS})"),
        column("last", last_call(CALL)),
        column("share", f"({last_call(CALL)}) / min by ({CALL}) ({TARGETS})"),
        column("slowest", slowest),
        column("yesterday", total(CALL, f"{_yesterday()} and on ({CALL}, component) {slowest}")),
        column("late", late),
    ]


def _yesterday() -> str:
    """Return the mean of each component over the day before the last one."""
    by = f"{CALL}, component"
    histogram = "voice_component_latency_seconds"
    seconds, turns = (
        total(by, f'increase({histogram}_{part}{{{CALLS}, source="probe"}}[1d] offset 1d)')
        for part in ("sum", "count")
    )
    return f"{seconds} / ({turns} > 0)"


def _fields() -> list[Field]:
    last_failed = last_failed_run(
        f"${{{HIDDEN}:raw}}",
        agent_name="${agent_name}",
        call_type='${__data.fields["Call type"]}',
        scenario="${__data.fields.Scenario}",
    )
    parts, reasons = painted(COMPONENTS), painted(colors.REASONS)
    return [
        Field("Call type", "call_type", width=110, grows=True),
        Field("Scenario", "scenario", width=110),
        Field("Verdict", "verdict", words=VERDICTS, width=90),
        Field("Since", "since", DateTimeFromNow, width=120),
        Field("Reason", "reason", words=reasons, url=last_failed, width=130),
        Field("Target", "target", Seconds, decimals=2, width=75),
        Field("Last call", "last", Seconds, decimals=2, width=80),
        Field(
            "Of target", "share", PercentUnit, SHARE_OF_LIMIT, decimals=0, is_bar=True, width=110
        ),
        Field("Slowest part", "component", words=parts, width=120),
        Field("Took", "slowest", Seconds, decimals=2, width=75),
        Field("Yesterday", "yesterday", Seconds, decimals=2, width=85),
        Field("p95", "late", Seconds, decimals=2, width=75),
    ]
