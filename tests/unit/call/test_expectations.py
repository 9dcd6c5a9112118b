"""Whether a step came out as expected, from the events of a call alone."""

import time
from typing import Any

import pytest

from exporter.outcome import Expectation, ExpectationOutcome, TaskOutcome, Timeline, TurnReport
from exporter.outcome.timeline import (
    AgentSounded,
    AgentState,
    Attribute,
    CallerSpoke,
    Event,
    HandOver,
    Joined,
    Left,
    Message,
    Subtitle,
    ToolEnded,
    ToolStarted,
    UserState,
)
from exporter.probes.latency.deadline import REPLY_LIMIT_S
from exporter.probes.latency.expectations import (
    ENDLESS,
    RUNNING,
    SILENT,
    UNNAMED,
    UNTOLD,
    Seen,
    expectations,
    may_come,
    unknown_if_missed,
)
from exporter.probes.latency.patterns import LONGEST, occurs
from exporter.probes.latency.script import TOLD_S, Expect

US = "agent-1"
SAID = CallerSpoke(at=10.0, until=11.0)
UNTIL = 20.0
MET, MISSED, VOID = ExpectationOutcome


def said(
    text: str, at: float = 15.0, sender: str = US, *, interrupted: bool = False, llm: bool = True
) -> Event:
    """Return that an agent reports what it said."""
    figures = TurnReport(llm_ttft_s=0.4 if llm else None, tts_ttfb_s=0.1)
    return Message(
        at=at, sender=sender, by_agent=True, figures=figures, text=text, interrupted=interrupted
    )


def asked(at: float = 11.5, sender: str = US) -> Event:
    """Return that the agent reports what the caller said."""
    return Message(at=at, sender=sender, by_agent=False, figures=TurnReport())


def state(name: str, at: float, sender: str = US) -> Event:
    """Return that the agent says what it does."""
    return AgentState(at=at, sender=sender, state=name)


def called(name: str, at: float = 12.0, call_id: str = "c1") -> Event:
    """Return that the agent calls a tool."""
    return ToolStarted(at=at, sender=US, call_id=call_id, name=name)


def ended(*, failed: bool = False, at: float = 13.0, call_id: str = "c1") -> Event:
    """Return that a tool came to its end."""
    return ToolEnded(at=at, sender=US, call_id=call_id, failed=failed)


def seen(*events: Event, until: float = UNTIL, spoiled: str = "") -> Seen:
    """Return a step in which these things happened; what was told on the stream shows who tells."""
    call = Timeline(US)
    for each in events:
        call.add(each)
        if isinstance(each, (Message, UserState, ToolStarted, ToolEnded, HandOver)):
            call.reporters.add(each.sender)
    return Seen(call=call, spoke=SAID, until=until, spoiled=spoiled)


def found(expect: dict[str, Any], step: Seen) -> tuple[ExpectationOutcome, str]:
    """Return what becomes of the one thing that is expected in a step."""
    (one,) = expectations(1, Expect(**expect), step)
    return one.outcome, one.detail


SOUNDS = AgentSounded(at=12.0, until=14.5)
HEARS = UserState(at=11.0, sender=US, state="speaking")
OURS = said("Your order, No. 205, has LEFT the house.")
LEFT_HOUSE = {"words": ["order", "left the house"]}


