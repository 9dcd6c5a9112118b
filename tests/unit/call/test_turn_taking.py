"""What becomes of interruptions, short sounds and pauses, with agents of which it is known."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from exporter.outcome import (
    AnswerOutcome,
    BackchannelOutcome,
    CallResult,
    InterruptionOutcome,
    Mos,
    PauseOutcome,
    Verdict,
)
from exporter.probes.latency import quality, sound
from exporter.probes.latency.scenarios.config import ScenarioConfig
from exporter.probes.latency.scenarios.variants import variant_of
from exporter.probes.latency.spec import PROBE
from exporter.rtc.levels import RATE, Pcm, speech_bounds
from tests.fake_call.calls import World, place, target
from tests.fake_call.script import Script
from tests.fake_call.talker import DELAY_S, SHORT_S, Talk, Talker

RESOLUTION_S = 0.006
YIELDS = Talk(yields_s=0.6)
TOLD = replace(YIELDS, reports=True)
ANSWERED, UNANSWERED = AnswerOutcome.ANSWERED, AnswerOutcome.UNANSWERED


def called(talk: Talk, wav: Path, kind: str, **settings: Any) -> tuple[CallResult, Verdict]:
    """Return what a call to that agent in a scenario finds, with its verdict."""
    if kind == "barge_in":
        settings["interruption"] = {"wav": wav}
    target_of = {"sound": settings.pop("sound", {})}
    greeting = "auto" if talk.greets_s else "none"
    base = target(utterance={"wav": wav}, trials=1, greeting=greeting, **target_of)
    config = variant_of(base, ScenarioConfig(name=kind, **settings))
    script = Script(states=talk.states, greet_s=talk.greets_s)
    placed = place(script, World(), config, agent_of=partial(Talker, talk))
    judged = PROBE.judged(config, placed.outcome)
    return placed.call, judged.verdict


INTERRUPTED = {
    "yields": (YIELDS, "yielded", ANSWERED),
    "yields and tells of it": (TOLD, "yielded", ANSWERED),
    "yields and tells no state": (replace(YIELDS, states=False), "yielded", ANSWERED),
    "yields at once": (Talk(yields_s=0.15, states=False), "yielded", ANSWERED),
    "yields, and has natural pauses": (
        replace(YIELDS, natural_s=0.6, states=False),
        "yielded",
        ANSWERED,
    ),
    "yields and answers nothing": (replace(YIELDS, answers=False), "yielded", UNANSWERED),
    "yields, tells of it and answers nothing": (
        replace(TOLD, answers=False),
        "yielded",
        UNANSWERED,
    ),
    "stops only when the caller has ended": (
        Talk(yields_after_end_s=0.4),
        "yielded",
        ANSWERED,
    ),
    "never yields": (Talk(answers=False), "talked_on", UNANSWERED),
    "never yields and tells no state": (
        Talk(answers=False, states=False),
        "talked_on",
        UNANSWERED,
    ),
    "never yields, with natural pauses": (
        Talk(answers=False, natural_s=0.6, states=False, reply_s=10),
        "talked_on",
        UNANSWERED,
    ),
    "resumes after a second": (
        Talk(yields_s=0.5, resumes_s=1.2, answers=False),
        "resumed",
        UNANSWERED,
    ),
    "resumes after a second and tells of it": (
        Talk(yields_s=0.5, resumes_s=1.2, answers=False, reports=True),
        "resumed",
        UNANSWERED,
    ),
    "resumes after a second and tells no state": (
        Talk(yields_s=0.5, resumes_s=1.2, answers=False, states=False),
        "resumed",
        UNANSWERED,
    ),
    "ends by itself just then": (
        Talk(reply_s=2.7, answers=False),
        "finished_first",
        UNANSWERED,
    ),
    "ends by itself just then, and is answered": (Talk(reply_s=2.7), "finished_first", ANSWERED),
    "ends by itself long before the control, and tells of it": (
        Talk(ends_s=2.7, reports=True),
        "finished_first",
        ANSWERED,
    ),
    "has ended before": (Talk(ends_s=1.0), "finished_first", None),
}


@pytest.mark.parametrize("name", INTERRUPTED)
def test_an_interruption_comes_out_as_it_truly_was(name: str, wav: Path) -> None:
    """The outcome, and whether what the caller said was answered."""
    talk, outcome, answer = INTERRUPTED[name]
    call, _ = called(talk, wav, "barge_in")
    (found,) = call.interruptions
    assert (str(found.outcome), found.answer) == (outcome, answer), found


@pytest.mark.parametrize("yields_s", [0.15, 0.3, 0.6, 1.0, 1.5])
@pytest.mark.parametrize("states", [True, False])
def test_the_time_to_yield_is_the_true_one(yields_s: float, *, states: bool, wav: Path) -> None:
    """From the caller's first sample to the agent's last; the answer is timed as every reply."""
    talk = Talk(yields_s=yields_s, states=states, reply_s=12, answer_s=2.5)
    call, _ = called(talk, wav, "barge_in")
    (found,) = call.interruptions
    assert found.outcome is InterruptionOutcome.YIELDED
    assert found.yield_s == pytest.approx(yields_s, abs=RESOLUTION_S)
    assert found.answer_s == pytest.approx(talk.answer_s, abs=RESOLUTION_S)


def test_the_interrupted_turn_keeps_its_latency(wav: Path) -> None:
    """The reply was timed before it was interrupted; the first turn is the control."""
    call, verdict = called(YIELDS, wav, "barge_in", target_ms=900)
    control, interrupted = call.turns
    assert (control.warmup, interrupted.warmup) == (True, False)
    assert interrupted.e2e_s == pytest.approx(DELAY_S, abs=RESOLUTION_S)
    assert verdict is Verdict.PASS


def test_the_answer_to_an_interruption_is_not_scored(
    wav: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the reply to the turn, whose score it is."""
    heard: list[float] = []

    def score(pcm: Pcm) -> Mos:
        begin, end = speech_bounds(pcm)
        heard.append((end - begin) / RATE)
        return Mos(4.0, 4.5, 4.25)

    monkeypatch.setattr(sound, "find_spec", lambda _name: "there")
    monkeypatch.setattr(quality, "mos", score)
    call, _ = called(YIELDS, wav, "barge_in", sound={"mos": True}, after=1.5)
    (found,) = call.interruptions
    assert found.answer is AnswerOutcome.ANSWERED
    assert YIELDS.yields_s is not None
    assert heard == [pytest.approx(1.5 + YIELDS.yields_s, abs=0.05)]
    assert SHORT_S < 1.0


