"""The round trip of messages through the SFU."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Milliseconds

from dashboards.overrides import dashed
from dashboards.panels import Card, graph
from dashboards.queries import quantile, rate, series
from dashboards.sfu.series import BASELINE_STEP, WAY, largest, least


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return (_round_trips(),)


def _round_trips() -> Panel:
    card = Card(
        111,
        "Round trip of baselines",
        "Median round trip of each baseline and the configured target; the 95th percentile of the "
        "messages, and of ICE's connectivity checks (in whole milliseconds), of 20 and more in the "
        "window that ends at each point. From voice_sfu_rtt_ms, voice_sfu_rtt_seconds and "
        "voice_sfu_target_rtt_ms. A gap is a baseline that failed. Bad: above the dashed line: "
        "the verdict is SLOW. Messages far above ICE: the SFU or this host is busy.",
        empty="No baseline ran",
        width=24,
    )
    rates = rate(f"voice_sfu_rtt_seconds_bucket{{{WAY}}}")
    late = f"1000 * ({quantile(0.95, 'vantage, method', rates)})"
    return graph(
        card,
        series(largest("voice_sfu_rtt_ms"), "{{vantage}}"),
        series(late, "p95 {{method}} ({{vantage}})", BASELINE_STEP),
        series(least("voice_sfu_target_rtt_ms"), "target ({{vantage}})"),
        unit=Milliseconds,
        overrides=[dashed("^target")],
    )
