"""What becomes of a baseline of the SFU: a listener beside the recorder."""

import statistics
from collections.abc import Iterator

from exporter.metrics.reconnect_series import ReconnectSeries
from exporter.metrics.registry import Metrics
from exporter.metrics.vantage import VantageRecorder
from exporter.outcome import UNPROVOKED, Loss, Outcome, Reason, SfuBaseline
from exporter.probes.sfu.spec import SfuConfig

DIRECTIONS = ("up", "down")
METHODS = ("data", "ice")
PHASES = ("signal", "ice", "media")
PINGS = ("answered", "lost", "void")
QUALITIES = ("excellent", "good", "poor", "lost")
TRANSPORTS = ("udp", "tcp", "turn")
NOT_BACK = (Reason.CONNECT_FAILED, Reason.NO_AUDIO_TRACK, Reason.ROOM_CLOSED)
"""Why a connection that was lost during a baseline may not have come back."""
LAST_BASELINE = (
    "voice_sfu_rtt_ms",
    "voice_sfu_floor_seconds",
    "voice_sfu_jitter_seconds",
    "voice_sfu_packet_loss_ratio",
    "voice_sfu_concealed_ratio",
    "voice_sfu_transport_used",
    "voice_sfu_connection_quality",
)
"""Gauges that tell of the last baseline; where that measured nothing, they are absent."""
FOR_GOOD = (
    "voice_sfu_rtt_seconds",
    "voice_sfu_connect_seconds",
    "voice_sfu_packets_total",
    "voice_sfu_packets_lost_total",
    "voice_sfu_pings_total",
    "voice_sfu_target_rtt_ms",
    "voice_sfu_target_packet_loss_ratio",
    "voice_sfu_target_jitter_seconds",
)
"""Series that are there as long as the vantage is."""


class SfuRecorder(VantageRecorder[SfuConfig]):
    """Records baselines."""

    probe = "sfu"
    series = (*LAST_BASELINE, *FOR_GOOD)

    def __init__(self, metrics: Metrics, config: SfuConfig, vantage: str) -> None:
        """Create the series of the probe; for the arguments see `VantageRecorder`."""
        self._reconnects = ReconnectSeries(metrics, (UNPROVOKED,), NOT_BACK)
        super().__init__(metrics, config, vantage)

    def _show(self, outcome: Outcome) -> None:
        self._forget(LAST_BASELINE)
        if isinstance(outcome.result, SfuBaseline):
            self._record(self._vantage, outcome.result)
            self._reconnects.record(self._vantage, outcome.result.reconnects)

    def _create(self) -> None:
        metrics, vantage = self._metrics, self._vantage
        for method in METHODS:
            metrics.create("voice_sfu_rtt_seconds", vantage, method)
        for phase in PHASES:
            metrics.create("voice_sfu_connect_seconds", vantage, phase)
        for direction in DIRECTIONS:
            metrics.create("voice_sfu_packets_total", vantage, direction)
            metrics.create("voice_sfu_packets_lost_total", vantage, direction)
        for outcome in PINGS:
            metrics.create("voice_sfu_pings_total", vantage, outcome)
        self._reconnects.create(vantage)
        config = self._config
        metrics.set("voice_sfu_target_rtt_ms", config.target_rtt_ms, vantage)
        metrics.set("voice_sfu_target_packet_loss_ratio", config.max_loss / 100, vantage)
        metrics.set("voice_sfu_target_jitter_seconds", config.target_jitter_ms / 1000, vantage)

    def _remove(self) -> None:
        super()._remove()
        self._reconnects.forget(self._vantage)

    def _record(self, vantage: str, result: SfuBaseline) -> None:
        metrics = self._metrics
        for name, value, *labels in _gauges(result):
            if value is not None:
                metrics.set(name, value, vantage, *labels)
        for method, values in (
            ("data", result.round_trips_s),
            ("ice", result.ice_round_trips_s),
        ):
            for seconds in values:
                metrics.observe("voice_sfu_rtt_seconds", seconds, vantage, method)
        connect = (result.connect.signal_s, result.connect.ice_s, result.connect.media_s)
        for phase, seconds in zip(PHASES, connect, strict=True):
            metrics.observe("voice_sfu_connect_seconds", seconds, vantage, phase)
        for direction, loss in (("up", result.loss_up), ("down", result.loss_down)):
            if loss is not None:
                metrics.add("voice_sfu_packets_total", loss.packets, vantage, direction)
                metrics.add("voice_sfu_packets_lost_total", loss.lost, vantage, direction)
        pings = (len(result.round_trips_s), result.lost, result.voids)
        for outcome, count in zip(PINGS, pings, strict=True):
            metrics.add("voice_sfu_pings_total", count, vantage, outcome)


def _gauges(result: SfuBaseline) -> Iterator[tuple[str, float | None, *tuple[str, ...]]]:
    """Yield name, value and further labels of each gauge; None where it is not known."""
    times = result.round_trips_s
    yield "voice_sfu_rtt_ms", statistics.median(times) * 1000 if times else None
    yield "voice_sfu_floor_seconds", result.floor_s
    yield "voice_sfu_jitter_seconds", result.jitter_up_s, "up"
    yield "voice_sfu_jitter_seconds", result.jitter_down_s, "down"
    yield "voice_sfu_packet_loss_ratio", _ratio(result.loss_up), "up"
    yield "voice_sfu_packet_loss_ratio", _ratio(result.loss_down), "down"
    yield "voice_sfu_concealed_ratio", result.concealed
    for client, told in result.quality:
        for quality in QUALITIES:
            yield "voice_sfu_connection_quality", told == quality, client, quality
    for transport in TRANSPORTS:
        yield "voice_sfu_transport_used", transport == result.transport, transport


def _ratio(loss: Loss | None) -> float | None:
    return None if loss is None else loss.ratio
