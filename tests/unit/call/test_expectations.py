"""Whether a step came out as expected, from the events of a call alone."""

from typing import Any

import pytest

from exporter.outcome import Expectation, ExpectationOutcome, TaskOutcome, Timeline, TurnReport
from exporter.outcome.timeline import (
    Attribute,
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
from exporter.probes.latency.expectations import (
    RUNNING,
    SILENT,
    UNNAMED,
    UNTOLD,
    Seen,
    expectations,
    may_come,
)
from exporter.probes.latency.script import Expect

US = "agent-1"
SINCE, UNTIL = 10.0, 20.0
MET, MISSED, VOID = ExpectationOutcome


def said(text: str, at: float = 15.0, sender: str = US) -> Event:
    """Return that an agent reports what it said."""
    return Message(at=at, sender=sender, by_agent=True, figures=TurnReport(), text=text)


def called(name: str, at: float = 12.0, call_id: str = "c1") -> Event:
    """Return that the agent calls a tool."""
    return ToolStarted(at=at, sender=US, call_id=call_id, name=name)


def ended(*, failed: bool = False, at: float = 13.0, call_id: str = "c1") -> Event:
    """Return that a tool came to its end."""
    return ToolEnded(at=at, sender=US, call_id=call_id, failed=failed)


def found(
    expect: dict[str, Any], *events: Event, replied: bool = True, spoiled: str = ""
) -> tuple[ExpectationOutcome, str]:
    """Return what becomes of the one thing that is expected when these things happened."""
    call = Timeline(US)
    for each in events:
        call.add(each)
    seen = Seen(call=call, since=SINCE, until=UNTIL, replied=replied, spoiled=spoiled)
    (one,) = expectations(1, Expect(**expect), seen)
    return one.outcome, one.detail


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
        pytest.param({"words": ["order"]}, (HEARS, said("order", 20.0)), MISSED, id="too late"),
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
        pytest.param({"leaves": True}, (Left(at=15, identity=US),), MET),
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
    assert found(expect, *events)[0] is outcome


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
    assert found(expect, *events) == (VOID, why)


def test_an_agent_that_did_not_answer_missed_its_words() -> None:
    """It reports all else, so it would have reported them."""
    assert found({"words": ["order"]}, HEARS, replied=False) == (MISSED, "")
    assert found({"words": ["order"]}, replied=False) == (VOID, SILENT)


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
    assert found(expect, OURS, spoiled="why")[0] is outcome


def test_a_step_has_one_result_for_each_key() -> None:
    """In the order of the keys, with its number; nothing is waited for once all are met."""
    call = Timeline(US)
    for each in (OURS, called("look"), ended()):
        call.add(each)
    expect = Expect(tool="look", words=("order",), not_words=("sorry",), within=5)
    results = expectations(3, expect, Seen(call=call, since=SINCE, until=UNTIL))
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
