"""Judging: thresholds, failures, voids, and statistics that say their n."""

from dataclasses import replace
from typing import Any

import pytest

from exporter.outcome import (
    CallResult,
    Cause,
    Expectation,
    ExpectationOutcome,
    Finding,
    Interruption,
    InterruptionOutcome,
    Outcome,
    Reason,
    Verdict,
    failure,
    verdict_of,
    worst,
)
from exporter.probes.latency.judge import judge, summary
from exporter.probes.latency.spec import LatencyConfig
from exporter.stats import Stats

from .calls import WHEN, broken, call, failed, heard, replied, void

CONFIG = LatencyConfig(agent_name="demo", target_ms=1500, fail_ms=3000)
SOFT = LatencyConfig(agent_name="demo", target_ms=1500)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([], Verdict.UNKNOWN),
        ([Verdict.PASS], Verdict.PASS),
        ([Verdict.PASS, Verdict.UNKNOWN], Verdict.UNKNOWN),
        ([Verdict.SLOW, Verdict.UNKNOWN, Verdict.PASS], Verdict.SLOW),
        ([Verdict.SLOW, Verdict.FAIL, Verdict.UNKNOWN], Verdict.FAIL),
    ],
)
def test_worst_wins(verdicts: list[Verdict], expected: Verdict) -> None:
    """The worst verdict wins, UNKNOWN is worse than PASS, and nothing judged is UNKNOWN."""
    assert worst(verdicts) is expected


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        pytest.param(call(replied(9, warmup=True), replied(1.0)), Verdict.PASS, id="in time"),
        pytest.param(call(replied(1.5), replied(1.5)), Verdict.PASS, id="exactly at the target"),
        pytest.param(call(replied(1.0), replied(2.1)), Verdict.SLOW, id="average above target"),
        pytest.param(call(replied(3.0)), Verdict.SLOW, id="exactly at fail_ms"),
        pytest.param(call(replied(0.9, answer_s=2.9)), Verdict.SLOW, id="a filler in time"),
        pytest.param(call(replied(0.9, answer_s=5.0)), Verdict.FAIL, id="an answer far too late"),
        pytest.param(call(replied(3.1)), Verdict.FAIL, id="average above fail_ms"),
        pytest.param(call(replied(1.0), failed()), Verdict.FAIL, id="a measured turn failed"),
        pytest.param(call(failed(warmup=True), replied(1.0)), Verdict.PASS, id="warm-up failed"),
        pytest.param(call(replied(1.0), void()), Verdict.PASS, id="a void beside a good turn"),
        pytest.param(call(void(), void()), Verdict.UNKNOWN, id="all void"),
        pytest.param(call(void(), reason=Reason.VOID), Verdict.UNKNOWN, id="void call"),
        pytest.param(call(replied(1.0, warmup=True)), Verdict.UNKNOWN, id="warm-up only"),
        pytest.param(call(), Verdict.UNKNOWN, id="no turns"),
        pytest.param(
            call(replied(1.0), reason=Reason.AGENT_LEFT), Verdict.FAIL, id="call broke off"
        ),
        pytest.param(broken(Reason.NO_WORKER, "none"), Verdict.FAIL, id="no call at all"),
        pytest.param(broken(Reason.VOID, "late"), Verdict.UNKNOWN, id="void without turns"),
    ],
)
def test_judgement_of_a_call(outcome: Outcome, expected: Verdict) -> None:
    """Every way a call can end has its verdict."""
    assert verdict_of(judge(CONFIG, outcome)) is expected


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (call(replied(2.0)), "2.00 s on average is above 1.5 s"),
        (call(replied(3.1)), "3.10 s on average is above 3 s"),
        (call(replied(1.0), failed(detail="silence")), "no_reply: silence"),
        (call(), "no turn was measured"),
        (broken(Reason.NO_WORKER, "none is there"), "no_worker: none is there"),
    ],
)
def test_a_finding_says_why(outcome: Outcome, text: str) -> None:
    """Its text is what pages, reports and the status page show."""
    (found,) = judge(CONFIG, outcome)
    assert found.text == text


