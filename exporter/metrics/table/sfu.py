"""The way to the SFU: baselines, the ways that are open, and lost connections."""

from functools import partial

from exporter.metrics.table.row import row

_NETWORK_BUCKETS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1),
    *(0.15, 0.2, 0.3, 0.5, 0.75, 1, 2),
)
_GAP_BUCKETS = (0.03, 0.06, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 20, 30, 60)
_CONNECT_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)

_row = partial(row, "sfu")

SFU = (
    _row(
        "voice_sfu_rtt_ms",
        "gauge",
        "vantage",
        "Median round trip to the SFU of the last baseline, in milliseconds: a data message from "
        "one participant of ours to another on this host. Absent when the last baseline failed.",
    ),
    _row(
        "voice_sfu_rtt_seconds",
        "histogram",
        "vantage method",
        "Round trips to the SFU. Method: data, messages between two participants of ours; ice, the "
        "connection's own checks, in whole milliseconds.",
        buckets=_NETWORK_BUCKETS,
    ),
    _row(
        "voice_sfu_target_rtt_ms",
        "gauge",
        "vantage",
        "The configured target of the median round trip.",
    ),
    _row(
        "voice_sfu_target_packet_loss_ratio",
        "gauge",
        "vantage",
        "The configured target of the packet loss, 0 to 1.",
    ),
    _row(
        "voice_sfu_target_jitter_seconds",
        "gauge",
        "vantage",
        "The configured target of the jitter.",
    ),
    _row(
        "voice_sfu_floor_seconds",
        "gauge",
        "vantage",
        "What of a message's time is the exporter's own: event loop and SDK, without the network. "
        "Taken off the round trips.",
    ),
    _row(
        "voice_sfu_pings_total",
        "counter",
        "vantage outcome",
        "Data messages sent by what became of them: answered, lost, or void when the prober itself "
        "was late.",
    ),
    _row(
        "voice_sfu_jitter_seconds",
        "gauge",
        "vantage direction",
        "Interarrival jitter of RTP: up as the SFU reports it, down as the receiver measures it, "
        "in whole milliseconds.",
    ),
    _row(
        "voice_sfu_packet_loss_ratio",
        "gauge",
        "vantage direction",
        "Share of RTP packets lost in the last baseline, 0 to 1: up as the SFU reports it, down "
        "what the receiver misses beyond that.",
    ),
    _row(
        "voice_sfu_packets_total",
        "counter",
        "vantage direction",
        "RTP packets sent to the SFU (up) and by it (down) over which loss is counted.",
    ),
    _row(
        "voice_sfu_packets_lost_total",
        "counter",
        "vantage direction",
        "Those of voice_sfu_packets_total that were lost; the quotient of the two rates is the "
        "loss over any span of time.",
    ),
    _row(
        "voice_sfu_concealed_ratio",
        "gauge",
        "vantage",
        "Share of the received audio that was made up in the last baseline, 0 to 1: the loss that "
        "can be heard, after redundancy has repaired what it could.",
    ),
    _row(
        "voice_sfu_connect_seconds",
        "histogram",
        "vantage phase",
        "Phases of a connection: signal, to the server's answer to a join; ice, until media can "
        "flow; media, publishing to the first sound at another participant.",
        buckets=_CONNECT_BUCKETS,
    ),
    _row(
        "voice_sfu_transport_used",
        "gauge",
        "vantage transport",
        "1 for the way that the media of the last baseline took: udp, tcp or turn.",
    ),
    _row(
        "voice_sfu_transport_up",
        "gauge",
        "vantage transport",
        "1 for each way to the SFU that works from here when it is tried on purpose, 0 for one "
        "that does not (udp tcp turn). Absent when the last round failed.",
    ),
    _row(
        "voice_sfu_certificate_expiry_timestamp_seconds",
        "gauge",
        "vantage",
        "When the first of the TLS certificates of the server and its TURN servers ends, Unix "
        "time. Absent without TLS.",
    ),
    _row(
        "voice_sfu_clock_skew_seconds",
        "gauge",
        "vantage",
        "What the server's clock is ahead of this host's; 0 when they agree within a second.",
    ),
    _row(
        "voice_reconnect_seconds",
        "histogram",
        "vantage kind",
        "From the break of a connection of ours to the SDK's word that it is connected again, for "
        "those that came back. Kind, on purpose: signal, the WebSocket is lost; full, everything "
        "is built anew; migration, the server gives the participant up. Unprovoked: lost during a "
        "baseline, from the last packet of media before the silence.",
        buckets=_GAP_BUCKETS,
    ),
    _row(
        "voice_media_gap_seconds",
        "histogram",
        "vantage kind",
        "The longest time without a packet of media at the receiver, from the break until media "
        "flows again; a packet is 20 ms. Kind: signal full migration unprovoked.",
        buckets=_GAP_BUCKETS,
    ),
    _row(
        "voice_reconnect_failures_total",
        "counter",
        "vantage kind reason",
        "Connections of ours that were lost, on purpose or unprovoked, and did not come back: "
        "connect_failed, not connected again; no_audio_track, connected, but silent; room_closed, "
        "the SDK gave up; api_failed, could not be broken.",
    ),
    _row(
        "voice_sfu_connection_quality",
        "gauge",
        "vantage client quality",
        "1 for what LiveKit itself says of each client's connection: excellent good poor lost.",
    ),
)
