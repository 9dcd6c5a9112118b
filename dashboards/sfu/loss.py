"""Jitter, lost packets, and the loss that can be heard."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import PercentUnit, Seconds

from dashboards.overrides import dashed
from dashboards.panels import Card, graph
from dashboards.queries import rate, series, total
from dashboards.sfu.series import BASELINE_STEP, WAY, largest, least


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _jitter(), _loss(), _concealed()


def _jitter() -> Panel:
    card = Card(
        121,
        "Jitter by direction",
        "RTP interarrival jitter (RFC 3550) of the last baseline: up as reported by the SFU, down "
        "as measured by the receiver, in whole milliseconds. From voice_sfu_jitter_seconds and "
        "voice_sfu_target_jitter_seconds. Bad: above the dashed line: jitter buffers grow, and "
        "every latency with them.",
        empty="No baseline ran",
    )
    jitter = f"max by (vantage, direction) (voice_sfu_jitter_seconds{{{WAY}}})"
    return graph(
        card,
        series(jitter, "{{direction}} ({{vantage}})"),
        series(least("voice_sfu_target_jitter_seconds"), "target ({{vantage}})"),
        unit=Seconds,
        overrides=[dashed("^target")],
    )


def _loss() -> Panel:
    card = Card(
        122,
        "Packet loss by direction",
        "Share of RTP packets lost in the window that ends at each point: up as reported by the "
        "SFU, down as measured by the receiver without the loss of the way up; and the worse "
        "direction of the last baseline. From voice_sfu_packets_lost_total, "
        "voice_sfu_packets_total, voice_sfu_packet_loss_ratio and "
        "voice_sfu_target_packet_loss_ratio. Bad: above the dashed line.",
        empty="No baseline ran",
    )
    by = "vantage, direction"
    lost = total(by, rate(f"voice_sfu_packets_lost_total{{{WAY}}}"))
    sent = total(by, rate(f"voice_sfu_packets_total{{{WAY}}}"))
    worst = largest("voice_sfu_packet_loss_ratio")
    return graph(
        card,
        series(f"{lost} / ({sent} > 0)", "{{direction}} ({{vantage}})", BASELINE_STEP),
        series(worst, "last baseline, worse direction ({{vantage}})"),
        series(least("voice_sfu_target_packet_loss_ratio"), "target ({{vantage}})"),
        unit=PercentUnit,
        overrides=[dashed("^target")],
    )


def _concealed() -> Panel:
    card = Card(
        123,
        "Concealed audio",
        "Share of received audio that was concealed in the last baseline: the audible loss that "
        "redundancy did not repair. From voice_sfu_concealed_ratio. Bad: above 1 %.",
        empty="No baseline ran",
    )
    concealed = series(largest("voice_sfu_concealed_ratio"), "{{vantage}}")
    return graph(card, concealed, unit=PercentUnit, limit=0.01)
