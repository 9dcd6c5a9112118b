"""What the agent is like over the time range, in six figures."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import PercentUnit, Seconds, Short

from dashboards.agent.series import CALL_TYPE, CALLS, E2E, TARGET, THE_AGENT
from dashboards.panels import Card, stat
from dashboards.queries import increase, quantile, total, value, verdict
from dashboards.values import ENOUGH_TURNS, SOME_IS_ODD, VERDICTS


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _verdict(), _median(), _late(), _samples(), _within(), _failed()


def _verdict() -> Panel:
    card = Card(
        101,
        "Verdict",
        "Verdict of the agent's last calls, the worst of its targets. From voice_verdict. Bad: "
        "FAIL: no answer, or later than fail_ms on average; SLOW: later than the target on "
        "average; UNKNOWN: not measured, or void turns only.",
        empty="Not called",
        width=4,
        height=4,
    )
    words = verdict("server", f'{THE_AGENT}, check="latency"')
    return stat(card, value(words), words=VERDICTS)


def _median() -> Panel:
    card = Card(
        102,
        "Median latency",
        "Median response latency over the time range, by call type. From "
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
        "95th percentile of the response latency over the time range, by call type, and the "
        "configured target. From voice_e2e_latency_seconds and voice_target_latency_seconds. Bad: "
        "far above the target: some callers wait long. Not meaningful with fewer than 20 measured "
        "turns; the next panel counts them.",
        empty="No turn was measured",
        width=4,
        height=4,
    )
    late = value(_over_range(0.95), "{{call_type}}")
    return stat(card, late, value(TARGET, "target {{call_type}}"), unit=Seconds)


def _over_range(share: float) -> str:
    return quantile(share, CALL_TYPE, increase(f"{E2E}_bucket{{{CALLS}}}"))


def _samples() -> Panel:
    card = Card(
        104,
        "Measured turns (n)",
        "Number of measured turns behind the latencies of this page, over the time range, by call "
        "type. From voice_e2e_latency_seconds_count: answered turns, without warm-up. Bad: below "
        "20, too few for a 95th percentile.",
        empty="No turn was measured",
        width=4,
        height=4,
    )
    turns = total(CALL_TYPE, increase(f"{E2E}_count{{{CALLS}}}"))
    return stat(card, value(turns, "{{call_type}}"), unit=Short, colors=ENOUGH_TURNS, decimals=0)


def _within() -> Panel:
    card = Card(
        105,
        "Turns within target",
        "Share of turns answered within the target, over the time range, by call type. Failed "
        "turns count as late, void turns do not count. From voice_turns_within_target_total over "
        "voice_turns_total. Bad: below the objective (slo.objective).",
        empty="No turn was measured",
        width=4,
        height=4,
    )
    good = total(CALL_TYPE, increase(f"voice_turns_within_target_total{{{CALLS}}}"))
    judged = total(CALL_TYPE, increase(f'voice_turns_total{{{CALLS}, outcome!="void"}}'))
    share = value(f"{good} / ({judged} > 0)", "{{call_type}}")
    return stat(card, share, unit=PercentUnit, decimals=2)


def _failed() -> Panel:
    card = Card(
        106,
        "Runs in a row",
        "Number of consecutive calls, up to the last one, that were SLOW or worse, and FAIL; the "
        "longest streak of the agent's targets. From voice_verdict_streak. Bad: two and more: a "
        "single one may be an accident.",
        empty="Not called",
        width=4,
        height=4,
    )
    streak = f'max by (verdict) (voice_verdict_streak{{{THE_AGENT}, check="latency"}})'
    return stat(card, value(streak, "{{verdict}}"), colors=SOME_IS_ODD)
