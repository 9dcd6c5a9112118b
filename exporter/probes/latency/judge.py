"""The judgement of a call, and its one-line summary."""

from statistics import fmean
from typing import TYPE_CHECKING

from exporter.outcome import (
    CallResult,
    Cause,
    ExpectationOutcome,
    Finding,
    Outcome,
    Turn,
    TurnOutcome,
    Verdict,
    failure,
    understood,
)
from exporter.probes.latency.endurance import judge_endurance
from exporter.probes.latency.scenarios.judge import judge_turn_taking, turn_taking_text
from exporter.probes.latency.sound import judge_sound
from exporter.stats import Stats

if TYPE_CHECKING:
    from exporter.probes.latency.spec import LatencyConfig


def judge(config: "LatencyConfig", outcome: Outcome) -> tuple[Finding, ...]:
    """Judge one call by its target's thresholds.

    FAIL when the call or a measured turn failed, or the average is above `fail_ms`; SLOW when the
    average is above `target_ms`, the word error rate above `max_wer`, a threshold of `sound` is
    passed, the caller heard several agents of the name at once, or an agent in a scenario does not
    take turns (`judge_turn_taking`); UNKNOWN when nothing could be
    measured, every turn is void, or it cannot be told whether a step of the script came out as
    expected.
    """
    if outcome.reason is not None:
        return failure(outcome)
    call = outcome.result if isinstance(outcome.result, CallResult) else None
    turns, agents = (call.turns, call.agents) if call else ((), 1)
    found = _judge_words(config, turns)
    if call is None or not call.needs_no_latency or Stats.of(turns).n:
        found = (*_judge_turns(config, turns), *found)
    if call is not None and (void := call.expected(ExpectationOutcome.VOID)):
        found = (*found, Finding(Verdict.UNKNOWN, "; ".join(map(str, void))))
    if agents > 1:
        text = f"the caller hears {agents} agents of this name at once: dispatched twice?"
        found = (*found, Finding(Verdict.SLOW, text))
    if call is None:
        return found
    if config.endurance is not None:
        found = (*found, *judge_endurance(config.endurance, turns))
    does = () if config.does is None else judge_turn_taking(config.does, call)
    return (*found, *does, *judge_sound(config.sound, call))


def _judge_turns(config: "LatencyConfig", turns: tuple[Turn, ...]) -> tuple[Finding, ...]:
    if failed := next((turn for turn in turns if _counts_as_failed(turn)), None):
        return (Finding(Verdict.FAIL, f"{failed.reason}: {failed.detail}"),)
    average_s = Stats.of(turns).avg_s
    if average_s is None:
        return (Finding(Verdict.UNKNOWN, "no turn was measured"),)
    if config.fail_ms is not None and average_s * 1000 > config.fail_ms:
        return (_slow(Verdict.FAIL, average_s, config.fail_ms),)
    if average_s * 1000 > config.target_ms:
        return (_slow(Verdict.SLOW, average_s, config.target_ms),)
    return ()


def _judge_words(config: "LatencyConfig", turns: tuple[Turn, ...]) -> tuple[Finding, ...]:
    heard = understood(turns)
    if config.max_wer is None or heard is None or heard.wer <= config.max_wer:
        return ()
    text = f"{heard.wer:.0%} of the words are wrong in the agent's transcript"
    return (Finding(Verdict.SLOW, f"{text}, above {config.max_wer:.0%}", Cause.WORDS),)


def _counts_as_failed(turn: Turn) -> bool:
    return turn.outcome is TurnOutcome.FAILED and not turn.warmup


def _slow(verdict: Verdict, average_s: float, limit_ms: float) -> Finding:
    text = f"{average_s:.2f} s on average is above {limit_ms / 1000:g} s"
    return Finding(verdict, text, Cause.LATENCY)


def summary(result: CallResult) -> str:
    """Say what the measured turns took, how much was understood, and what came as expected."""
    stats = Stats.of(result.turns)
    met = len(result.expected(ExpectationOutcome.MET))
    dialogue = f"{met} of {len(result.expectations)} expectations met"
    taken = turn_taking_text(result)
    if stats.avg_s is None or stats.max_s is None:
        return taken or (dialogue if result.expectations else "nothing measured")
    begun = [
        turn.e2e_s
        for turn in result.turns
        if turn.time_to_answer_s is not None and turn.e2e_s is not None and not turn.warmup
    ]
    said = f", fillers {fmean(begun):.3f} s in {len(begun)} of them" if begun else ""
    if heard := understood(result.turns):
        said += f", {heard.hit} of {heard.words} words understood"
    if result.expectations:
        said += f", {dialogue}"
    if taken:
        said += f", {taken}"
    return f"average {stats.avg_s:.3f} s, max {stats.max_s:.3f} s, n = {stats.n}{said}"
