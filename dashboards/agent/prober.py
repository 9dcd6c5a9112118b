"""What the prober itself adds to latencies, and may spend on calls."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import PercentUnit, Seconds, Short

from dashboards.agent.series import CALL_TYPE, CALLS, THE_AGENT, THE_SERVER, TURNS
from dashboards.colors import BAD, PLAIN
from dashboards.overrides import in_steps, in_unit
from dashboards.panels import Card, graph, stat
from dashboards.queries import increase, seen, series, total, value
from dashboards.values import SHARE_OF_LIMIT, steps


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _floor(), _voids(), _remaining(), _spent(), _jitter_buffer(), _lag()


def _floor() -> Panel:
    card = Card(
        151,
        "Floor",
        "Error of the measurement itself: codec, two jitter buffers, two hops. Measured against "
        "an echo and not subtracted, because callers hear it too. From voice_probe_floor_seconds, "
        "the last calibration. Bad: far above 0.15 s on a local network.",
        empty="Not calibrated yet",
        width=4,
        height=7,
    )
    return stat(
        card,
        value(f"max(voice_probe_floor_seconds{{{THE_SERVER}}})"),
        unit=Seconds,
        decimals=3,
    )


def _voids() -> Panel:
    card = Card(
        152,
        "Void turns",
        "Share of void turns over the time range, by call type: the prober was late; and the "
        "same as a share of the limit, the threshold of VoiceTooManyVoids. From "
        "voice_turns_total and voice_alert_threshold. "
        "Bad: near that limit: the prober needs a less busy host.",
        empty="The agent was not called",
        width=4,
        height=7,
    )
    void = total(CALL_TYPE, increase(f'voice_turns_total{{{CALLS}, outcome="void"}}'))
    turns = total(CALL_TYPE, increase(TURNS))
    limit = f'max(voice_alert_threshold{{{THE_SERVER}, alert="VoiceTooManyVoids"}})'
    share = f"{void} / ({turns} > 0)"
    return stat(
        card,
        value(share, "{{call_type}}"),
        value(f"{share} / scalar({limit})", "of the limit {{call_type}}"),
        unit=PercentUnit,
        decimals=1,
        overrides=[in_steps("^of the limit", SHARE_OF_LIMIT, PercentUnit)],
    )


def _remaining() -> Panel:
    card = Card(
        153,
        "Budget left today",
        "Turns and call seconds left for the agent's targets until midnight. From "
        "voice_budget_remaining_turns and voice_budget_remaining_call_seconds. Bad: 0: the agent "
        "is not called until midnight.",
        empty="No budget is set",
        height=7,
    )
    turns = f"min(voice_budget_remaining_turns{{{THE_AGENT}}})"
    seconds = f"min(voice_budget_remaining_call_seconds{{{THE_AGENT}}})"
    return stat(
        card,
        value(turns, "turns"),
        value(seconds, "call time"),
        unit=Short,
        colors=steps(BAD, (1, PLAIN)),
        decimals=0,
        overrides=[in_unit("^call time$", Seconds)],
    )


def _spent() -> Panel:
    card = Card(
        154,
        "Spent on calls",
        "Turns, seconds and, if a price is set, cost of calls to the agent over the time range. "
        "From voice_budget_spent_total, voice_budget_spent_call_seconds_total and "
        "voice_budget_cost_total; a run that was killed counts in full. Bad: more than planned.",
        empty="The agent was not called",
        height=7,
    )
    parts = {
        "turns": "voice_budget_spent_total",
        "call time": "voice_budget_spent_call_seconds_total",
        "cost": "voice_budget_cost_total",
    }
    spent = [
        value(f"sum({increase(f'{metric}{{{THE_AGENT}}}')})", name)
        for name, metric in parts.items()
    ]
    units = [in_unit("^call time$", Seconds)]
    return stat(card, *spent, unit=Short, decimals=1, overrides=units)


def _jitter_buffer() -> Panel:
    card = Card(
        155,
        "Jitter buffer",
        "Mean depth of the caller's jitter buffer in the last call, by call type and scenario: a "
        "part of the end-to-end latency. From voice_call_jitter_buffer_seconds. Bad: above 0.06 s, "
        "or steps of some 0.01 s that move the latency: packets arrive late or in bursts.",
        empty="No turn was measured",
        width=12,
        height=7,
    )
    depth = seen("call_type, scenario", f"voice_call_jitter_buffer_seconds{{{CALLS}}}")
    return graph(card, series(depth, "{{call_type}} {{scenario}}"), unit=Seconds)


def _lag() -> Panel:
    card = Card(
        156,
        "Lag of the event loop",
        "Largest lag of the event loop of the prober in the last call, by call type and scenario. "
        "From voice_probe_loop_lag_seconds. Bad: often above the line of 0.02 s: at an end of a "
        "turn it makes the turn void.",
        empty="The agent was not called",
        width=12,
        height=7,
    )
    lag = seen("call_type, scenario", f"voice_probe_loop_lag_seconds{{{CALLS}}}")
    return graph(card, series(lag, "{{call_type}} {{scenario}}"), unit=Seconds, limit=0.02)
