"""How many clients the SFU takes, by the last ramp."""

from functools import partial

from exporter.metrics.table.row import row

_row = partial(row, "ramp")

RAMP = (
    _row(
        "voice_knee_clients",
        "gauge",
        "vantage",
        "Clients at which the targets still held while the next tier of the last ramp broke one. "
        "Absent until a ramp found a knee, and when the last one found none: see "
        "voice_ramp_clients_max and voice_ramp_limited for why.",
    ),
    _row(
        "voice_ramp_clients_max",
        "gauge",
        "vantage",
        "Clients of the largest tier in the last ramp at which every target held and the prober "
        "was not the limit; 0 if there was none.",
    ),
    _row(
        "voice_ramp_rtt_ms",
        "gauge",
        "vantage clients",
        "Round trips in each tier of the last ramp, in milliseconds: the 95th percentile, or the "
        "largest below 20. A message that was lost counts as 2000.",
    ),
    _row(
        "voice_ramp_packet_loss_ratio",
        "gauge",
        "vantage clients",
        "Share of audio packets lost from client to client in each tier of the last ramp, 0 to 1.",
    ),
    _row(
        "voice_ramp_limited",
        "gauge",
        "vantage",
        "1 when the prober, not the SFU, was the limit of the last ramp: its knee is not known.",
    ),
)
