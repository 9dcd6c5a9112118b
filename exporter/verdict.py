"""Thresholds turn what a probe found into PASS, SLOW, FAIL or UNKNOWN."""

import math
import statistics
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from exporter.outcome import (
    CallResult,
    Outcome,
    Ramp,
    Reason,
    Reconnect,
    SfuBaseline,
    SfuReconnects,
    Turn,
    TurnOutcome,
    Verdict,
)
from exporter.probes.latency import LatencyConfig
from exporter.probes.ramp import RampConfig
from exporter.probes.reconnect import ReconnectConfig
from exporter.probes.sfu import SfuConfig
from exporter.quantile import P95_NEEDS, quantile
from exporter.sfu.ramp.judge import JudgedTier, judge_tier
from exporter.sfu.ramp.knee import Knee, KneeKind, find_knee
from exporter.sfu.ramp.summary import TierSummary

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
            p50_s=quantile(values, 0.5),
            p95_s=quantile(values, 0.95) if len(values) >= P95_NEEDS else None,
            min_s=values[0],
            max_s=values[-1],
        )


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


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a judgement rests on, and the line that tells a person of it."""

    verdict: Verdict
    text: str


def judge_sfu(config: SfuConfig, outcome: Outcome) -> Verdict:
    """Judge a baseline: the worst of its findings; PASS where there are none."""
    findings = tuple(sfu_findings(config, outcome))
    return worst(each.verdict for each in findings) if findings else Verdict.PASS


def sfu_findings(config: SfuConfig, outcome: Outcome) -> Iterator[Finding]:
    """Yield what is not well about a baseline.

    FAIL when it could not be taken, a hard threshold is passed or a lost connection did not come
    back; SLOW when a target is passed, when a connection was lost and came back, which need not
    show as loss, or when media does not go by UDP, for calls work by TCP and TURN, but later;
    UNKNOWN when the prober spoiled it.
    """
    if outcome.reason is Reason.VOID:
        yield Finding(Verdict.UNKNOWN, outcome.detail)
    elif outcome.reason is not None:
        yield Finding(Verdict.FAIL, f"{outcome.reason}: {outcome.detail}")
    result = outcome.result
    if not isinstance(result, SfuBaseline):
        return
    if result.round_trips_s:
        rtt_ms = statistics.median(result.round_trips_s) * 1000
        yield from _above("round trip", rtt_ms, "ms", config.target_rtt_ms, config.fail_rtt_ms)
    for direction, loss in (("up", result.loss_up), ("down", result.loss_down)):
        if loss is not None:
            lost_pct = loss.ratio * 100
            yield from _above(f"loss {direction}", lost_pct, "%", config.max_loss, config.fail_loss)
    for direction, jitter_s in (("up", result.jitter_up_s), ("down", result.jitter_down_s)):
        if jitter_s is not None:
            what = f"jitter {direction}"
            yield from _above(what, jitter_s * 1000, "ms", config.target_jitter_ms, None)
    yield from map(_lost, result.reconnects)
    if result.transport not in ("udp", ""):
        yield Finding(Verdict.SLOW, _no_udp(result))


def judge_reconnect(config: ReconnectConfig, outcome: Outcome) -> Verdict:
    """Judge connections that were broken: FAIL if one did not come back, SLOW by the silence."""
    if outcome.reason is not None:
        return Verdict.UNKNOWN if outcome.reason is Reason.VOID else Verdict.FAIL
    found = outcome.result.reconnects if isinstance(outcome.result, SfuReconnects) else ()
    longest_s = max((each.media_gap_s or 0.0 for each in found), default=0.0)
    return Verdict.SLOW if longest_s > config.max_gap else Verdict.PASS


def _above(
    what: str, value: float, unit: str, soft: float, hard: float | None
) -> Iterator[Finding]:
    if hard is not None and value > hard:
        yield Finding(Verdict.FAIL, f"{what} {value:.1f} {unit} is above {hard:g} {unit}")
    elif value > soft:
        yield Finding(Verdict.SLOW, f"{what} {value:.1f} {unit} is above {soft:g} {unit}")


def _lost(found: Reconnect) -> Finding:
    """Say what came of a connection that was lost during a baseline."""
    verdict = Verdict.SLOW if found.reason is None else Verdict.FAIL
    return Finding(verdict, f"a connection was lost, {found.text}")


def _no_udp(result: SfuBaseline) -> str:
    """Say that UDP is blocked, and which ports to open."""
    how = "TCP" if result.transport == "tcp" else "TURN"
    if not result.udp_addresses:
        return f"media goes by {how}, for the server offers no UDP: set its rtc.udp_port"
    told = ", ".join(result.udp_addresses)
    return (
        f"UDP is blocked, media goes by {how}: open UDP to {told} "
        "(the server's rtc.udp_port, or all of its rtc.port_range)"
    )


def judged_tiers(config: RampConfig, outcome: Outcome) -> tuple[JudgedTier, ...]:
    """Judge each tier of a ramp."""
    found = outcome.result
    tiers = found.tiers if isinstance(found, Ramp) else ()
    return tuple(judge_tier(TierSummary.of(tier), config.targets) for tier in tiers)


def ramp_knee(config: RampConfig, outcome: Outcome) -> Knee:
    """Return the knee that a ramp found, or why it found none."""
    return find_knee(judged_tiers(config, outcome), complete=outcome.ok)


def judge_ramp(config: RampConfig, outcome: Outcome) -> Verdict:
    """Judge a ramp: the worst of its findings; PASS where there are none."""
    findings = tuple(ramp_findings(config, outcome))
    return worst(each.verdict for each in findings) if findings else Verdict.PASS


def ramp_findings(config: RampConfig, outcome: Outcome) -> Iterator[Finding]:
    """Yield what is not well about a ramp.

    A knee is what a ramp looks for and no fault. FAIL when it could not be made; SLOW when not
    even its first tier held; UNKNOWN when the prober was the limit in that one already.
    """
    if outcome.reason is not None:
        yield Finding(Verdict.FAIL, f"ramp: {outcome.reason}: {outcome.detail}")
    tiers = judged_tiers(config, outcome)
    kind = ramp_knee(config, outcome).kind
    if kind is KneeKind.BELOW_FIRST:
        for broken in tiers[0].broken:
            yield Finding(Verdict.SLOW, f"{tiers[0].clients} clients: {broken}")
    elif kind is KneeKind.LIMITED:
        for limit in tiers[0].limits:  # none where it was a later tier
            yield Finding(Verdict.UNKNOWN, f"{tiers[0].clients} clients: {limit}")


def judge_server(outcome: Outcome) -> Verdict:
    """Judge a run that has no agent: a listing or a calibration."""
    verdicts = {None: Verdict.PASS, Reason.VOID: Verdict.UNKNOWN}
    return verdicts.get(outcome.reason, Verdict.FAIL)
