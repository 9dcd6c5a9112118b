"""One tier in figures: what is judged, shown, and sent to a coordinator."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from exporter.outcome import RampTier, Reason
from exporter.stats import mean, p95, quantile

LOST_AFTER_S = 2.0
"""A data message that did not arrive by then counts as one that took so long."""
QUALITY_REACHED_BY = 0.95
"""Share of the clients that have the connection quality of a tier, or a better one."""
WORST_FIRST = ("lost", "poor", "good", "excellent")


@dataclass(frozen=True, slots=True)
class Failures:
    """Clients that were not connected to the end of the tier, by the reason."""

    reason: Reason
    clients: int


@dataclass(frozen=True, slots=True)
class Prober:
    """What a tier cost the prober: the worst of its processes, and all of them together."""

    processes: int
    crashed: int
    """Clients whose process died."""
    cpu_cores: float
    cores: float
    """That there are."""
    lag_s: float
    send_wait_s: float | None
    sent_ratio: float
    void_ratio: float
    """Share of the data messages that the prober itself spoiled."""
    memory_bytes: int = 0
    """Resident, of all its processes together."""
    memory_free_ratio: float = 1.0
    """Share of its host's memory that was free."""


@dataclass(frozen=True, slots=True)
class TierSummary:
    """One tier of one vantage."""

    clients: int
    """Asked for."""
    connected: int
    """To the end of the tier."""
    failures: tuple[Failures, ...]
    rtt_p50_s: float | None
    """Round trips; None if every data message was void, or none was sent."""
    rtt_p95_s: float | None
    """None below 20 data messages."""
    rtt_max_s: float | None
    pings: int
    """Data messages that arrived or were lost."""
    pings_lost: int
    packets: int
    """Audio packets sent to clients."""
    packets_lost: int
    """Those that did not come: uplink, SFU and downlink together."""
    quality: str
    """The connection quality that 95 % of the clients reach; "" if LiveKit reported none."""
    prober: Prober
    sent_kbps: float | None = None
    """Kilobits of audio a second that a client sent, on average, with the headers of RTP."""
    received_kbps: float | None = None
    """The same of what came to a client."""

    @property
    def rtt_tail_s(self) -> float | None:
        """The 95th percentile, or the largest where there are too few for one."""
        return self.rtt_max_s if self.rtt_p95_s is None else self.rtt_p95_s

    @property
    def loss_ratio(self) -> float | None:
        """Share of the audio that was lost; None if none was sent."""
        return self.packets_lost / self.packets if self.packets else None

    @property
    def failed(self) -> int:
        """Clients that were not connected to the end."""
        return self.clients - self.connected

    @classmethod
    def of(cls, tier: RampTier) -> Self:
        """Put a tier in figures."""
        members = tier.members
        lost = sum(each.lost for each in members)
        times = sorted(each for member in members for each in member.round_trips_s)
        times += [LOST_AFTER_S] * lost
        media = [each.media for each in members if each.media]
        reasons = Counter(each.reason for each in members if each.reason)
        return cls(
            clients=tier.clients,
            connected=sum(each.reason is None for each in members),
            failures=tuple(Failures(reason, reasons[reason]) for reason in sorted(reasons)),
            rtt_p50_s=quantile(times, 0.5) if times else None,
            rtt_p95_s=p95(times),
            rtt_max_s=times[-1] if times else None,
            pings=len(times),
            pings_lost=lost,
            packets=sum(each.packets for each in media),
            packets_lost=sum(each.lost for each in media),
            quality=quality_reached(each.quality for each in members),
            prober=_prober(tier, len(times), reasons[Reason.PROBE_CRASHED]),
            sent_kbps=mean(each.sent_kbps for each in members),
            received_kbps=mean(each.received_kbps for each in members),
        )


def quality_reached(words: Iterable[str]) -> str:
    """Return the word that 95 % of those have, or a better one, who have any."""
    known: Sequence[int] = sorted(WORST_FIRST.index(word) for word in words if word in WORST_FIRST)
    if not known:
        return ""
    return WORST_FIRST[known[int(len(known) * (1 - QUALITY_REACHED_BY))]]


def _prober(tier: RampTier, pings: int, crashed: int) -> Prober:
    voids = sum(each.voids for each in tier.members)
    waits = [each.send_wait_s for each in tier.load if each.send_wait_s is not None]
    return Prober(
        processes=len(tier.load),
        crashed=crashed,
        cpu_cores=sum(each.cpu_cores for each in tier.load),
        cores=tier.cores,
        lag_s=max((each.lag_s for each in tier.load), default=0.0),
        send_wait_s=max(waits, default=None),
        sent_ratio=min((each.sent_ratio for each in tier.load), default=1.0),
        void_ratio=voids / (voids + pings) if voids else 0.0,
        memory_bytes=sum(each.memory_bytes for each in tier.load),
        memory_free_ratio=tier.memory_free_ratio,
    )