@pytest.mark.parametrize(
    ("expect", "events", "outcome"),
    [
        pytest.param(LEFT_HOUSE, (OURS,), MET, id="case and punctuation are folded"),
        pytest.param({"words": ["two hundred five"]}, (OURS,), MET, id="numbers as well"),
        pytest.param({"words": ["order", "tomorrow"]}, (OURS,), MISSED, id="one word of two"),
        pytest.param({"words": ["ord"]}, (OURS,), MISSED, id="a part of a word"),
        pytest.param({"words": ["house the left"]}, (OURS,), MISSED, id="in another order"),
        pytest.param({"words": ["你好"]}, (said("早上你好。"),), MET, id="no spaces"),
        pytest.param(
            {"words": ["order", "gone"]}, (said("My order"), said("is gone.", 16.0)), MET, id="two"
        ),
        pytest.param({"words": ["order"]}, (said("order", 9.0),), VOID, id="the step before"),
        pytest.param(
            {"words": ["order"]},
            (said("no"), state("speaking", 20.0), said("order", 22.0)),
            MISSED,
            id="too late",
        ),
        pytest.param(
            {"words": ["order"]}, (HEARS, said("order", sender="agent-2")), VOID, id="another agent"
        ),
        pytest.param(
            {"words": ["order"]}, (Subtitle(at=15.0, sender=US, text="Your order"),), MET, id="old"
        ),
        pytest.param(
            {"words": ["order"]},
            (said("hello", 5.0), Subtitle(at=15.0, sender=US, text="Your order"), said("no")),
            MISSED,
            id="messages come before subtitles",
        ),
        pytest.param({"not_words": ["sorry"]}, (OURS,), MET, id="none of them"),
        pytest.param({"not_words": ["sorry", "order"]}, (OURS,), MISSED, id="one of them"),
        pytest.param({"regex": r"No\. \d{3}\b"}, (OURS,), MET, id="regex"),
        pytest.param({"regex": "left"}, (OURS,), MISSED, id="regex, with regard to case"),
        pytest.param({"tool": "look"}, (called("look"), ended()), MET, id="tool"),
        pytest.param({"tool": "look"}, (called("look"), ended(failed=True)), MISSED, id="fails"),
        pytest.param(
            {"tool": "look"},
            (called("look"), ended(failed=True), called("look", 14, "c2"), ended(call_id="c2")),
            MET,
            id="fails, then does not",
        ),
        pytest.param({"tool": "look"}, (called("buy"), ended()), MISSED, id="another tool"),
        pytest.param({"tool": "look"}, (HEARS,), MISSED, id="no tool"),
        pytest.param({"tool": "look"}, (called("look", 5), ended(at=6)), MISSED, id="before"),
        pytest.param({"tool": "look"}, (called("look"),), VOID, id="still runs"),
        pytest.param({"tool": "look"}, (ended(),), VOID, id="has no name"),
        pytest.param({"handoff": "sales"}, (HandOver(at=15, sender=US, to="sales"),), MET),
        pytest.param({"handoff": "any"}, (HandOver(at=15, sender=US, to="sales"),), MET),
        pytest.param({"handoff": "billing"}, (HandOver(at=15, sender=US, to="sales"),), MISSED),
        pytest.param({"handoff": "any"}, (HEARS,), MISSED, id="no hand-over"),
        pytest.param({"joins": "sip"}, (Joined(at=15, identity="p", kind="sip"),), MET),
        pytest.param({"joins": "sip"}, (Joined(at=15, identity="p", kind="standard"),), MISSED),
        pytest.param({"joins": "sip"}, (Joined(at=5, identity="p", kind="sip"),), MISSED),
        pytest.param({"leaves": True}, (Left(at=15, identity=US, in_order=True),), MET),
        pytest.param({"leaves": True}, (Left(at=15, identity=US),), MISSED, id="it died"),
        pytest.param({"leaves": True}, (Left(at=15, identity="p"),), MISSED, id="another leaves"),
        pytest.param(
            {"attribute": {"topic": "order"}},
            (Attribute(at=5, sender=US, name="topic", value="order"),),
            MET,
            id="it has the attribute already",
        ),
        pytest.param(
            {"attribute": {"topic": "order"}},
            (
                Attribute(at=5, sender=US, name="topic", value="order"),
                Attribute(at=15, sender=US, name="topic", value="bill"),
            ),
            MISSED,
            id="it changes",
        ),
        pytest.param({"attribute": {"topic": "order"}}, (), MISSED, id="it has no attribute"),
    ],
)
def test_each_kind_of_expectation(
    expect: dict[str, Any], events: tuple[Event, ...], outcome: ExpectationOutcome
) -> None:
    """Met, missed, or void: by what our agent did from our speech on, within the time."""
    assert found(expect, seen(SOUNDS, *events))[0] is outcome


@pytest.mark.parametrize(
    ("expect", "events", "why"),
    [
        ({"words": ["order"]}, (), SILENT),
        ({"not_words": ["order"]}, (), SILENT),
        ({"regex": "order"}, (HEARS,), UNTOLD),
        ({"tool": "look"}, (), SILENT),
        ({"tool": "look"}, (called("look"),), RUNNING),
        ({"tool": "look"}, (ended(),), UNNAMED),
        ({"handoff": "any"}, (Subtitle(at=15.0, sender=US, text="Hello"),), SILENT),
    ],
)
def test_what_the_agent_does_not_tell_is_void(
    expect: dict[str, Any], events: tuple[Event, ...], why: str
) -> None:
    """And never missed; the detail says why."""
    assert found(expect, seen(SOUNDS, *events)) == (VOID, why)


