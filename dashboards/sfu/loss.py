"""Jitter, lost packets, and the loss that can be heard."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import PercentUnit, Seconds, Short

from dashboards.overrides import dashed
from dashboards.panels import Card, graph
from dashboards.queries import rate, recent, series, total
from dashboards.sfu.series import BASELINE_STEP, WAY, largest, least


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _jitter(), _loss(), _concealed(), _lost_messages()


def _jitter() -> Panel:
    card = Card(
        121,
        "Jitter by direction",
        "RTP interarrival jitter (RFC 3550) of the last baseline: up as reported by the SFU, down "
        "as measured by the receiver, in whole milliseconds. From voice_sfu_jitter_seconds and "
        "voice_sfu_target_jitter_seconds. Bad: above the dashed line: jitter buffers grow, and "
        "every latency with them.",
        empty="No baseline ran",
        width=12,
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
        width=12,
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
        width=12,
    )
    concealed = series(largest("voice_sfu_concealed_ratio"), "{{vantage}}")
    return graph(card, concealed, unit=PercentUnit, limit=0.01)


def _lost_messages() -> Panel:
    card = Card(
        124,
        "Messages without an answer",
        "Data messages of baselines that were not received within 2 s (lost), or that the prober "
        "was too late for (void). From voice_sfu_pings_total. Bad: lost messages; many void "
        "messages mean a busy host.",
        empty="Every message was answered",
        width=12,
    )
    pings = f'voice_sfu_pings_total{{{WAY}, outcome!="answered"}}'
    missed = total("vantage, outcome", recent(pings))
    return graph(
        card,
        series(f"{missed} > 0", "{{outcome}} ({{vantage}})", BASELINE_STEP),
        unit=Short,
        is_stacked=True,
        has_bars=True,
    )
