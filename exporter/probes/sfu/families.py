"""What a baseline says on /metrics."""

import statistics
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from exporter.outcome import UNPROVOKED, Outcome, Reason, SfuBaseline
from exporter.probes.reconnect.families import of_breaks, readings_of_breaks
from exporter.series import Reading, family

if TYPE_CHECKING:
    from exporter.probes.sfu.spec import SfuConfig

_NETWORK_BUCKETS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1),
    *(0.15, 0.2, 0.3, 0.5, 0.75, 1, 2),
)
_CONNECT_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)
DIRECTIONS = ("up", "down")
QUALITIES = ("excellent", "good", "poor", "lost")
TRANSPORTS = ("udp", "tcp", "turn")
_NOT_BACK = (Reason.CONNECT_FAILED, Reason.NO_AUDIO_TRACK, Reason.ROOM_CLOSED)
"""Why a connection that was lost during a baseline may not have come back."""

_family = partial(family, "sfu")

RTT_MS = _family(
    "voice_sfu_rtt_ms",
    "gauge",
    "vantage",
    "Median round trip to the SFU in the last baseline, in milliseconds: a data message from one "
    "test participant to another on this host. Absent if the last baseline failed.",
)
RTT = _family(
    "voice_sfu_rtt_seconds",
    "histogram",
    "vantage method",
    "Round trips to the SFU by method: data, messages between two test participants; ice, "
    "connectivity checks, in whole milliseconds.",
    buckets=_NETWORK_BUCKETS,
    method=("data", "ice"),
)
TARGET_RTT = _family(
    "voice_sfu_target_rtt_ms",
    "gauge",
    "vantage",
    "Configured target of the median round trip, in milliseconds.",
)
TARGET_LOSS = _family(
    "voice_sfu_target_packet_loss_ratio",
    "gauge",
    "vantage",
    "Configured target of the packet loss, 0 to 1.",
)
TARGET_JITTER = _family(
    "voice_sfu_target_jitter_seconds",
    "gauge",
    "vantage",
    "Configured target of the jitter.",
)
FLOOR = _family(
    "voice_sfu_floor_seconds",
    "gauge",
    "vantage",
    "Part of a data round trip spent in the exporter's event loop and SDK, without the network. "
    "Subtracted from the round trips.",
)
PINGS = _family(
    "voice_sfu_pings_total",
    "counter",
    "vantage outcome",
    "Data messages sent, by outcome: answered, lost, or void (the prober was late).",
    outcome=("answered", "lost", "void"),
)
JITTER = _family(
    "voice_sfu_jitter_seconds",
    "gauge",
    "vantage direction",
    "RTP interarrival jitter: up as reported by the SFU, down as measured by the receiver, in "
    "whole milliseconds.",
)
LOSS = _family(
    "voice_sfu_packet_loss_ratio",
    "gauge",
    "vantage direction",
    "Share of RTP packets lost in the last baseline, 0 to 1: up as reported by the SFU, down as "
    "measured by the receiver without the loss of the way up.",
)
PACKETS = _family(
    "voice_sfu_packets_total",
    "counter",
    "vantage direction",
    "RTP packets used to measure loss: sent to the SFU (up) and sent by the SFU (down).",
    direction=DIRECTIONS,
)
PACKETS_LOST = _family(
    "voice_sfu_packets_lost_total",
    "counter",
    "vantage direction",
    "RTP packets lost. Divide its rate by the rate of voice_sfu_packets_total to get the loss "
    "over any period.",
    direction=DIRECTIONS,
)
CONCEALED = _family(
    "voice_sfu_concealed_ratio",
    "gauge",
    "vantage",
    "Share of received audio that was concealed in the last baseline, 0 to 1: the audible loss "
    "that redundancy did not repair.",
)
CONNECT = _family(
    "voice_sfu_connect_seconds",
    "histogram",
    "vantage phase",
    "Connection time by phase: signal, until the server answers the join; ice, until media can "
    "flow; media, from publishing a track to the first sound at another participant.",
    buckets=_CONNECT_BUCKETS,
    phase=("signal", "ice", "media"),
)
TRANSPORT = _family(
    "voice_sfu_transport_used",
    "gauge",
    "vantage transport",
    "1 for the transport used by media in the last baseline: udp, tcp or turn.",
)
QUALITY = _family(
    "voice_sfu_connection_quality",
    "gauge",
    "vantage client quality",
    "1 for the connection quality that LiveKit reports for each client: excellent good poor lost.",
)

FAMILIES = (
    *(RTT_MS, RTT, TARGET_RTT, TARGET_LOSS, TARGET_JITTER, FLOOR, PINGS, JITTER, LOSS),
    *(PACKETS, PACKETS_LOST, CONCEALED, CONNECT, TRANSPORT, QUALITY),
    *of_breaks((UNPROVOKED,), _NOT_BACK),
)


def configured(config: "SfuConfig") -> Iterable[Reading]:
    """Show what the verdict compares with."""
    yield TARGET_RTT.read(config.target_rtt_ms)
    yield TARGET_LOSS.read(config.max_loss / 100)
    yield TARGET_JITTER.read(config.target_jitter_ms / 1000)


def readings(_config: "SfuConfig", outcome: Outcome) -> Iterator[Reading]:
    """Show a baseline; what it did not measure is absent."""
    result = outcome.result
    if isinstance(result, SfuBaseline):
        yield from _of_media(result)
        yield from _of_messages(result)
        yield from _of_connections(result)
        yield from readings_of_breaks(result.reconnects)


def _of_media(result: SfuBaseline) -> Iterator[Reading]:
    for direction, jitter_s in zip(
        DIRECTIONS, (result.jitter_up_s, result.jitter_down_s), strict=True
    ):
        if jitter_s is not None:
            yield JITTER.read(jitter_s, direction=direction)
    for direction, loss in zip(DIRECTIONS, (result.loss_up, result.loss_down), strict=True):
        if loss is not None:
            yield LOSS.read(loss.ratio, direction=direction)
            yield PACKETS.read(loss.packets, direction=direction)
            yield PACKETS_LOST.read(loss.lost, direction=direction)
    if result.concealed is not None:
        yield CONCEALED.read(result.concealed)


def _of_messages(result: SfuBaseline) -> Iterator[Reading]:
    if result.round_trips_s:
        yield RTT_MS.read(statistics.median(result.round_trips_s) * 1000)
    if result.floor_s is not None:
        yield FLOOR.read(result.floor_s)
    for seconds in result.round_trips_s:
        yield RTT.read(seconds, method="data")
    for seconds in result.ice_round_trips_s:
        yield RTT.read(seconds, method="ice")
    yield PINGS.read(len(result.round_trips_s), outcome="answered")
    yield PINGS.read(result.lost, outcome="lost")
    yield PINGS.read(result.voids, outcome="void")


def _of_connections(result: SfuBaseline) -> Iterator[Reading]:
    yield CONNECT.read(result.connect.signal_s, phase="signal")
    yield CONNECT.read(result.connect.ice_s, phase="ice")
    yield CONNECT.read(result.connect.media_s, phase="media")
    for client, said in result.quality:
        for quality in QUALITIES:
            yield QUALITY.read(said == quality, client=client, quality=quality)
    for transport in TRANSPORTS:
        yield TRANSPORT.read(transport == result.transport, transport=transport)
