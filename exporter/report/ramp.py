"""What a ramp found, as a person's table and as a document."""

from dataclasses import dataclass
from typing import Self

from exporter.outcome import Finding, Outcome, Verdict
from exporter.probes.ramp.judge import JudgedTier, Knee
from exporter.probes.ramp.spec import RampConfig, judged_tiers, ramp_knee
from exporter.probes.ramp.summary import Prober
from exporter.report.round_trips import RoundTrips


@dataclass(frozen=True, slots=True)
class RampReport:
    """One ramp, with its judgement."""

    config: RampConfig
    outcome: Outcome

    @property
    def tiers(self) -> tuple[JudgedTier, ...]:
        """The tiers as far as it came."""
        return judged_tiers(self.config, self.outcome)

    @property
    def knee(self) -> Knee:
        """The knee, or why there is none."""
        return ramp_knee(self.config, self.outcome)

    @property
    def verdict(self) -> Verdict:
        """The judgement by the thresholds."""
        return self.outcome.verdict

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the judgement rests on, when it is not PASS."""
        return self.outcome.findings or ()


@dataclass(frozen=True, slots=True)
class RampItem:
    """One level of a ramp: of `ramp` in the document."""

    clients: int
    rtt_ms: RoundTrips
    loss_pct: float | None
    """Of the audio, from client to client."""
    quality: str
    limited: bool
    """The prober was the limit, not the SFU."""
    connected: int
    """Clients that were connected to the end."""
    broken: tuple[str, ...]
    """Targets that did not hold."""
    limits: tuple[str, ...]
    """What of the prober was at its limit."""

    @classmethod
    def of(cls, tier: JudgedTier) -> Self:
        """Describe one tier."""
        found = tier.summary
        times = (found.rtt_p50_s, found.rtt_p95_s, found.rtt_max_s)
        p50, p95, most = (None if each is None else each * 1000 for each in times)
        return cls(
            clients=tier.clients,
            rtt_ms=RoundTrips(p50, p95, most, found.pings),
            loss_pct=None if found.loss_ratio is None else found.loss_ratio * 100,
            quality=found.quality,
            limited=tier.limited,
            connected=found.connected,
            broken=tier.broken,
            limits=tier.limits,
        )


@dataclass(frozen=True, slots=True)
class ProberCost:
    """What the largest tier cost the prober."""

    cpu_per_client: float
    """Share of one CPU."""
    processes: int
    cores: float
    carries: int
    """Clients that would take all CPUs, at this cost of each."""

    @classmethod
    def of(cls, clients: int, prober: Prober) -> Self | None:
        """Compute it; None if nothing is known."""
        if not clients or prober.cpu_cores <= 0:
            return None
        each = prober.cpu_cores / clients
        return cls(each, prober.processes, prober.cores, int(prober.cores / each))
