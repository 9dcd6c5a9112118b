"""A dialogue of several steps: what is said, waited for, and made of what the agent does."""

import logging
from typing import Any

import pytest
from livekit import rtc
from pydantic import ValidationError

from exporter.outcome import ExpectationOutcome, Outcome, Reason, TurnOutcome, Verdict
from exporter.probes.latency.judge import judge
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.latency.steps import STOPPED
from exporter.report.call_documents import LatencyDocument
from exporter.report.call_figures import CallReport, LatencyReport
from exporter.report.latency import print_latency
from exporter.report.printing import to_json
from exporter.rtc.clip import shipped_clips
from exporter.rtc.levels import Pcm
from exporter.store.records import RunRecord
from exporter.store.schema import from_record
from tests.fake_call.calls import Placed, World, place, target
from tests.fake_call.devices import FakeMicrophone
from tests.fake_call.script import Script
from tests.unit.calls import WHEN, judged
from tests.unit.recording import CALL, Page

SIP = rtc.ParticipantKind.PARTICIPANT_KIND_SIP
STANDARD = rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD
WORD = "xylophone"
ALL_IN_ONE = Script(
    reports=True,
    says=("Hello.", "Your order has left."),
    tool="look_up",
    hands_over_to="sales",
    attribute=("topic", "order"),
)


def dialogue(*expects: dict[str, Any], **settings: Any) -> LatencyConfig:
    """Return a target with a step for each of these, which says a built-in clip."""
    return target(script=[{"expect": each} for each in expects], **settings)


def results(placed: Placed) -> list[str]:
    """Return what became of the expectations, in words."""
    return [str(each) for each in placed.call.expectations]


def verdict(config: LatencyConfig, outcome: Outcome) -> Verdict:
    """Return the judgement of a call."""
    return judged(outcome, config).verdict


def test_every_step_is_a_turn_and_its_expectations_are_met() -> None:
    """The first one is the warm-up of the latency, and counts in the dialogue."""
    config = dialogue(
        {"words": ["hello"], "not_words": ["order"]},
        {"words": ["order"], "tool": "look_up"},
        {"handoff": "sales", "attribute": {"topic": "order"}},
    )
    placed = place(ALL_IN_ONE, World(), config)
    assert placed.outcome.reason is None, placed.outcome
    assert {each.outcome for each in placed.call.expectations} == {ExpectationOutcome.MET}
    assert [each.step for each in placed.call.expectations] == [1, 1, 2, 2, 3, 3]
    assert [turn.warmup for turn in placed.call.turns] == [True, False, False]
    # The agent hears a little more of a real clip than we hold for speech.
    assert [turn.e2e_s for turn in placed.call.turns] == pytest.approx([1.0] * 3, abs=0.15)
    assert verdict(config, placed.outcome) is Verdict.PASS


def test_a_missed_expectation_fails_the_run() -> None:
    """The call goes on; the reason and the detail name the steps, and nobody's words."""
    config = dialogue({"words": ["hello"]}, {"tool": "buy", "words": ["order"]}, {"joins": "sip"})
    placed = place(ALL_IN_ONE, World(), config)
    assert placed.outcome.reason is Reason.UNEXPECTED_ANSWER
    assert placed.outcome.detail == "step 2: tool missed; step 3: joins missed"
    assert len(placed.call.turns) == 3
    assert verdict(config, placed.outcome) is Verdict.FAIL
    assert any(line.endswith("step 2: tool missed") for line in placed.outcome.log)


def test_what_the_agent_does_not_tell_leaves_the_verdict_open() -> None:
    """The turns are measured, so that the run has no reason; but it is no PASS."""
    config = dialogue({}, {"words": ["hello"]})
    placed = place(Script(), World(), config)
    assert placed.outcome.reason is None
    (found,) = judge(config, placed.outcome)
    assert found.verdict is Verdict.UNKNOWN
    assert found.text.startswith("step 2: words void: the agent reports nothing")


def test_a_turn_without_a_reply_says_more_than_what_was_missed() -> None:
    """Its reason is that of the run."""
    config = dialogue({"words": ["hello"]}, {"words": ["order"]})
    placed = place(Script(reports=True, mute=True), World(), config)
    assert placed.outcome.reason is Reason.NO_REPLY
    assert len(placed.call.turns) == 2


