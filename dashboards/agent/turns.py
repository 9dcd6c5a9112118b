"""The agent's turns, of one call type: how long callers waited, and for what."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Seconds, Short

from dashboards.agent.series import CALL_TYPE, CALLS, E2E, TARGET, THE_SERVER, TURNS
from dashboards.overrides import counted, dashed
from dashboards.panels import Card, graph, heatmap
from dashboards.queries import CALL_STEP, buckets, mean, quantile, rate, recent, seen, series, total

_REPORTED = "voice_reported_e2e_latency_seconds"
_COMPONENTS = "voice_component_latency_seconds"


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
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
    turns = total(f"le, {CALL_TYPE}", recent(f"{E2E}_bucket{{{CALLS}}}"))
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
            mean(_COMPONENTS, CALL_TYPE, f'{CALLS}, component="{part}", source="probe"'),
            part,
            CALL_STEP,
        )
        for part in parts
    ]
    queries.append(series(mean(E2E, CALL_TYPE, CALLS), "end to end", CALL_STEP))
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
    rates = rate(f"{E2E}_bucket{{{CALLS}}}")
    samples = total(CALL_TYPE, recent(f"{E2E}_count{{{CALLS}}}"))
    return graph(
        card,
        series(quantile(0.5, CALL_TYPE, rates), "median", CALL_STEP),
        series(quantile(0.95, CALL_TYPE, rates), "p95", CALL_STEP),
        series(seen(CALL_TYPE, f"voice_last_call_latency_seconds{{{CALLS}}}"), "last call"),
        series(TARGET, "target"),
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
    observed, reported = mean(E2E, CALL_TYPE, CALLS), mean(_REPORTED, CALL_TYPE, CALLS)
    limit = f'max(voice_alert_threshold{{{THE_SERVER}, alert="VoiceLatencyDisagrees"}})'
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
    turns = total(f"{CALL_TYPE}, outcome", recent(TURNS))
    return graph(
        card, series(turns, "{{outcome}}", CALL_STEP), unit=Short, is_stacked=True, has_bars=True
    )