def test_a_run_without_a_result_and_without_a_reason_measured_nothing() -> None:
    """No call, so no agents that were heard at once."""
    nothing = Outcome("latency", "demo", WHEN, 0.1)
    assert judge(CONFIG, nothing) == (Finding(Verdict.UNKNOWN, "no turn was measured"),)


def result(**parts: Any) -> Outcome:
    """Return the outcome of a call with a good turn, and these parts."""
    outcome = call(replied(1.0))
    assert isinstance(outcome.result, CallResult)
    return replace(outcome, result=replace(outcome.result, **parts))


def test_two_agents_at_once_are_slow() -> None:
    """The caller hears both; one is as it should be."""
    text = "the caller hears 2 agents of this name at once: dispatched twice?"
    assert judge(CONFIG, result(agents=2)) == (Finding(Verdict.SLOW, text),)
    assert judge(CONFIG, result(agents=1)) == ()


def test_each_expectation_that_is_void_is_named() -> None:
    """What was met is not, and none of it makes the call good."""
    outcomes = ExpectationOutcome.VOID, ExpectationOutcome.MET, ExpectationOutcome.VOID
    found = tuple(Expectation(at, "tool", each, "why") for at, each in enumerate(outcomes, 1))
    text = "step 1: tool void: why; step 3: tool void: why"
    assert judge(CONFIG, result(expectations=found)) == (Finding(Verdict.UNKNOWN, text),)


HALF_WRONG = heard(6, substituted=3)


@pytest.mark.parametrize(
    ("max_wer", "outcome", "expected"),
    [
        pytest.param(0.25, call(replied(1.0, heard=heard(6))), Verdict.PASS, id="all understood"),
        pytest.param(0.25, call(replied(1.0, heard=HALF_WRONG)), Verdict.SLOW, id="half is wrong"),
        pytest.param(None, call(replied(1.0, heard=HALF_WRONG)), Verdict.PASS, id="no limit"),
        pytest.param(0.5, call(replied(1.0, heard=HALF_WRONG)), Verdict.PASS, id="at the limit"),
        pytest.param(
            0.3,
            call(replied(1.0, heard=HALF_WRONG), replied(1.0, heard=heard(6))),
            Verdict.PASS,
            id="a quarter of the words of both turns",
        ),
        pytest.param(
            0.25,
            call(replied(1.0, heard=HALF_WRONG, warmup=True), replied(1.0, heard=heard(6))),
            Verdict.PASS,
            id="warm-up",
        ),
        pytest.param(0.25, call(replied(1.0)), Verdict.PASS, id="no transcript"),
        pytest.param(
            0.25, call(replied(1.0, heard=HALF_WRONG), failed()), Verdict.FAIL, id="and no reply"
        ),
    ],
)
def test_a_call_that_is_misheard_is_slow(
    max_wer: float | None, outcome: Outcome, expected: Verdict
) -> None:
    """Above `max_wer`, over all words of the measured turns of the call."""
    config = CONFIG.model_copy(update={"max_wer": max_wer})
    assert verdict_of(judge(config, outcome)) is expected


def test_a_misheard_call_says_how_much_is_wrong() -> None:
    """The finding has the share and the limit, the summary the words."""
    outcome = call(replied(1.0, heard=HALF_WRONG))
    (found,) = judge(CONFIG.model_copy(update={"max_wer": 0.2}), outcome)
    text = "50% of the words are wrong in the agent's transcript, above 20%"
    assert found == Finding(Verdict.SLOW, text, Cause.WORDS)
    assert isinstance(outcome.result, CallResult)
    assert summary(outcome.result).endswith("n = 1, 3 of 6 words understood")


def test_the_summary_has_both_times_of_a_filler() -> None:
    """The status page shows it beside the verdict."""
    outcome = call(replied(1.0), replied(0.9, answer_s=5.0))
    assert isinstance(outcome.result, CallResult)
    said = "average 3.000 s, max 5.000 s, n = 2, fillers 0.900 s in 1 of them"
    assert summary(outcome.result) == said