def test_the_only_step_is_measured() -> None:
    """There would be no latency if it were the warm-up."""
    placed = place(ALL_IN_ONE, World(), dialogue({"words": ["hello"]}))
    assert [turn.warmup for turn in placed.call.turns] == [False]


@pytest.mark.parametrize(("within", "met"), [(9, True), (7, False)])
def test_something_may_take_its_time(within: float, met: bool) -> None:
    """A person joins 8 s after the end of our speech, long after the reply."""
    config = dialogue({"joins": "standard", "within": within}, reply_timeout=3)
    script = Script(reports=True, brings=STANDARD, brings_after_s=8.0)
    placed = place(script, World(), config)
    assert (placed.outcome.reason is None) is met
    assert placed.outcome.duration_s > min(within, 8)


def test_nothing_is_waited_for_once_all_is_met() -> None:
    """A long `within` costs no time where the agent is quick."""
    quick = dialogue({"words": ["hello"], "not_words": ["order"], "within": 60})
    assert place(ALL_IN_ONE, World(), quick).outcome.duration_s < 15


def test_the_call_stops_as_soon_as_somebody_joins() -> None:
    """In the middle of a turn, which is then none; what it was for has been shown."""
    config = dialogue({"joins": "sip"}, stop_at="joins")
    script = Script(reports=True, brings=SIP, delay_s=5.0)
    placed = place(script, World(), config)
    assert results(placed) == ["step 1: joins met"]
    assert (placed.outcome.reason, placed.call.turns) == (None, ())
    assert verdict(config, placed.outcome) is Verdict.PASS
    assert not placed.inside
    assert placed.rooms_left == frozenset()
    assert placed.outcome.duration_s < 5


def test_what_the_stop_cut_off_cannot_be_told() -> None:
    """It is not missed: the agent had no time for it. Another kind of participant stops nothing."""
    config = dialogue({"joins": "sip", "words": ["hello"]}, {}, stop_at="joins")
    placed = place(Script(reports=True, brings=SIP, delay_s=5.0), World(), config)
    assert results(placed) == [f"step 1: words void: {STOPPED}", "step 1: joins met"]
    assert placed.outcome.reason is None, placed.outcome
    assert verdict(config, placed.outcome) is Verdict.UNKNOWN
    other = place(Script(reports=True, brings=STANDARD), World(), config)
    assert len(other.call.turns) == 2


def test_somebody_who_is_brought_too_early_is_no_success() -> None:
    """The agent was to bring a person in the second step; the call stops all the same."""
    config = dialogue({"words": ["hello"]}, {"joins": "sip"}, stop_at="joins")
    placed = place(Script(reports=True, brings=SIP, delay_s=5.0), World(), config)
    assert results(placed) == [f"step 1: words void: {STOPPED}"]
    assert placed.outcome.reason is Reason.UNEXPECTED_ANSWER
    assert placed.outcome.detail == "step 1: somebody joined too early"
    assert verdict(config, placed.outcome) is Verdict.FAIL


def test_a_stop_after_a_void_turn_is_not_the_probers_fault() -> None:
    """The turn was void, and the next one brought whom it was to bring."""
    config = dialogue({}, {"joins": "sip"}, stop_at="joins")
    late = ((0.9, 0.2),)
    script = Script(reports=True, brings=SIP, brings_after_s=5.5, delay_s=1.0, blocks=late)
    placed = place(script, World(), config)
    assert [turn.outcome for turn in placed.call.turns] == [TurnOutcome.VOID]
    assert results(placed) == ["step 2: joins met"]
    assert placed.outcome.reason is None, placed.outcome
    assert verdict(config, placed.outcome) is Verdict.UNKNOWN


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(Script(reports=True, goodbye=True), id="leaves after its reply"),
        pytest.param(Script(reports=True, leave=True), id="leaves without one"),
        pytest.param(Script(reports=True, ends_after=1), id="deletes the room"),
    ],
)
def test_an_agent_may_be_expected_to_leave(script: Script) -> None:
    """That is no failure then; without the expectation it is one, where more was to be said."""
    placed = place(script, World(), dialogue({"leaves": True}))
    assert results(placed) == ["step 1: leaves met"]
    assert placed.outcome.reason is None, placed.outcome
    more = place(script, World(), dialogue({"leaves": True}, {}))
    assert more.outcome.reason in (None, Reason.AGENT_LEFT, Reason.ROOM_CLOSED)
    assert place(script, World(), dialogue({}, {})).outcome.reason is not None


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(Script(reports=True, dies_after=1), id="is dropped by the server"),
        pytest.param(Script(reports=True, leave=True, error="llm: HTTP 500"), id="with an error"),
    ],
)
def test_an_agent_that_dies_has_not_left(script: Script) -> None:
    """As with `may_end`, only one that ends the call in order does what is expected."""
    config = dialogue({"leaves": True})
    placed = place(script, World(), config)
    assert results(placed) == ["step 1: leaves missed"]
    assert verdict(config, placed.outcome) is Verdict.FAIL