@pytest.mark.parametrize(
    ("talk", "verdict"),
    [
        (YIELDS, Verdict.SLOW),
        (Talk(answers=False), Verdict.SLOW),
        (replace(YIELDS, answers=False), Verdict.SLOW),
        (Talk(ends_s=1.0), Verdict.UNKNOWN),
    ],
)
def test_an_interruption_is_judged(talk: Talk, verdict: Verdict, wav: Path) -> None:
    """SLOW: above its own target, talked on, or not answered; UNKNOWN: nothing was interrupted."""
    assert called(talk, wav, "barge_in", target_ms=500)[1] is verdict


def test_a_greeting_is_interrupted(wav: Path) -> None:
    """Where the agent reports no messages it cannot be told that it would have gone on."""
    told = replace(TOLD, greets_s=8.0)
    call, _ = called(told, wav, "barge_in", into="greeting")
    (found,) = call.interruptions
    assert found.outcome is InterruptionOutcome.YIELDED
    assert found.yield_s == pytest.approx(0.6, abs=RESOLUTION_S)
    call, _ = called(replace(told, reports=False), wav, "barge_in", into="greeting")
    assert [each.outcome for each in call.interruptions] == [InterruptionOutcome.VOID]


SHORT_SOUNDS = {
    "ignores it": (Talk(answers=False), "ignored"),
    "ignores it and tells no state": (Talk(answers=False, states=False), "ignored"),
    "has natural pauses": (Talk(answers=False, states=False, natural_s=0.6), "ignored"),
    "pauses": (Talk(yields_s=0.3, resumes_s=2.0, answers=False), "paused"),
    "pauses and tells of it": (
        Talk(yields_s=0.3, resumes_s=2.0, answers=False, reports=True),
        "paused",
    ),
    "pauses and tells no state": (
        Talk(yields_s=0.3, resumes_s=1.4, answers=False, states=False),
        "paused",
    ),
    "stops": (Talk(yields_s=0.3, answers=False), "stopped"),
    "stops and tells no state": (Talk(yields_s=0.3, answers=False, states=False), "stopped"),
    "stops and answers it": (Talk(yields_s=0.3), "stopped"),
    "ends by itself just then": (Talk(reply_s=2.7, answers=False), "void"),
    "ends by itself just then, and tells of it": (
        Talk(reply_s=2.7, answers=False, reports=True),
        "ignored",
    ),
    "has ended before": (Talk(ends_s=1.0, answers=False), "void"),
}


@pytest.mark.parametrize("kind", ["backchannel", "cough"])
@pytest.mark.parametrize("name", SHORT_SOUNDS)
def test_a_short_sound_comes_out_as_it_truly_was(kind: str, name: str, wav: Path) -> None:
    """A gap counts that the reply which was left alone does not have."""
    talk, outcome = SHORT_SOUNDS[name]
    call, _ = called(talk, wav, kind)
    (found,) = call.backchannels
    assert str(found.outcome) == outcome, found
    if found.outcome is BackchannelOutcome.PAUSED:
        assert found.gap_s == pytest.approx(talk.resumes_s, abs=RESOLUTION_S)


@pytest.mark.parametrize("pause", ["0.6s", "1.2s", "2s"])
@pytest.mark.parametrize(
    ("waits_s", "outcome", "verdict"),
    [(2.2, PauseOutcome.WAITED, Verdict.PASS), (0.25, PauseOutcome.CUT_IN, Verdict.SLOW)],
)
def test_a_pause_comes_out_as_it_truly_was(
    pause: str, waits_s: float, outcome: PauseOutcome, verdict: Verdict, wav: Path
) -> None:
    """An agent cuts in that sounds before the second half of the utterance has ended."""
    talk = Talk(reply_s=2.0, endpoint_s=waits_s)
    call, judged = called(talk, wav, "pause", pause=pause, target_ms=4000)
    assert {each.outcome for each in call.pauses} == {outcome}
    assert judged is verdict
