"""What becomes of connections that were broken on purpose: a listener beside the recorder."""

from exporter.metrics.probes import create_probe, remove_probe, set_verdict
from exporter.metrics.registry import Metrics
from exporter.outcome import Outcome, Reason, SfuReconnects
from exporter.probes.reconnect import ReconnectConfig
from exporter.verdict import judge_reconnect

KINDS = ("signal", "full", "migration")
REASONS = (
    Reason.API_FAILED,
    Reason.CONNECT_FAILED,
    Reason.NO_AUDIO_TRACK,
    Reason.ROOM_CLOSED,
)
_RESUME, _GAP = "voice_reconnect_seconds", "voice_media_gap_seconds"
_FAILURES = "voice_reconnect_failures_total"


class ReconnectRecorder:
    """Records how connections came back. All methods belong to one thread."""

    def __init__(self, metrics: Metrics, config: ReconnectConfig, vantage: str) -> None:
        """Create the series of the probe.

        Args:
            metrics: What is written to.
            config: What is good enough.
            vantage: The label: from where it is measured.
        """
        self._metrics = metrics
        self._config = config
        self._vantage = vantage
        self._create()

    def reconfigure(self, config: ReconnectConfig, vantage: str) -> None:
        """Follow a new configuration; the series of another vantage go."""
        if vantage != self._vantage or not config.enabled:
            for name in (_RESUME, _GAP, _FAILURES):
                self._metrics.remove(name, vantage=self._vantage)
        self._config, self._vantage = config, vantage
        if not config.enabled:
            remove_probe(self._metrics, "reconnect")
        self._create()

    def record(self, outcome: Outcome) -> None:
        """Record a finished run: the listener. Runs of other probes are none of its business."""
        if outcome.probe != "reconnect" or not self._config.enabled:
            return
        found = outcome.result.reconnects if isinstance(outcome.result, SfuReconnects) else ()
        for each in found:
            labels = self._vantage, each.kind
            if each.reason is not None:
                self._metrics.add(_FAILURES, 1, *labels, each.reason)
                continue
            for name, seconds in ((_RESUME, each.resume_s), (_GAP, each.media_gap_s)):
                if seconds is not None:
                    self._metrics.observe(name, seconds, *labels)
        set_verdict(self._metrics, "reconnect", "", judge_reconnect(self._config, outcome))

    def _create(self) -> None:
        if not self._config.enabled:
            return
        create_probe(self._metrics, "reconnect")
        for kind in KINDS:
            self._metrics.create(_RESUME, self._vantage, kind)
            self._metrics.create(_GAP, self._vantage, kind)
            for reason in REASONS:
                self._metrics.create(_FAILURES, self._vantage, kind, reason)
