"""What a ramp says on /metrics."""

from functools import partial

from exporter.series import family

_family = partial(family, "ramp")

KNEE = _family(
    "voice_knee_clients",
    "gauge",
    "vantage",
    "Capacity knee in clients: the largest tier of the last ramp in which all targets held, if "
    "the next tier broke one. Absent if no knee was found; voice_ramp_clients_max and "
    "voice_ramp_limited show why.",
)
CLIENTS_MAX = _family(
    "voice_ramp_clients_max",
    "gauge",
    "vantage",
    "Clients in the largest tier of the last ramp in which all targets held and the prober was "
    "not the limit, 0 if there was none.",
)
RTT = _family(
    "voice_ramp_rtt_ms",
    "gauge",
    "vantage clients",
    "Round trip in each tier of the last ramp, in milliseconds: the 95th percentile, or the "
    "maximum if there are fewer than 20. A lost message counts as 2000.",
)
LOSS = _family(
    "voice_ramp_packet_loss_ratio",
    "gauge",
    "vantage clients",
    "Share of audio packets lost between clients in each tier of the last ramp, 0 to 1.",
)
LIMITED = _family(
    "voice_ramp_limited",
    "gauge",
    "vantage",
    "1 if the prober, not the SFU, was the limit of the last ramp, so that the knee is unknown.",
)
TIMESTAMP = _family(
    "voice_ramp_timestamp_seconds",
    "gauge",
    "vantage",
    "Unix time at which the last ramp began, by the clock of the host that made it.",
)

FAMILIES = (KNEE, CLIENTS_MAX, RTT, LOSS, LIMITED, TIMESTAMP)
