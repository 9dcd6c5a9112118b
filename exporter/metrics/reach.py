"""What becomes of a round over the ways to the SFU: a listener beside the recorder."""

from exporter.checklist import judge_reach
from exporter.metrics.probes import create_probe, remove_probe, set_verdict
from exporter.metrics.registry import Metrics
from exporter.outcome import Outcome, SfuReach
from exporter.probes.reach import ReachConfig

GAUGES = (
    "voice_sfu_transport_up",
    "voice_sfu_certificate_expiry_timestamp_seconds",
    "voice_sfu_clock_skew_seconds",
)


class ReachRecorder:
    """Records which ways are open. All methods belong to one thread."""

    def __init__(self, metrics: Metrics, config: ReachConfig, vantage: str) -> None:
        """Create the series of the probe.

        Args:
            metrics: What is written to.
            config: What is good enough.
            vantage: The label: from where it is tried.
        """
        self._metrics = metrics
        self._config = config
        self._vantage = vantage
        self._create()

    def reconfigure(self, config: ReachConfig, vantage: str) -> None:
        """Follow a new configuration; the series of another vantage go."""
        if vantage != self._vantage or not config.enabled:
            self._forget()
        self._config, self._vantage = config, vantage
        if not config.enabled:
            remove_probe(self._metrics, "reach")
        self._create()

    def record(self, outcome: Outcome) -> None:
        """Record a finished run: the listener. Runs of other probes are none of its business."""
        if outcome.probe != "reach" or not self._config.enabled:
            return
        self._forget()
        if isinstance(outcome.result, SfuReach):
            self._record(outcome.result)
        set_verdict(self._metrics, "reach", "", judge_reach(self._config, outcome))

    def _create(self) -> None:
        if self._config.enabled:
            create_probe(self._metrics, "reach")

    def _forget(self) -> None:
        """What is not known is absent: a way that was open once may be shut now."""
        for name in GAUGES:
            self._metrics.remove(name, vantage=self._vantage)

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
