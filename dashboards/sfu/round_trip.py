"""The round trip: of baselines, of all messages, and how many there were."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Milliseconds, Seconds, Short

from dashboards.overrides import dashed
from dashboards.panels import Card, graph
from dashboards.queries import quantile, rate, recent, series, total
from dashboards.sfu.series import BASELINE_STEP, WAY, largest, least

_RTT = "voice_sfu_rtt_seconds"


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _round_trips(), _quantiles(), _pings()


def _round_trips() -> Panel:
    card = Card(
        111,
        "Round trip of baselines",
        "Median round trip of each baseline, and the configured target. From voice_sfu_rtt_ms and "
        "voice_sfu_target_rtt_ms. A gap is a baseline that failed. Bad: above the dashed line: "
        "the verdict is SLOW.",
        empty="No baseline ran",
    )
    return graph(
        card,
        series(largest("voice_sfu_rtt_ms"), "{{vantage}}"),
        series(least("voice_sfu_target_rtt_ms"), "target ({{vantage}})"),
        unit=Milliseconds,
        overrides=[dashed("^target")],
    )


def _quantiles() -> Panel:
    card = Card(
        112,
        "Round trip, median and p95 by method",
        "All round trips of the window that ends at each point: data, messages between two test "
        "participants; ice, connectivity checks, in whole milliseconds. From "
        "voice_sfu_rtt_seconds. Bad: both high: the network is slow; data far above ice: the SFU "
        "or this host is busy.",
        empty="No baseline ran",
    )
    rates = rate(f"{_RTT}_bucket{{{WAY}}}")
    by = "vantage, method"
    return graph(
        card,
        series(quantile(0.5, by, rates), "{{method}} median ({{vantage}})", BASELINE_STEP),
        series(quantile(0.95, by, rates), "{{method}} p95 ({{vantage}})", BASELINE_STEP),
        unit=Seconds,
    )


def _pings() -> Panel:
    card = Card(
        113,
        "Data messages by outcome",
        "Data messages of the window that ends at each point: answered; lost, not received within "
        "2 s; void, the prober was late. From voice_sfu_pings_total. Bad: lost messages; many "
        "void messages mean a busy host.",
        empty="No baseline ran",
    )
    pings = total("vantage, outcome", recent(f"voice_sfu_pings_total{{{WAY}}}"))
    return graph(
        card,
        series(pings, "{{outcome}} ({{vantage}})", BASELINE_STEP),
        unit=Short,
        is_stacked=True,
        has_bars=True,
    )
