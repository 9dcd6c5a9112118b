"""What bench/turn_taking.py prints of the calls that it placed."""

import io
import os
import signal
import subprocess
from dataclasses import replace

import psutil
import pytest
from rich.console import Console

from bench.report import Report
from bench.turn_taking import DELAYS_S, FLOOR_CALLS, Yields, tell_outcomes, tell_yields
from bench.turns_round import Placed, cpu_s, tell_round
from exporter.outcome import (
    AnswerOutcome,
    CallResult,
    Interruption,
    InterruptionOutcome,
    Reason,
)
from tests.turn_agents import TurnCall
from tests.unit.calls import call as placed
from tests.unit.calls import replied

YIELDED, TALKED_ON = InterruptionOutcome.YIELDED, InterruptionOutcome.TALKED_ON
WAY_S = 0.09


def call(found: list[Interruption], *yields_s: float) -> TurnCall:
    """Return a call with these interruptions, to an agent that stopped after so long."""
    outcome = placed(replied(1.2))
    assert isinstance(outcome.result, CallResult)
    result = replace(outcome.result, interruptions=tuple(found))
    return TurnCall(replace(outcome, result=result), yields_s)


def yielded(after_s: float) -> Interruption:
    """Return an agent that yielded, as it is measured."""
    return Interruption(YIELDED, after_s + WAY_S, AnswerOutcome.ANSWERED)


def calls(late_s: float = 0.0) -> list[Yields]:
    """Return calls of every delay; those of the longest are measured too late."""
    found = []
    for after_s in (*[0.0] * FLOOR_CALLS, *DELAYS_S):
        true_s = after_s or 0.06
        measured = true_s + (late_s if after_s == DELAYS_S[-1] else 0.0)
        found.append(Yields.of(after_s, call([yielded(measured)] * 2, true_s, true_s), 2))
    return found


def printed() -> tuple[Report, io.StringIO]:
    """Return a report, and where it prints."""
    out = io.StringIO()
    return Report(Console(file=out, width=200)), out


@pytest.mark.parametrize(("late_s", "holds"), [(0.0, True), (0.06, False)])
def test_a_time_to_yield_that_is_off_is_seen(late_s: float, *, holds: bool) -> None:
    """The floor is that of the agents that stop at once, and is not held against the others."""
    report, out = printed()
    tell_yields(report, calls(late_s))
    assert report.held is holds
    assert "90.0 ms" in out.getvalue()


def test_a_stop_that_was_missed_pairs_nothing() -> None:
    """One time of the agent's that has no measured one could belong to any of them."""
    missed = Yields.of(0.5, call([yielded(0.5)], 0.5, 0.5), 2)
    assert missed.offsets_ms == ()
    assert missed.wrong == ("1 interruptions, but it stopped 2 times",)
    void = Interruption(InterruptionOutcome.VOID, detail="late")
    one = Yields.of(0.5, call([void, yielded(0.5)], 0.5, 0.5), 2)
    assert one.offsets_ms == pytest.approx((WAY_S * 1e3,))
    assert (one.turns, one.voids, one.wrong) == (2, 1, ())


def test_a_call_to_an_agent_that_was_late_itself_tells_nothing() -> None:
    """Whatever was found: it may be the truth of what a late agent did."""
    late = replace(call([Interruption(TALKED_ON)], 0.5), late_s=2.0)
    assert Yields.of(0.5, late, 1).wrong == ()
    report, out = printed()
    tell_outcomes(report, ["yields"], [late], 1)
    assert "the agent heard n ms late" in out.getvalue()
    assert "talked_on" not in out.getvalue()


def test_an_outcome_that_is_not_the_true_one_is_named() -> None:
    """Void ones are counted apart."""
    report, out = printed()
    true = call([yielded(0.5), Interruption(InterruptionOutcome.VOID, detail="late")], 0.5, 0.5)
    tell_outcomes(report, ["yields"], [true], 2)
    assert report.held
    tell_outcomes(report, ["yields"], [call([Interruption(TALKED_ON)], 0.5)], 1)
    assert not report.held
    assert "0 right; 1 talked_on" in out.getvalue()


def test_an_answer_that_cannot_be_told_is_not_a_wrong_one() -> None:
    """The interruption itself is known."""
    report, out = printed()
    tell_outcomes(report, ["yields"], [call([Interruption(YIELDED, 0.6)], 0.5)], 1)
    assert report.held
    assert "1 right; 1 of them with a void answer" in out.getvalue()
    unanswered = Interruption(YIELDED, 0.6, AnswerOutcome.UNANSWERED)
    tell_outcomes(report, ["yields"], [call([unanswered], 0.5)], 1)
    assert not report.held


@pytest.mark.parametrize(
    ("reason", "holds"), [(None, True), (Reason.VOID, True), (Reason.NO_WORKER, False)]
)
def test_a_round_with_a_call_that_failed_shows_no_bound(
    reason: Reason | None, *, holds: bool
) -> None:
    """It was short and cheap because it came to nothing; a void one took its time."""
    report, _ = printed()
    outcome = replace(placed(replied(1.2)), duration_s=30.0)
    tell_round(report, [Placed("cough", replace(outcome, reason=reason), cpu_s=1.0)])
    assert report.held is holds


def parent() -> "subprocess.Popen[str]":
    """Start a process that starts another one, and writes the id of that."""
    argv = ["sh", "-c", "sleep 60 & echo $!; wait"]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, start_new_session=True, text=True)


def test_cpu_of_what_the_agent_starts_is_not_the_probers() -> None:
    """The agent has a new process for each call: a child of a child that was there before."""
    agent = parent()
    others = psutil.Process().children()
    prober = parent()
    try:
        started: list[int] = []
        for each in (agent, prober):
            assert each.stdout is not None
            started.append(int(each.stdout.readline()))
        found = {each.pid for each in cpu_s(others)}
        assert {prober.pid, started[1]} <= found
        assert not {agent.pid, started[0]} & found
    finally:
        for each in (agent, prober):
            os.killpg(each.pid, signal.SIGKILL)
            each.communicate()