def test_an_agent_that_did_not_answer_missed_its_words() -> None:
    """It reports all else, so it would have reported them."""
    assert found({"words": ["order"]}, seen(HEARS)) == (MISSED, "")
    assert found({"words": ["order"]}, seen()) == (VOID, SILENT)


@pytest.mark.parametrize(
    ("expect", "outcome"),
    [
        ({"words": ["order"]}, MET),
        ({"words": ["tomorrow"]}, VOID),
        ({"tool": "look"}, VOID),
        ({"not_words": ["tomorrow"]}, VOID),
    ],
)
def test_what_the_prober_spoiled_is_no_evidence(
    expect: dict[str, Any], outcome: ExpectationOutcome
) -> None:
    """What happened all the same has happened; what did not may be our fault."""
    assert found(expect, seen(OURS, spoiled="why"))[0] is outcome


def test_a_step_has_one_result_for_each_key() -> None:
    """In the order of the keys, with its number; nothing is waited for once all are met."""
    expect = Expect(tool="look", words=("order",), not_words=("sorry",), within=5)
    results = expectations(3, expect, seen(OURS, called("look"), ended()))
    assert [str(each) for each in results] == [
        "step 3: words met",
        "step 3: not_words met",
        "step 3: tool met",
    ]
    assert not may_come(results)
    assert may_come((*results, Expectation(3, "joins", MISSED)))
    assert not may_come((Expectation(3, "not_words", MISSED),))


@pytest.mark.parametrize(
    ("outcomes", "task"),
    [
        ((MET, MET), TaskOutcome.COMPLETED),
        ((MET, VOID), TaskOutcome.VOID),
        ((MET, VOID, MISSED), TaskOutcome.MISSED),
    ],
)
def test_a_task_is_completed_when_all_is_met(
    outcomes: tuple[ExpectationOutcome, ...], task: TaskOutcome
) -> None:
    """One that is missed is enough to miss it."""
    assert TaskOutcome.of(outcomes) is task


SPEAKS, LISTENS = state("speaking", 12.0), state("listening", 18.0)
LATE = said("Your order has left, sorry.", 18.0)


@pytest.mark.parametrize(
    "begin",
    [pytest.param((SPEAKS, LISTENS), id="its state"), pytest.param((SOUNDS,), id="its sound")],
)
def test_words_count_by_when_they_began_to_sound(begin: tuple[Event, ...]) -> None:
    """The agent tells of them when it has said them, here 4 s and more after the limit."""
    told = seen(*begin, LATE, until=14.0)
    assert found({"words": ["order"]}, told) == (MET, "")
    assert found({"regex": "left"}, told) == (MET, "")
    assert found({"not_words": ["sorry"]}, told) == (MISSED, "")
    assert found({"words": ["order"]}, seen(*begin, LATE, until=11.9)) == (MISSED, "")


def test_a_second_sentence_has_a_begin_of_its_own() -> None:
    """After a tool the agent speaks again; what begins too late does not count."""
    again = state("speaking", 19.0)
    step = seen(SPEAKS, said("One moment.", 13.0), again, said("Sorry.", 20.0), until=18.0)
    assert found({"not_words": ["sorry"]}, step) == (MET, "")
    assert found({"words": ["sorry"]}, step) == (MISSED, "")


def test_nothing_is_said_of_words_that_are_still_to_be_told() -> None:
    """They may have what is expected, and what is not; what was told already is known."""
    step = seen(asked(), said("Hello.", 13.0), state("speaking", 14.0))
    assert found({"not_words": ["sorry"]}, step) == (VOID, UNTOLD)
    assert found({"words": ["sorry"]}, step) == (VOID, UNTOLD)
    assert found({"words": ["hello"]}, step) == (MET, "")
    assert found({"not_words": ["hello"]}, step) == (MISSED, "")


