"""Whether a tier of calls held, whether the prober was the limit, and what one call costs."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import linear_regression
from typing import Self

from exporter.outcome import LoadTier, Reason, WorkerUse
from exporter.probes.ramp.judge import MAX_CPU, MAX_LAG_S, MIN_MEMORY_FREE
from exporter.stats import p95, quantile

MAX_VOID = 0.25
"""Share of the turns that the prober may spoil."""
_FEWEST_TIERS = 2
"""Of which a slope is made."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Thresholds; a tier that passes one is broken."""

    target_ms: float
    """The 95th percentile of the latency, or the largest below 20 turns."""
    max_yield_ms: float | None
    """The same of the time to yield; None: interruptions are not made."""
    failed_pct: float
    """Turns and calls that failed."""


@dataclass(frozen=True, slots=True)
class Spread:
    """Percentiles of times in seconds; `None` where n allows no value."""

    n: int
    p50_s: float | None = None
    p95_s: float | None = None
    """None below 20 values."""
    max_s: float | None = None

    @property
    def tail_s(self) -> float | None:
        """The 95th percentile, or the largest where there are too few for one."""
        return self.max_s if self.p95_s is None else self.p95_s

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """Compute it."""
        if not seconds:
            return cls(0)
        values = sorted(seconds)
        return cls(len(values), quantile(values, 0.5), p95(values), values[-1])


@dataclass(frozen=True, slots=True)
class JudgedTier:
    """A tier in figures, and what is to be said of it."""

    clients: int
    """Calls at one time."""
    e2e: Spread
    time_to_agent: Spread
    time_to_yield: Spread
    talked_on: int
    """Interruptions to which the agent did not yield."""
    failures: tuple[tuple[Reason, int], ...]
    """Turns and calls that failed, by reason; not those that the prober spoiled."""
    voids: int
    lag_s: float
    """Of the latest process of the prober, 99th percentile."""
    cpu_cores: float
    """Of all processes of the prober."""
    worker: WorkerUse | None
    broken: tuple[str, ...]
    """Targets that it did not hold, in words; none: it held."""
    limits: tuple[str, ...]
    """What of the prober was at its limit, in words; none: the agent was measured."""

    @property
    def held(self) -> bool:
        """Whether every target held."""
        return not self.broken

    @property
    def limited(self) -> bool:
        """Whether the prober was the limit, so that the tier says nothing about the agent."""
        return bool(self.limits)


def judge_tier(tier: LoadTier, targets: Targets) -> JudgedTier:
    """Put one tier in figures and judge it."""
    members = tier.members
    e2e = Spread.of([each for member in members for each in member.e2e_s])
    to_yield = Spread.of([each for member in members for each in member.yields_s])
    reasons = Counter(reason for member in members for reason in member.failures)
    failures = tuple((r, reasons[r]) for r in sorted(reasons) if not r.is_own_fault)
    talked_on = sum(member.talked_on for member in members)
    return JudgedTier(
        clients=tier.calls,
        e2e=e2e,
        time_to_agent=Spread.of(
            [each.time_to_agent_s for each in members if each.time_to_agent_s is not None]
        ),
        time_to_yield=to_yield,
        talked_on=talked_on,
        failures=failures,
        voids=sum(member.voids for member in members),
        lag_s=max((each.lag_s for each in tier.load), default=0.0),
        cpu_cores=sum(each.cpu_cores for each in tier.load),
        worker=tier.worker,
        broken=(
            *_slow(e2e, targets),
            *_failed(e2e.n, failures, targets),
            *_yields(to_yield, talked_on, targets),
        ),
        limits=tuple(_limits(tier, e2e.n, reasons)),
    )


def _slow(e2e: Spread, targets: Targets) -> Iterator[str]:
    if e2e.tail_s is None:
        yield "no turn was measured"
    elif e2e.tail_s * 1000 > targets.target_ms:
        yield f"{_tail(e2e)} latency {e2e.tail_s * 1000:.0f} ms is above {targets.target_ms:g} ms"


def _failed(
    measured: int, failures: tuple[tuple[Reason, int], ...], targets: Targets
) -> Iterator[str]:
    failed = sum(count for _, count in failures)
    if failed and 100 * failed > targets.failed_pct * (failed + measured):
        why = ", ".join(f"{count} {reason}" for reason, count in failures)
        yield f"{failed} of {failed + measured} turns and calls failed ({why})"


def _yields(to_yield: Spread, talked_on: int, targets: Targets) -> Iterator[str]:
    limit = targets.max_yield_ms
    if limit is None:
        return
    if talked_on:
        yield f"the agent did not yield to {talked_on} interruptions"
    if to_yield.tail_s is not None and to_yield.tail_s * 1000 > limit:
        took_ms = to_yield.tail_s * 1000
        yield f"{_tail(to_yield)} time to yield {took_ms:.0f} ms is above {limit:g} ms"


def _tail(spread: Spread) -> str:
    return "largest" if spread.p95_s is None else "p95 of the"


def _limits(tier: LoadTier, measured: int, reasons: Counter[Reason]) -> Iterator[str]:
    for reason in sorted(each for each in reasons if each.is_own_fault):
        yield f"{reasons[reason]} calls: {reason}"
    voids = sum(member.voids for member in tier.members)
    if voids > MAX_VOID * (voids + measured):
        yield f"{voids} of {voids + measured} turns were void"
    lag_s = max((each.lag_s for each in tier.load), default=0.0)
    if lag_s > MAX_LAG_S:
        yield f"its event loop was {lag_s * 1000:.0f} ms late (p99)"
    spent = sum(each.cpu_cores for each in tier.load)
    if spent > MAX_CPU * tier.cores:
        yield f"the prober used {spent:.1f} of {tier.cores:g} CPUs"
    if tier.memory_free_ratio < MIN_MEMORY_FREE:
        yield f"its host had only {tier.memory_free_ratio:.0%} of its memory left"


@dataclass(frozen=True, slots=True)
class PerCall:
    """What one more call takes of the agent's workers: slopes over the tiers."""

    n: int
    """Tiers in which the workers reported."""
    memory_bytes: float | None = None
    cpu_cores: float | None = None

    @classmethod
    def of(cls, tiers: Sequence[LoadTier]) -> Self:
        """Compute it; a slope needs two different numbers of jobs."""
        known = [tier.worker for tier in tiers if tier.worker is not None]
        memory = [(use.jobs, use.memory_bytes) for use in known]
        cpu = [(use.jobs, use.cpu_cores) for use in known if use.cpu_cores is not None]
        return cls(len(known), _slope(memory), _slope(cpu))


def _slope(points: Sequence[tuple[float, float]]) -> float | None:
    if len({jobs for jobs, _ in points}) < _FEWEST_TIERS:
        return None
    jobs, values = zip(*points, strict=True)
    return linear_regression(jobs, values).slope
