"""The judgement of what a scenario found; light, as the judge of the probe is."""

from collections import Counter
from collections.abc import Iterator
from statistics import fmean

from exporter.outcome import (
    AnswerOutcome,
    BackchannelOutcome,
    CallResult,
    Cause,
    Finding,
    InterruptionOutcome,
    PauseOutcome,
    Verdict,
)
from exporter.probes.latency.scenarios.config import ScenarioConfig

_DECIDED = frozenset(
    {InterruptionOutcome.YIELDED, InterruptionOutcome.TALKED_ON, InterruptionOutcome.RESUMED}
)


def turn_taking_text(call: CallResult) -> str:
    """Say what came of a scenario, such as `interruptions: 2 yielded, 1 talked_on`; or ""."""
    for what, found in (
        ("interruptions", call.interruptions),
        ("short sounds", call.backchannels),
        ("pauses", call.pauses),
    ):
        if found:
            counts = Counter(str(each.outcome) for each in found).most_common()
            return f"{what}: {', '.join(f'{count} {outcome}' for outcome, count in counts)}"
    return "; ".join(map(str, call.reconnects))


def judge_turn_taking(scenario: ScenarioConfig, call: CallResult) -> Iterator[Finding]:
    """Yield what keeps a scenario from PASS.

    SLOW where the agent did not yield, did not answer, stopped or cut in, or where the average
    time to yield is above the target; FAIL where a broken connection did not come back; UNKNOWN
    where nothing of the kind could be told.
    """
    if scenario.kind == "barge_in":
        yield from _interruptions(scenario, call)
    elif scenario.speaks_into:
        found = [each.outcome for each in call.backchannels]
        stopped = found.count(BackchannelOutcome.STOPPED)
        if not set(found) - {BackchannelOutcome.VOID}:
            yield _unknown(f"no {scenario.kind}", [each.detail for each in call.backchannels])
        elif stopped:
            yield _slow(f"the agent stopped at {stopped} of {len(found)} short sounds")
    elif scenario.kind == "pause":
        waits = [each.outcome for each in call.pauses]
        cut_in = waits.count(PauseOutcome.CUT_IN)
        if not set(waits) - {PauseOutcome.VOID}:
            yield _unknown("no pause", [each.detail for each in call.pauses])
        elif cut_in:
            yield _slow(f"the agent cut in at {cut_in} of {len(waits)} pauses")
    elif scenario.kind == "reconnect":
        yield from _reconnects(call)


def _reconnects(call: CallResult) -> Iterator[Finding]:
    if not call.reconnects:
        yield _unknown("no broken connection", [])
    for each in call.reconnects:
        if each.recovered is None:
            yield Finding(
                Verdict.UNKNOWN, f"{each}; no later turn shows whether the agent still answers"
            )
        elif not each.recovered:
            yield Finding(Verdict.FAIL, str(each))


def _interruptions(scenario: ScenarioConfig, call: CallResult) -> Iterator[Finding]:
    decided = [each for each in call.interruptions if each.outcome in _DECIDED]
    if not decided:
        yield _unknown("no interruption", [each.detail for each in call.interruptions])
        return
    for outcome, words in (
        (InterruptionOutcome.TALKED_ON, "talked on at"),
        (InterruptionOutcome.RESUMED, "stopped and went on with the same reply at"),
    ):
        if count := [each.outcome for each in decided].count(outcome):
            yield _slow(f"the agent {words} {count} of {len(decided)} interruptions")
    yielded = [each for each in decided if each.outcome is InterruptionOutcome.YIELDED]
    unanswered = [each.answer for each in yielded].count(AnswerOutcome.UNANSWERED)
    if unanswered:
        yield _slow(f"{unanswered} of {len(yielded)} interruptions were not answered")
    times = [each.yield_s for each in yielded if each.yield_s is not None]
    target_s = scenario.yield_target_s
    if times and fmean(times) > target_s:
        yield _slow(f"{fmean(times):.2f} s to yield on average is above {target_s:g} s")


def _slow(text: str) -> Finding:
    return Finding(Verdict.SLOW, text, Cause.TURN_TAKING)


def _unknown(what: str, details: list[str]) -> Finding:
    why = next((each for each in details if each), "")
    return Finding(
        Verdict.UNKNOWN, f"{what} was measured: {why}" if why else f"{what} was measured"
    )
