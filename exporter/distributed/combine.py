"""The tiers of several vantages as one: the SFU sees the sum, and the worst that any of them saw.

No percentile of all round trips: a far vantage would vanish among many near ones.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from exporter.probes.ramp.judge import JudgedTier, Knee, KneeKind, find_knee
from exporter.probes.ramp.summary import WORST_FIRST, Failures, Prober, TierSummary


@dataclass(frozen=True, slots=True)
class CombinedTier:
    """One tier of all vantages that came to its end."""

    tier: JudgedTier
    vantages: int


@dataclass(frozen=True, slots=True)
class VantageTier:
    """One tier as one vantage saw it."""

    vantage: str
    tier: JudgedTier


def combined(tiers: Sequence[VantageTier]) -> CombinedTier:
    """Return one tier of several vantages as one.

    Args:
        tiers: Of those who came to its end; at least one.
    """
    judged = [each.tier for each in tiers]
    summaries = [each.summary for each in judged]
    reasons = Counter[object]()
    for summary in summaries:
        reasons.update({each.reason: each.clients for each in summary.failures})
    worst_loss = max(summaries, key=lambda each: each.loss_ratio or 0.0)
    summary = TierSummary(
        clients=sum(each.clients for each in summaries),
        connected=sum(each.connected for each in summaries),
        failures=tuple(
            Failures(each.reason, reasons[each.reason])
            for each in {each.reason: each for one in summaries for each in one.failures}.values()
        ),
        rtt_p50_s=_largest(each.rtt_p50_s for each in summaries),
        rtt_p95_s=_largest(each.rtt_p95_s for each in summaries),
        rtt_max_s=_largest(each.rtt_max_s for each in summaries),
        pings=sum(each.pings for each in summaries),
        pings_lost=sum(each.pings_lost for each in summaries),
        packets=worst_loss.packets,
        packets_lost=worst_loss.packets_lost,
        quality=min(
            (each.quality for each in summaries if each.quality), key=WORST_FIRST.index, default=""
        ),
        prober=_prober([each.prober for each in summaries]),
        sent_kbps=_of_each_client(summaries, lambda each: each.sent_kbps),
        received_kbps=_of_each_client(summaries, lambda each: each.received_kbps),
    )
    judged_as_one = JudgedTier(
        summary,
        broken=tuple(f"{each.vantage}: {why}" for each in tiers for why in each.tier.broken),
        limits=tuple(f"{each.vantage}: {why}" for each in tiers for why in each.tier.limits),
    )
    return CombinedTier(judged_as_one, len(tiers))


def combined_knee(tiers: Sequence[CombinedTier], *, complete: bool) -> Knee:
    """Return the knee in clients of all vantages together.

    Args:
        tiers: In order of time. Their clients grow, unless a vantage was lost on the way: then
            there may be no answer.
        complete: Whether the ramp came to its end.
    """
    judged = [each.tier for each in tiers]
    if any(after.clients <= before.clients for before, after in pairwise(judged)):
        text = "unknown: the load stopped growing because vantages were lost"
        return Knee(KneeKind.UNKNOWN, text=text)
    return find_knee(judged, complete=complete)


def _largest(values: Iterable[float | None]) -> float | None:
    return max((each for each in values if each is not None), default=None)


def _of_each_client(
    summaries: Iterable[TierSummary], figure: Callable[[TierSummary], float | None]
) -> float | None:
    """Return the mean over all clients of those who have the figure."""
    known = [(each.connected, value) for each in summaries if (value := figure(each)) is not None]
    clients = sum(number for number, _ in known)
    return sum(number * value for number, value in known) / clients if clients else None


def _prober(probers: Sequence[Prober]) -> Prober:
    """Return the worst of each; sums of what adds up."""
    return Prober(
        processes=sum(each.processes for each in probers),
        crashed=sum(each.crashed for each in probers),
        cpu_cores=sum(each.cpu_cores for each in probers),
        cores=sum(each.cores for each in probers),
        lag_s=max(each.lag_s for each in probers),
        send_wait_s=_largest(each.send_wait_s for each in probers),
        sent_ratio=min(each.sent_ratio for each in probers),
        void_ratio=max(each.void_ratio for each in probers),
        memory_bytes=sum(each.memory_bytes for each in probers),
        memory_free_ratio=min(each.memory_free_ratio for each in probers),
    )
