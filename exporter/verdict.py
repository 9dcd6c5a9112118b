"""Thresholds turn what a probe found into PASS, SLOW, FAIL or UNKNOWN."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from exporter.outcome import CallResult, Outcome, Reason, Turn, TurnOutcome, Verdict
from exporter.probes.latency import LatencyConfig

P95_NEEDS = 20
"""Samples below which a 95th percentile would only be the maximum under another name."""

_BEST_TO_WORST = (Verdict.PASS, Verdict.UNKNOWN, Verdict.SLOW, Verdict.FAIL)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of several verdicts; UNKNOWN when there are none, for nothing was judged."""
    return max(verdicts, key=_BEST_TO_WORST.index, default=Verdict.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Stats:
    """End-to-end latency over the measured turns, in seconds; `None` where n allows no value."""

    n: int
    """Turns that were answered and are not warm-up."""
    avg_s: float | None = None
    p50_s: float | None = None
    p95_s: float | None = None
    """Interpolated between the two nearest samples; None below 20 of them."""
    min_s: float | None = None
    max_s: float | None = None

    @classmethod
    def of(cls, turns: Iterable[Turn]) -> "Stats":
        """Compute the statistics of the turns that were answered and are not warm-up."""
        values = sorted(
            turn.e2e_s
            for turn in turns
            if turn.outcome is TurnOutcome.REPLIED and not turn.warmup and turn.e2e_s is not None
        )
        if not values:
            return cls(0)
        return cls(
            n=len(values),
            avg_s=math.fsum(values) / len(values),
            p50_s=_quantile(values, 0.5),
            p95_s=_quantile(values, 0.95) if len(values) >= P95_NEEDS else None,
            min_s=values[0],
            max_s=values[-1],
        )


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which a share of the samples lies, interpolated linearly."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def judge_call(config: LatencyConfig, outcome: Outcome) -> Verdict:
    """Judge one call by its target's thresholds.

    FAIL when the call or a measured turn failed, or the average is above `fail_ms`; SLOW when the
    average is above `target_ms`; UNKNOWN when nothing could be measured or every turn is void.
    """
    turns = outcome.result.turns if isinstance(outcome.result, CallResult) else ()
    if outcome.reason not in (None, Reason.VOID):
        return Verdict.FAIL
    if any(turn.outcome is TurnOutcome.FAILED and not turn.warmup for turn in turns):
        return Verdict.FAIL
    average_s = Stats.of(turns).avg_s
    if average_s is None:
        return Verdict.UNKNOWN
    if config.fail_ms is not None and average_s * 1000 > config.fail_ms:
        return Verdict.FAIL
    return Verdict.SLOW if average_s * 1000 > config.target_ms else Verdict.PASS


def judge_server(outcome: Outcome) -> Verdict:
    """Judge a run that has no agent: a listing or a calibration."""
    verdicts = {None: Verdict.PASS, Reason.VOID: Verdict.UNKNOWN}
    return verdicts.get(outcome.reason, Verdict.FAIL)
