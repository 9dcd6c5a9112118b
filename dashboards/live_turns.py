"""Turns of real calls, as `attach` in the agents reports them."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Seconds, Short

from dashboards.overrides import counted, dashed
from dashboards.panels import Card, graph
from dashboards.queries import CALL_STEP, mean, quantile, rate, recent, seen, series, total

_BY_CALL_TYPE = "server, agent_name, call_type"
_LEGEND = "{{agent_name}} {{call_type}} ({{server}})"
_NONE = "No agent reports its turns: docs/live-turns.md"
_E2E, _HEARD = "voice_live_e2e_latency_seconds", "voice_live_heard_latency_seconds"


def panels(agents: str) -> tuple[Panel, ...]:
    """Return the panels of the row.

    Args:
        agents: Matchers of the agents to show.
    """
    return (
        _turns(agents),
        _latency(agents),
        _difference(agents),
        _parts(agents),
        _tools(agents),
        _usage(agents),
    )


def _card(id_: int, title: str, text: str) -> Card:
    return Card(id_, title, text, empty=_NONE, width=8)


def _turns(agents: str) -> Panel:
    card = _card(
        151,
        "Real turns by outcome",
        "Turns of real callers: answered, interrupted by the caller, or unanswered, in the window "
        "that ends at each point. From voice_live_turns_total. Bad: unanswered turns.",
    )
    turns = total(f"{_BY_CALL_TYPE}, outcome", recent(f"voice_live_turns_total{{{agents}}}"))
    query = series(turns, f"{{{{outcome}}}}: {_LEGEND}", CALL_STEP)
    return graph(card, query, unit=Short, is_stacked=True, has_bars=True)


def _latency(agents: str) -> Panel:
    card = _card(
        152,
        "Latency of real turns",
        "As the agent reports it, and as callers hear it by estimate: median, and 95th percentile "
        "of what is heard. From voice_live_e2e_latency_seconds and "
        "voice_live_heard_latency_seconds. Bad: far above what probes hear. Heard is missing where "
        "no probe has called the agent within the hour.",
    )
    reported, heard = (rate(f"{name}_bucket{{{agents}}}") for name in (_E2E, _HEARD))
    return graph(
        card,
        series(quantile(0.5, _BY_CALL_TYPE, reported), f"reported, median {_LEGEND}", CALL_STEP),
        series(quantile(0.5, _BY_CALL_TYPE, heard), f"heard, median {_LEGEND}", CALL_STEP),
        series(quantile(0.95, _BY_CALL_TYPE, heard), f"heard, p95 {_LEGEND}", CALL_STEP),
        unit=Seconds,
    )


def _difference(agents: str) -> Panel:
    card = _card(
        153,
        "Added to what is reported",
        "Difference of heard and reported latency by probes of the last hour, which makes the "
        "estimate; and reports that agents dropped (right axis). From "
        "voice_live_heard_offset_seconds and voice_live_turns_dropped_total. Bad: a jump; any "
        "dropped report: counts of real turns are too low.",
    )
    servers = agents.partition(",")[0]
    offset = seen("server, agent_name", f"voice_live_heard_offset_seconds{{{agents}}}")
    lost = total("server", recent(f"voice_live_turns_dropped_total{{{servers}}}"))
    return graph(
        card,
        series(offset, "{{agent_name}} ({{server}})"),
        series(f"{lost} > 0", "dropped ({{server}})", CALL_STEP),
        unit=Seconds,
        overrides=[counted("^dropped")],
    )


def _parts(agents: str) -> Panel:
    card = _card(
        154,
        "Where the time of real turns goes",
        "Mean of each component and of the whole latency, as the agent reports them; "
        "components that cannot be true (right axis). From "
        "voice_component_latency_seconds, voice_live_e2e_latency_seconds and "
        "voice_live_implausible_total. Bad: a component that grows.",
    )
    parts = mean(
        "voice_component_latency_seconds", f"{_BY_CALL_TYPE}, component", f'{agents}, source="live"'
    )
    left_out = total(_BY_CALL_TYPE, recent(f"voice_live_implausible_total{{{agents}}}"))
    return graph(
        card,
        series(parts, f"{{{{component}}}}: {_LEGEND}", CALL_STEP),
        series(mean(_E2E, _BY_CALL_TYPE, agents), f"end to end: {_LEGEND}", CALL_STEP),
        series(f"{left_out} > 0", f"left out: {_LEGEND}", CALL_STEP),
        unit=Seconds,
        overrides=[dashed("^end to end", "text"), counted("^left out")],
    )


def _tools(agents: str) -> Panel:
    card = _card(
        155,
        "Tools of real calls",
        "Tools that ended, by outcome, in the window that ends at each point. From "
        "voice_live_tool_calls_total. Bad: failed ones.",
    )
    tools = total(f"{_BY_CALL_TYPE}, outcome", recent(f"voice_live_tool_calls_total{{{agents}}}"))
    query = series(tools, f"{{{{outcome}}}}: {_LEGEND}", CALL_STEP)
    return graph(card, query, unit=Short, is_stacked=True, has_bars=True)


def _usage(agents: str) -> Panel:
    card = _card(
        156,
        "Usage of real calls",
        "What real calls have used per second, by kind and model. From voice_live_usage_total. "
        "Bad: a jump that the number of turns does not explain.",
    )
    used = total(f"{_BY_CALL_TYPE}, kind, model", rate(f"voice_live_usage_total{{{agents}}}"))
    return graph(
        card, series(used, f"{{{{kind}}}} {{{{model}}}}: {_LEGEND}", CALL_STEP), unit=Short
    )