@pytest.mark.parametrize(
    ("events", "by"),
    [
        pytest.param((HEARS,), 0.0, id="it says nothing"),
        pytest.param((SPEAKS, LATE), 0.0, id="it told all"),
        pytest.param((SPEAKS, LISTENS), 18 + TOLD_S, id="it has come to its end"),
        pytest.param((SPEAKS,), 30 + TOLD_S, id="it speaks"),
        pytest.param((AgentSounded(at=12.0, until=14.5),), 14.5 + TOLD_S, id="it has no states"),
    ],
)
def test_words_are_waited_for_until_a_while_after_their_end(
    events: tuple[Event, ...], by: float
) -> None:
    """No longer than the longest reply."""
    assert seen(*events).told_by(now=30.0) == by
    assert seen(*events).told_by(now=99.0) <= 12 + REPLY_LIMIT_S + TOLD_S


@pytest.mark.parametrize(
    ("events", "counts"),
    [
        pytest.param((asked(), said("order")), True, id="after what it heard"),
        pytest.param((said("order", 11.2), asked()), False, id="late, before what it heard"),
        pytest.param((said("order", 11.2, llm=False), asked()), True, id="without a model"),
        pytest.param((said("order", 10.5, llm=False), asked()), False, id="... while we spoke"),
        pytest.param((said("order", 10.5),), False, id="while we spoke"),
        pytest.param((asked(10.2), said("order", 10.5)), True, id="it took a pause for the end"),
        pytest.param(
            (asked(10.2), said("order", 10.5, interrupted=True)), False, id="we cut it off"
        ),
        pytest.param(
            (asked(), said("order", interrupted=True)), True, id="something else cut it off"
        ),
    ],
)
def test_what_was_said_in_the_step_before_does_not_count(
    events: tuple[Event, ...], counts: bool
) -> None:
    """A late answer, or one that our words cut off, is told while we speak or soon after."""
    wanted = (MET, MISSED) if counts else (MISSED, MET)
    step = seen(HEARS, *events, said("hello", 16.0))
    assert found({"words": ["order"]}, step)[0] is wanted[0]
    assert found({"not_words": ["order"]}, step)[0] is wanted[1]


def test_a_text_that_was_cut_off_does_not_count() -> None:
    """It ends while we speak: an agent without messages does not say that it was interrupted."""
    before, now = (Subtitle(at=at, sender=US, text="order") for at in (10.5, 15.0))
    assert found({"words": ["order"]}, seen(before)) == (MISSED, "")
    assert found({"words": ["order"]}, seen(before, now)) == (MET, "")


def test_a_step_is_that_of_every_agent_in_it() -> None:
    """The first one calls a tool and goes; the second one answers."""
    step = seen(HEARS, called("transfer"), ended(), Left(at=14.0, identity=US, in_order=True))
    call = step.call
    call.agent = "agent-2"
    for each in (asked(15.0, "agent-2"), said("Sales.", 16.0, "agent-2")):
        call.add(each)
    expect = Expect(tool="transfer", leaves=True, words=("sales",))
    assert {each.outcome for each in expectations(1, expect, step)} == {MET}
    assert found({"handoff": "any"}, step) == (VOID, SILENT)  # the second one may not tell
    call.reporters.add("agent-2")
    assert found({"handoff": "any"}, step) == (MISSED, "")


def test_an_agent_that_reports_told_of_all_that_happened() -> None:
    """Also where the first thing that it would tell of did not happen."""
    step = seen()
    step.call.reporters.add(US)
    assert found({"tool": "look"}, step) == (MISSED, "")


def test_an_endless_regular_expression_ends() -> None:
    """It would hold up the prober for years; the words are not repeated."""
    step = seen(asked(), said("so it went on and on and on without an end, " * 9))
    began = time.process_time()
    assert found({"regex": r"^(\w+,?\s?)*\.$"}, step) == (VOID, ENDLESS)
    assert time.process_time() - began < 5
    assert found({"regex": r"an end, so"}, step) == (MET, "")
    assert not occurs("end", " " * LONGEST + "end")


def test_what_did_not_come_in_time_is_unknown_where_nobody_looked() -> None:
    """What came is known, also where it is what was not to come."""
    found = (
        Expectation(1, "tool", ExpectationOutcome.MISSED),
        Expectation(1, "joins", ExpectationOutcome.MET),
        Expectation(1, "not_words", ExpectationOutcome.MISSED),
        Expectation(1, "not_words", ExpectationOutcome.MET),
        Expectation(1, "words", ExpectationOutcome.VOID, "untold"),
    )
    told = [str(each) for each in unknown_if_missed(found, "late")]
    assert told == [
        "step 1: tool void: late",
        "step 1: joins met",
        "step 1: not_words missed",
        "step 1: not_words met",
        "step 1: words void: untold",
    ]