def _expectations(*outcomes: ExpectationOutcome) -> tuple[Expectation, ...]:
    return tuple(Expectation(at, "tool", each) for at, each in enumerate(outcomes, 1))


DIALOGUE = _expectations(ExpectationOutcome.MET, ExpectationOutcome.MISSED, ExpectationOutcome.MET)
TAKEN = (Interruption(InterruptionOutcome.YIELDED, 0.4),) * 2


@pytest.mark.parametrize(
    ("found", "said"),
    [
        pytest.param(CallResult("a", "b", "c"), "nothing measured", id="nothing"),
        pytest.param(
            CallResult("a", "b", "c", expectations=DIALOGUE),
            "2 of 3 expectations met",
            id="a dialogue without a turn",
        ),
        pytest.param(
            CallResult("a", "b", "c", interruptions=TAKEN, expectations=DIALOGUE),
            "interruptions: 2 yielded",
            id="a scenario without a turn",
        ),
        pytest.param(
            CallResult(
                *("a", "b", "c"),
                (replied(9.0, warmup=True), replied(0.5, answer_s=1.5, heard=HALF_WRONG)),
                interruptions=TAKEN,
                expectations=DIALOGUE,
            ),
            "average 1.500 s, max 1.500 s, n = 1, fillers 0.500 s in 1 of them, "
            "3 of 6 words understood, 2 of 3 expectations met, interruptions: 2 yielded",
            id="all of it",
        ),
    ],
)
def test_summary(found: CallResult, said: str) -> None:
    """It has each figure that the call has, in one order."""
    assert summary(found) == said


def test_a_finding_about_latency_says_so() -> None:
    """The page of its run shows more of it."""
    for config, verdict in ((CONFIG, Verdict.FAIL), (SOFT, Verdict.SLOW)):
        (found,) = judge(config, call(replied(4.0)))
        assert (found.verdict, found.cause) == (verdict, Cause.LATENCY)


def test_slowness_never_fails_without_a_hard_threshold() -> None:
    """Without `fail_ms` the slowest agent is SLOW."""
    assert verdict_of(judge(SOFT, call(replied(60)))) is Verdict.SLOW


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (None, Verdict.PASS),
        (Reason.VOID, Verdict.UNKNOWN),
        (Reason.QUOTA_EXCEEDED, Verdict.UNKNOWN),
        (Reason.API_FAILED, Verdict.FAIL),
        (Reason.DEADLINE, Verdict.FAIL),
    ],
)
def test_judgement_of_a_run_without_an_agent(reason: Reason | None, expected: Verdict) -> None:
    """It came to its end, the prober spoiled it, or it failed."""
    assert verdict_of(failure(call(reason=reason))) is expected


def test_statistics_of_nothing() -> None:
    """No measured turn gives n 0 and no values, not zeros."""
    turns = (replied(1, warmup=True), failed(), void())
    assert Stats.of(turns) == Stats(0, None, None, None, None, None)


@pytest.mark.parametrize(
    ("values", "p50", "p95"),
    [
        pytest.param([2.0], 2.0, None, id="one"),
        pytest.param([3.0, 1.0], 2.0, None, id="two"),
        pytest.param([1.0] * 19, 1.0, None, id="one too few for p95"),
        pytest.param([float(n) for n in range(20, 0, -1)], 10.5, 19.05, id="twenty"),
        pytest.param([float(n) for n in range(101)], 50.0, 95.0, id="a hundred and one"),
    ],
)
def test_percentiles(values: list[float], p50: float, p95: float | None) -> None:
    """The median is there from one turn on, the 95th percentile from twenty."""
    stats = Stats.of([replied(9, warmup=True), *map(replied, values)])
    assert (stats.n, stats.min_s, stats.max_s) == (len(values), min(values), max(values))
    assert stats.avg_s == pytest.approx(sum(values) / len(values))
    assert stats.p50_s == pytest.approx(p50)
    assert stats.p95_s == (None if p95 is None else pytest.approx(p95))