GOES = Script(reports=True, says=("Hello.",), goodbye=True)
REST = ({"words": ["hello"]}, {"words": ["order"], "not_words": ["bye"]}, {"leaves": True})


def test_what_was_never_said_is_not_judged() -> None:
    """The agent ends the call after the first step: with `may_end` that is no failure."""
    config = dialogue(*REST, may_end=True, warmup=False)
    placed = place(GOES, World(), config)
    assert results(placed) == ["step 1: words met"]
    assert placed.outcome.reason is None, placed.outcome
    assert verdict(config, placed.outcome) is Verdict.PASS


@pytest.mark.parametrize("rest", [REST[1:], REST[2:]])
def test_an_agent_that_goes_before_a_step_ends_the_call(rest: tuple[dict[str, Any], ...]) -> None:
    """Also where it was to leave in the next one: nobody had asked it to."""
    placed = place(GOES, World(), dialogue(REST[0], *rest, warmup=False))
    assert results(placed) == ["step 1: words met"]
    assert placed.outcome.reason is Reason.AGENT_LEFT


def test_a_reply_in_time_counts_though_it_is_told_later() -> None:
    """It is heard after 1 s, within 2 s, and lasts until 3 s."""
    config = dialogue({"words": ["hello"], "not_words": ["goodbye"], "within": 2})
    script = Script(reports=True, says=("Hello.",), delay_s=1.0, pause_s=0.8)
    assert results(place(script, World(), config)) == [
        "step 1: words met",
        "step 1: not_words met",
    ]
    late = dialogue({"words": ["hello"], "within": 2})
    slow = Script(reports=True, says=("Hello.",), delay_s=2.5)
    assert results(place(slow, World(), late)) == ["step 1: words missed"]


