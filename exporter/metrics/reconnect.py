"""What becomes of connections that were broken on purpose: a listener beside the recorder."""

from exporter.metrics.vantage import VantageRecorder
from exporter.outcome import Outcome, Reason, SfuReconnects, Verdict
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


class ReconnectRecorder(VantageRecorder[ReconnectConfig]):
    """Records how connections came back."""

    probe = "reconnect"
    series = (_RESUME, _GAP, _FAILURES)

    def _show(self, outcome: Outcome) -> None:
        found = outcome.result.reconnects if isinstance(outcome.result, SfuReconnects) else ()
        for each in found:
            labels = self._vantage, each.kind
            if each.reason is not None:
                self._metrics.add(_FAILURES, 1, *labels, each.reason)
                continue
            for name, seconds in ((_RESUME, each.resume_s), (_GAP, each.media_gap_s)):
                if seconds is not None:
                    self._metrics.observe(name, seconds, *labels)

    def _judge(self, outcome: Outcome) -> Verdict:
        return judge_reconnect(self._config, outcome)

    def _create(self) -> None:
        for kind in KINDS:
            self._metrics.create(_RESUME, self._vantage, kind)
            self._metrics.create(_GAP, self._vantage, kind)
            for reason in REASONS:
                self._metrics.create(_FAILURES, self._vantage, kind, reason)
