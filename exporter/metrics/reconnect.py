"""What becomes of connections that were broken on purpose: a listener beside the recorder."""

from exporter.metrics.reconnect_series import ReconnectSeries
from exporter.metrics.registry import Metrics
from exporter.metrics.vantage import VantageRecorder
from exporter.outcome import Outcome, Reason, SfuReconnects
from exporter.probes.reconnect.spec import ReconnectConfig

KINDS = ("signal", "full", "migration")
REASONS = (
    Reason.API_FAILED,
    Reason.CONNECT_FAILED,
    Reason.NO_AUDIO_TRACK,
    Reason.ROOM_CLOSED,
)


class ReconnectRecorder(VantageRecorder[ReconnectConfig]):
    """Records how connections came back."""

    probe = "reconnect"

    def __init__(self, metrics: Metrics, config: ReconnectConfig, vantage: str) -> None:
        """Create the series of the probe; for the arguments see `VantageRecorder`."""
        self._reconnects = ReconnectSeries(metrics, KINDS, REASONS)
        super().__init__(metrics, config, vantage)

    def _show(self, outcome: Outcome) -> None:
        if isinstance(outcome.result, SfuReconnects):
            self._reconnects.record(self._vantage, outcome.result.reconnects)

    def _create(self) -> None:
        self._reconnects.create(self._vantage)

    def _remove(self) -> None:
        self._reconnects.forget(self._vantage)