def test_what_an_agent_did_before_it_handed_over_counts() -> None:
    """In the middle of its turn: it called a tool and left, and another one answers."""
    world = World(successor=Script(reports=True, says=("Sales.",)))
    config = dialogue({"tool": "look_up", "leaves": True, "words": ["sales"]}, follow=True)
    script = Script(reports=True, tool="look_up", goes_mid_turn=True)
    placed = place(script, world, config)
    assert placed.outcome.reason is None, placed.outcome
    assert {each.outcome for each in placed.call.expectations} == {ExpectationOutcome.MET}


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The lengths of all that the caller says."""
    lengths: list[int] = []
    play = FakeMicrophone.play

    def spy(microphone: FakeMicrophone, pcm: Pcm, at: float | None = None) -> int:
        lengths.append(len(pcm))
        return play(microphone, pcm, at)

    monkeypatch.setattr(FakeMicrophone, "play", spy)
    return lengths


def test_a_step_is_said_again_to_the_agent_that_takes_over(said: list[int]) -> None:
    """The same clip, not the one of the next step; each step has one result."""
    world = World(successor=Script(reports=True, says=("Hello.",)))
    config = dialogue({"words": ["hello"]}, {"words": ["hello"]}, {"words": ["hello"]}, follow=True)
    placed = place(Script(reports=True, says=("Hello.",), goodbye=True), world, config)
    assert placed.outcome.reason is None, placed.outcome
    assert [each.step for each in placed.call.expectations] == [1, 2, 3]
    assert said == [len(clip.pcm) for clip in shipped_clips()]


def test_a_late_greeting_does_not_cost_a_step(said: list[int]) -> None:
    """The utterance into which it was said is said again."""
    script = Script(greet_s=3.0, greet_after_s=1.0, listens_first=True)
    place(script, World(), dialogue({}, {}))
    first, second, *_ = (len(clip.pcm) for clip in shipped_clips())
    assert said == [first, first, second]


def test_a_call_that_fails_misses_what_it_did_not_reach() -> None:
    """As its turns fail; series exist at 0 from the start, and the task is missed."""
    config = dialogue({"words": ["hello"]}, {"tool": "look_up", "joins": "sip"})
    page = Page(config)

    def counts(name: str) -> list[float | None]:
        labels = ("met", "missed", "void") if "exp" in name else ("completed", "missed", "void")
        return [page.value(name, **CALL, outcome=each) for each in labels]

    assert counts("voice_expectations_total") == [0, 0, 0]
    assert counts("voice_tasks_total") == [0, 0, 0]
    page.recorder.record(judged(place(Script(), World(works=False), config).outcome, config))
    assert counts("voice_expectations_total") == [0, 3, 0]
    assert counts("voice_tasks_total") == [0, 1, 0]
    assert page.value("voice_expectations_missed_streak", **CALL) is None
    page.recorder.record(judged(place(ALL_IN_ONE, World(), config).outcome, config))
    assert counts("voice_expectations_total") == [2, 4, 0]
    assert page.value("voice_expectations_missed_streak", **CALL) == 1
    assert page.turns() == {"replied": 1, "failed": 1, "void": 0}


def test_no_word_leaves_the_call(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither what was expected nor what was said: in no record, series, line or document."""
    caplog.set_level(logging.DEBUG)
    expect = {"words": [WORD, f"{WORD} gone"], "regex": WORD, "not_words": [WORD]}
    config = dialogue(expect, {"attribute": {"topic": WORD}}, {"words": [WORD]})
    script = Script(reports=True, says=(f"My {WORD}.",), attribute=("topic", WORD))
    outcome = judged(place(script, World(), config).outcome, config)
    assert outcome.reason is Reason.UNEXPECTED_ANSWER
    page = Page(config)
    page.recorder.record(outcome)
    report = LatencyReport(WHEN, "here", (CallReport(config, outcome),))
    print_latency(report)
    written = (
        *(page.text(), to_json(LatencyDocument.of(report)), repr(outcome)),
        *(repr(from_record(RunRecord.of(outcome))), caplog.text, *capsys.readouterr()),
        repr(config),
    )
    assert "unexpected_answer" in written[1]
    assert [text for text in written if WORD in text.lower()] == []


def test_a_spoiled_step_is_void() -> None:
    """The agent may not have heard us: what did not happen then is no evidence."""
    script = Script(reports=True, says=("Hello.",), republish=True)
    placed = place(script, World(), dialogue({"words": ["goodbye"]}, {"words": ["goodbye"]}))
    assert placed.call.turns[0].outcome is TurnOutcome.VOID
    assert [each.outcome for each in placed.call.expectations] == [
        ExpectationOutcome.VOID,
        ExpectationOutcome.MISSED,
    ]
    assert "track was replaced" in results(placed)[0]


def test_a_late_prober_spoils_times_only() -> None:
    """The turn is void, because it could not be timed; what the agent said it did say."""
    script = Script(reports=True, says=("Hello.",), blocks=((0.9, 0.2),))
    placed = place(script, World(), dialogue({"words": ["hello"], "not_words": ["goodbye"]}))
    assert [turn.outcome for turn in placed.call.turns] == [TurnOutcome.VOID]
    assert {each.outcome for each in placed.call.expectations} == {ExpectationOutcome.MET}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"script": [{"expect": {"words": ["!"]}}]}, "has no words"),
        ({"script": [{"expect": {"regex": f"({WORD}"}}]}, "is no regular expression"),
        ({"script": [{}], "utterances": [{}]}, "conflicts with utterance and utterances"),
        ({"script": [{}], "stop_at": "joins"}, "needs a step of the script that expects joins"),
    ],
)
def test_a_script_that_makes_no_sense_is_refused(settings: dict[str, Any], said: str) -> None:
    """In one line, which repeats no words."""
    with pytest.raises(ValidationError) as refused:
        target(**settings)
    error, *_ = refused.value.errors()  # the default deadline follows from the script
    assert said in error["msg"]
    assert WORD not in error["msg"]
