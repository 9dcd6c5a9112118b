"""Whether a tier held, whether the prober was the limit, and the last tier that held: the knee."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from exporter.outcome import Reason
from exporter.probes.ramp.summary import Prober, TierSummary


@dataclass(frozen=True, slots=True)
class Targets:
    """Thresholds; a tier that passes one is broken."""

    rtt_ms: float
    """The 95th percentile of the round trips, or the largest below 20 of them."""
    loss_pct: float
    """Of the audio, from client to client."""
    failed_pct: float
    """Clients that were not connected to the end."""


MAX_LAG_S = 0.020
MAX_SEND_WAIT_S = 0.050
MAX_CPU = 0.85
"""Share of the CPUs that the prober may use, all its processes together."""
MIN_MEMORY_FREE = 0.05
"""Share of the host's memory; with less it swaps, or ends processes."""
MIN_SENT = 0.95
"""Share of the audio packets due that must have been sent for the load to be what it claims."""
MAX_VOID = 0.5
_NOT_GOOD = ("lost", "poor")


@dataclass(frozen=True, slots=True)
class JudgedTier:
    """A tier, and what is to be said of it."""

    summary: TierSummary
    broken: tuple[str, ...]
    """Targets that it did not hold, in words; none: it held."""
    limits: tuple[str, ...]
    """What of the prober was at its limit, in words; none: the SFU was measured."""

    @property
    def clients(self) -> int:
        """Of this tier."""
        return self.summary.clients

    @property
    def held(self) -> bool:
        """Whether every target held."""
        return not self.broken

    @property
    def limited(self) -> bool:
        """Whether the prober was the limit, so that the tier says nothing about the SFU."""
        return bool(self.limits)


def judge_tier(summary: TierSummary, targets: Targets) -> JudgedTier:
    """Judge one tier."""
    return JudgedTier(summary, tuple(_broken(summary, targets)), tuple(_limits(summary)))


def _broken(summary: TierSummary, targets: Targets) -> Iterator[str]:
    tail_s, loss = summary.rtt_tail_s, summary.loss_ratio
    failed_pct = 100 * summary.failed / summary.clients
    if failed_pct > targets.failed_pct:
        why = ", ".join(f"{each.clients} {each.reason}" for each in summary.failures)
        yield f"{summary.failed} of {summary.clients} clients not connected at the end ({why})"
    if tail_s is None:
        yield "no round trip was measured"
    elif tail_s * 1000 > targets.rtt_ms:
        name = "largest" if summary.rtt_p95_s is None else "p95 of the"
        yield f"{name} round trip {tail_s * 1000:.1f} ms is above {targets.rtt_ms:g} ms"
    if loss is None:
        yield "no audio was sent"
    elif loss * 100 > targets.loss_pct:
        yield f"loss {loss * 100:.1f} % is above {targets.loss_pct:g} %"
    if summary.quality in _NOT_GOOD:
        yield f"LiveKit reports the connection quality {summary.quality}"


def _limits(summary: TierSummary) -> Iterator[str]:
    prober = summary.prober
    if prober.crashed:
        yield f"a process of the prober with {prober.crashed} clients died"
    for each in summary.failures:
        if each.reason.is_own_fault and each.reason is not Reason.PROBE_CRASHED:
            yield f"{each.clients} clients: {each.reason}"
    if not prober.processes:
        return
    yield from _limits_of_host(prober)
    if prober.lag_s > MAX_LAG_S:
        yield f"its event loop was {prober.lag_s * 1000:.0f} ms late (p99)"
    # A message also waits for those before it, which a slow way holds up for a round trip or less.
    patience_s = max(MAX_SEND_WAIT_S, summary.rtt_tail_s or 0.0)
    if prober.send_wait_s is not None and prober.send_wait_s > patience_s:
        yield f"its data messages waited {prober.send_wait_s * 1000:.0f} ms to be sent (p95)"
    if prober.sent_ratio < MIN_SENT:
        yield f"it sent only {prober.sent_ratio:.0%} of its audio in time"
    if prober.void_ratio > MAX_VOID:
        yield f"{prober.void_ratio:.0%} of its data messages were void"


def _limits_of_host(prober: Prober) -> Iterator[str]:
    if prober.cpu_cores > MAX_CPU * prober.cores:
        yield f"the prober used {prober.cpu_cores:.1f} of {prober.cores:g} CPUs"
    if prober.memory_free_ratio < MIN_MEMORY_FREE:
        yield f"its host had only {prober.memory_free_ratio:.0%} of its memory left"


class KneeKind(StrEnum):
    """What a ramp says of the knee; only one of them is a number."""

    FOUND = "found"
    """A tier held, and the next one did not."""
    BELOW_FIRST = "below_first"
    """Not even the first tier held."""
    NONE_WITHIN = "none_within"
    """Every tier held: the SFU carries more than was asked."""
    LIMITED = "limited"
    """The prober was the limit before a tier broke: the SFU may carry more."""
    UNKNOWN = "unknown"
    """The ramp ended before the knee was known."""


@dataclass(frozen=True, slots=True)
class Knee:
    """The answer."""

    kind: KneeKind
    clients: int | None = None
    """Only when it was found."""
    text: str = ""
    """For people."""


class Level(Protocol):
    """What is asked of a tier to find the knee."""

    @property
    def clients(self) -> int:
        """At one time."""

    @property
    def held(self) -> bool:
        """Whether every target held."""

    @property
    def limited(self) -> bool:
        """Whether the prober was the limit."""


def find_knee(tiers: Sequence[Level], *, complete: bool = True, unit: str = "clients") -> Knee:
    """Return the knee of a ramp.

    Args:
        tiers: From few clients to many. What comes after the first that broke says nothing more.
        complete: Whether the ramp came to the end that it had planned, or to a tier that broke.
        unit: The clients in words.
    """
    last_held: int | None = None
    for tier in tiers:
        if tier.limited:
            text = f"unknown: the prober was the limit at {tier.clients} {unit}"
            return Knee(KneeKind.LIMITED, text=text)
        if not tier.held:
            if last_held is None:
                return Knee(KneeKind.BELOW_FIRST, text=f"below {tier.clients} {unit}")
            return Knee(KneeKind.FOUND, last_held, f"~{last_held} {unit}")
        last_held = tier.clients
    if not complete or last_held is None:
        return Knee(KneeKind.UNKNOWN, text="unknown: the ramp was not completed")
    return Knee(KneeKind.NONE_WITHIN, text=f"none within the ramp: {last_held} {unit} held")


def is_last(tier: Level) -> bool:
    """Return whether a ramp ends with this tier: more load would do harm without a result."""
    return tier.limited or not tier.held
