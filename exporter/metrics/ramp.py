"""What becomes of a ramp: a listener beside the recorder."""

from exporter.metrics.probes import create_probe, remove_probe, set_verdict
from exporter.metrics.registry import Metrics
from exporter.metrics.table import TABLE
from exporter.outcome import Outcome
from exporter.probes.ramp import RampConfig
from exporter.sfu.ramp.judge import JudgedTier
from exporter.sfu.ramp.knee import KneeKind
from exporter.verdict import judge_ramp, judged_tiers, ramp_knee

_ROWS = tuple(row.name for row in TABLE if row.group == "ramp")


class RampRecorder:
    """Records ramps. All methods belong to one thread."""

    def __init__(self, metrics: Metrics, config: RampConfig) -> None:
        """Set up; the gauges of a ramp are absent until there was one.

        Args:
            metrics: What is written to.
            config: With its vantage.
        """
        self._metrics = metrics
        self._config = config
        self._create()

    def reconfigure(self, config: RampConfig) -> None:
        """Follow a new configuration; the series of another vantage go."""
        if config.vantage != self._config.vantage or not config.enabled:
            self._forget()
        self._config = config
        if not config.enabled:
            remove_probe(self._metrics, "ramp")
        self._create()

    def record(self, outcome: Outcome) -> None:
        """Record a finished run: the listener. Runs of other probes are none of its business."""
        if outcome.probe != "ramp" or not self._config.enabled:
            return
        self._forget()
        tiers = judged_tiers(self._config, outcome)
        if tiers:
            self._record(tiers)
            knee = ramp_knee(self._config, outcome)
            limited = knee.kind is KneeKind.LIMITED
            self._metrics.set("voice_ramp_limited", limited, self._config.vantage)
            if knee.clients is not None:
                self._metrics.set("voice_knee_clients", knee.clients, self._config.vantage)
        set_verdict(self._metrics, "ramp", "", judge_ramp(self._config, outcome))

    def _record(self, tiers: tuple[JudgedTier, ...]) -> None:
        metrics, vantage = self._metrics, self._config.vantage
        good = [tier.clients for tier in tiers if tier.held and not tier.limited]
        metrics.set("voice_ramp_clients_max", max(good, default=0), vantage)
        for tier in tiers:
            tail_s, loss = tier.summary.rtt_tail_s, tier.summary.loss_ratio
            if tail_s is not None:
                metrics.set("voice_ramp_rtt_ms", tail_s * 1000, vantage, str(tier.clients))
            if loss is not None:
                metrics.set("voice_ramp_packet_loss_ratio", loss, vantage, str(tier.clients))

    def _forget(self) -> None:
        for name in _ROWS:
            self._metrics.remove(name, vantage=self._config.vantage)

    def _create(self) -> None:
        if self._config.enabled:
            create_probe(self._metrics, "ramp")
