"""What a scenario found is judged, and said in one line each."""

import pytest

from exporter.outcome import (
    AnswerOutcome,
    Backchannel,
    BackchannelOutcome,
    CallReconnect,
    CallResult,
    Cause,
    Finding,
    InnerPause,
    Interruption,
    InterruptionOutcome,
    PauseOutcome,
    Verdict,
)
from exporter.probes.latency.scenarios.config import Kind, ScenarioConfig
from exporter.probes.latency.scenarios.judge import judge_turn_taking, turn_taking_text

ANSWERED, UNANSWERED = AnswerOutcome.ANSWERED, AnswerOutcome.UNANSWERED
QUICK = Interruption(InterruptionOutcome.YIELDED, 0.5, ANSWERED, 1.0)
AT_TARGET = Interruption(InterruptionOutcome.YIELDED, 1.5, ANSWERED, 1.0)
SLOW = Interruption(InterruptionOutcome.YIELDED, 1.6, ANSWERED, 1.0)
IN_VAIN = Interruption(InterruptionOutcome.YIELDED, 0.5, UNANSWERED)
TALKED_ON = Interruption(InterruptionOutcome.TALKED_ON)
RESUMED = Interruption(InterruptionOutcome.RESUMED, answer=UNANSWERED)
FINISHED = Interruption(InterruptionOutcome.FINISHED_FIRST)
NOT_TOLD = Interruption(InterruptionOutcome.VOID, detail="why")

IGNORED, PAUSED, STOPPED = (
    Backchannel(each)
    for each in (BackchannelOutcome.IGNORED, BackchannelOutcome.PAUSED, BackchannelOutcome.STOPPED)
)
VOID_SOUND = Backchannel(BackchannelOutcome.VOID, detail="late")
WAITED, CUT_IN = InnerPause(PauseOutcome.WAITED), InnerPause(PauseOutcome.CUT_IN)
VOID_PAUSE = InnerPause(PauseOutcome.VOID, "torn")


def call(
    interruptions: tuple[Interruption, ...] = (),
    backchannels: tuple[Backchannel, ...] = (),
    pauses: tuple[InnerPause, ...] = (),
    reconnects: tuple[CallReconnect, ...] = (),
) -> CallResult:
    """Return a call in which that was found."""
    return CallResult(
        *("demo", "default", "x"),
        interruptions=interruptions,
        backchannels=backchannels,
        pauses=pauses,
        reconnects=reconnects,
    )


def slow(text: str) -> Finding:
    """Return the finding that an agent does not take turns."""
    return Finding(Verdict.SLOW, text, Cause.TURN_TAKING)


def unknown(text: str) -> Finding:
    """Return the finding that nothing of the kind could be told."""
    return Finding(Verdict.UNKNOWN, text)


@pytest.mark.parametrize(
    ("kind", "found", "said"),
    [
        pytest.param("turns", call((TALKED_ON,)), [], id="no scenario of turn-taking"),
        pytest.param("barge_in", call((QUICK,)), [], id="yields and answers"),
        pytest.param("barge_in", call((QUICK, AT_TARGET)), [], id="on average at the target"),
        pytest.param(
            "barge_in",
            call((SLOW, QUICK, SLOW)),
            [slow("1.23 s to yield on average is above 1 s")],
            id="too late",
        ),
        pytest.param(
            "barge_in",
            call((QUICK, IN_VAIN, IN_VAIN, TALKED_ON)),
            [
                slow("the agent talked on at 1 of 4 interruptions"),
                slow("2 of 3 interruptions were not answered"),
            ],
            id="in vain",
        ),
        pytest.param(
            "barge_in",
            call((RESUMED, QUICK, RESUMED, FINISHED, NOT_TOLD)),
            [slow("the agent stopped and went on with the same reply at 2 of 3 interruptions")],
            id="goes on",
        ),
        pytest.param(
            "barge_in",
            call((FINISHED, NOT_TOLD)),
            [unknown("no interruption was measured: why")],
            id="nothing that could be told",
        ),
        pytest.param("barge_in", call(), [unknown("no interruption was measured")], id="none"),
        pytest.param("backchannel", call((), (IGNORED, PAUSED)), [], id="talks on"),
        pytest.param(
            "backchannel",
            call((), (STOPPED, IGNORED, STOPPED, VOID_SOUND)),
            [slow("the agent stopped at 2 of 4 short sounds")],
            id="stops",
        ),
        pytest.param(
            "cough", call((), (VOID_SOUND,)), [unknown("no cough was measured: late")], id="void"
        ),
        pytest.param("cough", call(), [unknown("no cough was measured")], id="no cough"),
        pytest.param("pause", call(pauses=(WAITED, VOID_PAUSE)), [], id="waits"),
        pytest.param(
            "pause",
            call(pauses=(CUT_IN, WAITED, CUT_IN)),
            [slow("the agent cut in at 2 of 3 pauses")],
            id="cuts in",
        ),
        pytest.param(
            "pause", call(pauses=(VOID_PAUSE,)), [unknown("no pause was measured: torn")], id="torn"
        ),
        pytest.param("pause", call(), [unknown("no pause was measured")], id="no pause"),
        pytest.param(
            "reconnect", call(), [unknown("no broken connection was measured")], id="not broken"
        ),
    ],
)
def test_verdict_of_a_scenario(kind: Kind, found: CallResult, said: list[Finding]) -> None:
    """Each thing that keeps it from PASS is one finding, with how often of how many."""
    assert list(judge_turn_taking(ScenarioConfig(name="x", kind=kind), found)) == said


def test_the_time_to_yield_has_a_target_of_its_own() -> None:
    """As set for the scenario."""
    scenario = ScenarioConfig(name="x", kind="barge_in", target_ms=400)
    (found,) = judge_turn_taking(scenario, call((QUICK,)))
    assert found == slow("0.50 s to yield on average is above 0.4 s")


def test_verdict_of_broken_connections() -> None:
    """Only one that came back and was answered passes; each of the others is told."""
    back, untold = CallReconnect("full", 1.0, answered=True), CallReconnect("signal", 1.0)
    silent, lost = CallReconnect("full", 1.0, answered=False), CallReconnect("migration")
    found = judge_turn_taking(
        ScenarioConfig(name="x", kind="reconnect"), call(reconnects=(back, untold, silent, lost))
    )
    assert list(found) == [
        unknown(f"{untold}; no later turn shows whether the agent still answers"),
        Finding(Verdict.FAIL, str(silent)),
        Finding(Verdict.FAIL, str(lost)),
    ]


def test_text() -> None:
    """It has how often each outcome came, the most frequent first; connections speak each."""
    assert (
        turn_taking_text(call((TALKED_ON, QUICK, SLOW))) == "interruptions: 2 yielded, 1 talked_on"
    )
    assert turn_taking_text(call((), (STOPPED,))) == "short sounds: 1 stopped"
    assert turn_taking_text(call(pauses=(WAITED, CUT_IN))) == "pauses: 1 waited, 1 cut_in"
    broken = CallReconnect("full", 1.0), CallReconnect("signal")
    assert turn_taking_text(call(reconnects=broken)) == f"{broken[0]}; {broken[1]}"
    assert turn_taking_text(call()) == ""
