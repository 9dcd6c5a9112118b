"""What becomes of a round over the ways to the SFU: a listener beside the recorder."""

from exporter.metrics.vantage import VantageRecorder
from exporter.outcome import Outcome, SfuReach
from exporter.probes.reach.spec import ReachConfig

GAUGES = (
    "voice_sfu_transport_up",
    "voice_sfu_certificate_expiry_timestamp_seconds",
    "voice_sfu_clock_skew_seconds",
)


class ReachRecorder(VantageRecorder[ReachConfig]):
    """Records which ways are open."""

    probe = "reach"
    series = GAUGES

    def _show(self, outcome: Outcome) -> None:
        self._forget(GAUGES)  # a way that was open once may be shut now
        if isinstance(outcome.result, SfuReach):
            self._record(outcome.result)

    def _record(self, result: SfuReach) -> None:
        for each in result.transports:
            self._metrics.set("voice_sfu_transport_up", each.works, self._vantage, each.name)
        ends = [each.expires_at for each in result.certificates if each.expires_at is not None]
        if ends:
            first = min(ends).timestamp()
            name = "voice_sfu_certificate_expiry_timestamp_seconds"
            self._metrics.set(name, first, self._vantage)
        if result.clock_skew_s is not None:
            name = "voice_sfu_clock_skew_seconds"
            self._metrics.set(name, result.clock_skew_s, self._vantage)
