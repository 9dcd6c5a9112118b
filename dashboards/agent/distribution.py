"""How latencies are spread: a second band is a slow path that a mean hides."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Seconds

from dashboards.agent.series import CALL_TYPE, CALLS, E2E, TARGET
from dashboards.overrides import dashed
from dashboards.panels import Card, graph, heatmap
from dashboards.queries import CALL_STEP, buckets, quantile, rate, recent, series, total

_WINDOW_STEP = "15m"
"""Of which Grafana makes windows of an hour: 36 turns at the default interval of calls."""


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _distribution(), _quantiles()


def _distribution() -> Panel:
    card = Card(
        241,
        "End-to-end latency",
        "Distribution of the response latency of the chosen call types, added up: the darker, "
        "the more turns. From "
        "voice_e2e_latency_seconds, each turn once. Bad: a second band "
        "above the first (some turns take a slow path), or a band that rises.",
        empty="No turn was measured",
        width=12,
        height=9,
    )
    turns = total(f"le, {CALL_TYPE}", recent(f"{E2E}_bucket{{{CALLS}}}"))
    return heatmap(card, buckets(turns, CALL_STEP), unit=Seconds, counted=" turns")


def _quantiles() -> Panel:
    card = Card(
        242,
        "Median and p95 against the target",
        "Median and 95th percentile of the end-to-end latency in the hour before each point, and "
        "the target. A gap: fewer than 20 turns. From voice_e2e_latency_seconds and "
        "voice_target_latency_seconds. Bad: p95 far above the dashed line: some callers wait long.",
        empty="Fewer than 20 turns were measured in every hour",
        width=12,
        height=9,
    )
    rates = rate(f"{E2E}_bucket{{{CALLS}}}")
    return graph(
        card,
        series(quantile(0.5, CALL_TYPE, rates), "median {{call_type}}", _WINDOW_STEP),
        series(quantile(0.95, CALL_TYPE, rates), "p95 {{call_type}}", _WINDOW_STEP),
        series(TARGET, "target {{call_type}}"),
        unit=Seconds,
        overrides=[dashed("^target")],
    )
