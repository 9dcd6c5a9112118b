"""What becomes of a ramp: a listener beside the recorder."""

from exporter.metrics.table.ramp import RAMP
from exporter.metrics.vantage import VantageRecorder
from exporter.outcome import Outcome
from exporter.probes.ramp.judge import JudgedTier, KneeKind
from exporter.probes.ramp.spec import RampConfig, judged_tiers, ramp_knee


class RampRecorder(VantageRecorder[RampConfig]):
    """Records ramps; its gauges are absent until there was one."""

    probe = "ramp"
    series = tuple(row.name for row in RAMP)

    def _show(self, outcome: Outcome) -> None:
        self._forget(self.series)
        tiers = judged_tiers(self._config, outcome)
        if tiers:
            self._record(tiers)
            knee = ramp_knee(self._config, outcome)
            limited = knee.kind is KneeKind.LIMITED
            self._metrics.set("voice_ramp_limited", limited, self._vantage)
            if knee.clients is not None:
                self._metrics.set("voice_knee_clients", knee.clients, self._vantage)

    def _record(self, tiers: tuple[JudgedTier, ...]) -> None:
        metrics, vantage = self._metrics, self._vantage
        good = [tier.clients for tier in tiers if tier.held and not tier.limited]
        metrics.set("voice_ramp_clients_max", max(good, default=0), vantage)
        for tier in tiers:
            tail_s, loss = tier.summary.rtt_tail_s, tier.summary.loss_ratio
            if tail_s is not None:
                metrics.set("voice_ramp_rtt_ms", tail_s * 1000, vantage, str(tier.clients))
            if loss is not None:
                metrics.set("voice_ramp_packet_loss_ratio", loss, vantage, str(tier.clients))
