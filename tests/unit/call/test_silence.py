"""When an agent stopped, whether it went on, and what that makes of a sound of the caller."""

import math

import pytest

from exporter.outcome import (
    AnswerOutcome,
    Backchannel,
    BackchannelOutcome,
    Interruption,
    InterruptionOutcome,
    Timeline,
    Turn,
    TurnOutcome,
    TurnReport,
)
from exporter.outcome.timeline import AgentState, CallerSpoke, Event, FalseInterruption, Message
from exporter.probes.latency.scenarios.backchannel import ENDED_JUST_THEN, backchannel
from exporter.probes.latency.scenarios.barge_in import (
    UNTOLD,
    _answered_later,
    _void,
    _with_answer,
    interruption,
)
from exporter.probes.latency.scenarios.silence import Reply, Span
from tests.unit.calls import replied

Sounds = tuple[Span, ...]
TWICE: Sounds = ((10.0, 14.0), (17.0, 19.0))
"""A reply with a silence of three seconds in it; heard to 30 s."""
ONCE: Sounds = ((10.0, 14.0),)
STOP = (14.0, 17.0)


def heard(
    sounds: Sounds,
    *events: Event,
    until: float = 30.0,
    control_s: float | None = None,
    reports: bool = False,
) -> Reply:
    """Return what was heard of an agent, which reported these events."""
    call = Timeline()
    if reports:
        call.reporters.add("")
    for event in events:
        call.add(event)
    return Reply(call, sounds, until, control_s)


def state(at: float, state: str) -> AgentState:
    """Return what an agent says of itself."""
    return AgentState(at=at, state=state)


def spoken(at: float, *, interrupted: bool = False, by_agent: bool = True) -> Message:
    """Return a message that was added."""
    return Message(at=at, by_agent=by_agent, figures=TurnReport(), interrupted=interrupted)


def test_silences() -> None:
    """One after each sound; the last has no end yet."""
    three = heard(((1.0, 2.0), (3.0, 4.0), (6.0, 7.0)))
    assert list(three.silences()) == [(2.0, 3.0), (4.0, 6.0), (7.0, math.inf)]
    assert list(heard(()).silences()) == []


BEFORE = state(-0.5, "speaking")
AFTER = state(9.0, "listening")


@pytest.mark.parametrize(
    ("length_s", "states", "stopped"),
    [
        pytest.param(1.0, (), True, id="a second of an agent that tells no state"),
        pytest.param(0.875, (), False, id="a pause between its sentences"),
        pytest.param(2.0, (BEFORE, AFTER), True, id="two seconds while it says that it speaks"),
        pytest.param(1.875, (BEFORE, AFTER), False, id="less"),
        pytest.param(0.3, (BEFORE, state(0.1, "listening")), True, id="it says that it stopped"),
        pytest.param(0.25, (BEFORE, state(0.1, "listening")), False, id="shorter than 0.3 s"),
        pytest.param(0.5, (state(-0.5, "thinking"),), True, id="it has said so before"),
        pytest.param(0.5, (state(0.0, "thinking"),), True, id="just when the silence began"),
        pytest.param(0.5, (state(-0.5, "idle"), BEFORE), False, id="it speaks again since"),
        pytest.param(0.5, (BEFORE, state(0.5, "listening")), False, id="only as it sounds again"),
        pytest.param(
            0.5, (BEFORE, state(0.1, "speaking"), state(0.2, "idle")), True, id="the second of two"
        ),
    ],
)
def test_an_agent_has_stopped(length_s: float, states: tuple[Event, ...], stopped: bool) -> None:
    """By the length of its silence, and by what it says of itself meanwhile."""
    reply = heard(((-1.0, 0.0), (length_s, length_s + 0.1)), *states, until=length_s + 0.2)
    assert reply.stop(0.0) == ((0.0, length_s) if stopped else None)


def test_a_silence_is_as_long_as_it_was_heard() -> None:
    """The last one goes on: it counts up to now."""
    assert heard(ONCE, until=14.875).stop(10.0) is None
    assert heard(ONCE, until=15.0).stop(10.0) == (14.0, math.inf)


def test_the_first_stop_that_is_not_over_counts() -> None:
    """One that ends just then is over."""
    assert heard(TWICE).stop(16.9) == STOP
    assert heard(TWICE).stop(17.0) == (19.0, math.inf)


@pytest.mark.parametrize(
    ("since", "until", "longer_than_s", "found"),
    [
        pytest.param(14.0, 14.5, 2.9, STOP, id="it begins with the sound"),
        pytest.param(14.1, 20.0, 2.9, (19.0, math.inf), id="it began before"),
        pytest.param(13.0, 14.0, 2.9, None, id="it begins too late"),
        pytest.param(13.0, 15.0, 3.0, None, id="it is no longer than that"),
        pytest.param(13.0, 20.0, 11.0, None, id="as far as it was heard"),
    ],
)
def test_gap(since: float, until: float, longer_than_s: float, found: Span | None) -> None:
    """The first silence within the time that is longer."""
    assert heard(TWICE).gap(since, until, longer_than_s) == found


def test_a_gap_of_an_agent_that_says_that_it_speaks_is_none() -> None:
    """It has a pause there of its own."""
    speaks = state(10.0, "speaking")
    assert heard(TWICE, speaks).gap(13.0, 15.0, 1.0) is None
    assert heard(TWICE, speaks, state(16.0, "listening")).gap(13.0, 15.0, 1.0) == STOP


@pytest.mark.parametrize(
    ("events", "goes_on"),
    [
        pytest.param((), True, id="it would report what else happened"),
        pytest.param((spoken(15.0, by_agent=False),), False, id="the caller's turn is over"),
        pytest.param((spoken(13.5, by_agent=False),), False, id="since the sound"),
        pytest.param((spoken(13.0, by_agent=False),), True, id="before the sound"),
        pytest.param((spoken(17.0, by_agent=False),), True, id="after the silence"),
        pytest.param((spoken(15.0, interrupted=True),), False, id="its reply is interrupted"),
        pytest.param((spoken(15.0),), True, id="a part of its reply is over"),
        pytest.param((spoken(15.0), spoken(16.0, interrupted=True)), False, id="another is not"),
        pytest.param((state(15.0, "thinking"),), False, id="it makes a new reply"),
        pytest.param((state(13.0, "thinking"),), True, id="it made this one"),
        pytest.param((state(17.0, "thinking"),), True, id="it makes the next one"),
        pytest.param((state(15.0, "listening"),), True, id="it listens meanwhile"),
        pytest.param(
            (FalseInterruption(at=16.0, resumed=False), spoken(15.0, interrupted=True)),
            False,
            id="it gives up what it was saying",
        ),
        *(
            pytest.param(
                (FalseInterruption(at=at, resumed=True), spoken(15.0, interrupted=True)),
                goes_on,
                id=f"it says at {at} s that it goes on",
            )
            for at, goes_on in ((13.0, False), (13.5, True), (17.9, True), (18.0, False))
        ),
    ],
)
def test_the_same_reply_goes_on(events: tuple[Event, ...], goes_on: bool) -> None:
    """By what an agent reports from the caller's sound at 13.5 s to the end of its silence."""
    assert heard(TWICE, *events, reports=True).goes_on(STOP, 13.5) is goes_on
    assert not heard(ONCE, *events, reports=True).goes_on((14.0, math.inf), 13.5)


def test_an_agent_that_says_when_it_thinks_would_have_thought() -> None:
    """Without messages that is enough; other states tell nothing of replies."""
    assert heard(TWICE, state(3.0, "thinking")).goes_on(STOP, 13.5)
    assert not heard(TWICE, state(3.0, "listening")).goes_on(STOP, 13.5)


@pytest.mark.parametrize(
    ("sounds", "until", "control_s", "same"),
    [
        pytest.param(TWICE, 30.0, None, False, id="nothing to compare with"),
        pytest.param(TWICE, 30.0, 6.0, True, id="both parts are as long"),
        pytest.param(TWICE, 30.0, 5.625, True, id="a little more"),
        pytest.param(TWICE, 30.0, 6.375, True, id="a little less"),
        pytest.param(TWICE, 30.0, 5.5, False, id="half a second more"),
        pytest.param(TWICE, 30.0, 6.5, False, id="half a second less"),
        pytest.param(TWICE, 19.5, 6.0, True, id="the second has just ended"),
        pytest.param((*TWICE, (25.0, 26.0)), 30.0, 6.0, True, id="what follows is another"),
        pytest.param((*TWICE, (19.5, 20.0)), 30.0, 7.0, True, id="a pause is no end"),
        pytest.param((*TWICE, (19.5, 20.0)), 20.5, 7.0, True, id="nor where it has just ended"),
        pytest.param(((10.0, 14.0), (17.0, 33.0)), 40.0, 21.0, True, id="5 % of a long one"),
        pytest.param(((10.0, 14.0), (17.0, 32.0)), 40.0, 20.0, True, id="exactly so much"),
        pytest.param(((10.0, 14.0), (17.0, 33.0)), 40.0, 19.0, False, id="more than 5 %"),
    ],
)
def test_the_rest_of_a_reply_is_known_by_its_length(
    sounds: Sounds, until: float, control_s: float | None, same: bool
) -> None:
    """Of an agent that reports nothing: both parts are as long as a reply that was left alone."""
    assert heard(sounds, until=until, control_s=control_s).goes_on(STOP, 13.5) is same


@pytest.mark.parametrize(
    ("events", "marked"),
    [
        pytest.param((), None, id="it reports no messages"),
        pytest.param((spoken(13.0, interrupted=True),), None, id="one of the turn before"),
        pytest.param((spoken(17.0, interrupted=True),), None, id="one of what follows"),
        pytest.param((spoken(15.0, by_agent=False),), None, id="the caller's"),
        pytest.param((spoken(13.5, interrupted=True),), True, id="interrupted"),
        pytest.param((spoken(15.0), spoken(16.0, interrupted=True)), False, id="the first counts"),
    ],
)
def test_a_reply_is_marked_as_interrupted(events: tuple[Event, ...], marked: bool | None) -> None:
    """By the first message of the agent between the sound at 13.5 s and what it says next."""
    assert heard(TWICE, *events).marked(STOP, 13.5) is marked


def test_a_report_of_the_last_reply_may_come_late() -> None:
    """Nothing follows it that could be meant."""
    late = heard(ONCE, spoken(40.0, interrupted=True))
    assert late.marked((14.0, math.inf), 13.5) is True


@pytest.mark.parametrize(
    ("control_s", "stop_s", "left_s"),
    [
        (None, 14.0, None),
        (6.5, 14.0, 2.5),
        (4.0, 14.0, 0.0),
        (4.0, 14.375, -0.375),
        (4.0, 14.5, None),
        (20.0, 31.0, -1.0),
        (20.0, 31.125, None),
    ],
)
def test_what_was_left_of_a_reply(
    control_s: float | None, stop_s: float, left_s: float | None
) -> None:
    """By one that was left alone; of other words where this one was longer, so that is unknown."""
    reply = heard(((10.0, stop_s),), control_s=control_s)
    assert reply.left_s((stop_s, math.inf)) == left_s


SPOKE = CallerSpoke(at=13.5, until=15.0)


def stops_at(end: float, control_s: float | None = None) -> Reply:
    """Return a reply that ends then, of an agent that reports nothing."""
    return heard(((10.0, end),), control_s=control_s)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param(
            stops_at(29.5, control_s=90.0), Interruption(InterruptionOutcome.TALKED_ON), id="never"
        ),
        pytest.param(
            stops_at(17.25, control_s=90.0),
            Interruption(InterruptionOutcome.TALKED_ON),
            id="later than two seconds after it",
        ),
        pytest.param(
            stops_at(17.0, control_s=90.0),
            Interruption(InterruptionOutcome.YIELDED, 3.5),
            id="two seconds after it",
        ),
        pytest.param(
            heard(((10.0, 13.0), (15.5, 16.0)), control_s=20.0),
            Interruption(InterruptionOutcome.YIELDED, 0.0),
            id="in a pause of its own",
        ),
        pytest.param(
            heard(TWICE, reports=True),
            Interruption(InterruptionOutcome.RESUMED),
            id="it goes on",
        ),
        pytest.param(
            heard(ONCE, spoken(15.0), control_s=90.0),
            Interruption(InterruptionOutcome.FINISHED_FIRST),
            id="it is not marked as interrupted",
        ),
        pytest.param(
            stops_at(14.0, control_s=4.875),
            Interruption(InterruptionOutcome.FINISHED_FIRST),
            id="it had little left",
        ),
        pytest.param(
            stops_at(14.0, control_s=5.0),
            Interruption(InterruptionOutcome.YIELDED, 0.5),
            id="it had a second left",
        ),
        pytest.param(
            heard(ONCE, spoken(15.0, interrupted=True)),
            Interruption(InterruptionOutcome.YIELDED, 0.5),
            id="it is marked as interrupted",
        ),
        pytest.param(
            stops_at(14.0),
            Interruption(InterruptionOutcome.VOID, detail=UNTOLD),
            id="nothing tells",
        ),
    ],
)
def test_interruption(reply: Reply, expected: Interruption) -> None:
    """What an agent did at words of the caller from 13.5 to 15 s."""
    assert interruption(reply, SPOKE) == expected


@pytest.mark.parametrize(
    ("reply", "control_gap_s", "expected"),
    [
        pytest.param(
            heard(TWICE, reports=True), 3.0, Backchannel(BackchannelOutcome.IGNORED), id="as ever"
        ),
        pytest.param(
            heard(TWICE, reports=True),
            2.5,
            Backchannel(BackchannelOutcome.PAUSED, 3.0),
            id="longer than its pauses are",
        ),
        pytest.param(
            stops_at(17.0, control_s=90.0),
            0.1,
            Backchannel(BackchannelOutcome.IGNORED),
            id="it spoke on for two seconds",
        ),
        pytest.param(
            stops_at(16.5, control_s=90.0),
            0.1,
            Backchannel(BackchannelOutcome.STOPPED),
            id="it spoke on for less",
        ),
        pytest.param(
            stops_at(13.0, control_s=90.0),
            0.1,
            Backchannel(BackchannelOutcome.IGNORED),
            id="it was over before",
        ),
        pytest.param(
            heard(ONCE, spoken(15.0)),
            0.1,
            Backchannel(BackchannelOutcome.IGNORED),
            id="it had come to its end",
        ),
        pytest.param(
            heard(ONCE, spoken(15.0, interrupted=True)),
            0.1,
            Backchannel(BackchannelOutcome.STOPPED),
            id="it is marked as interrupted",
        ),
        pytest.param(
            stops_at(14.0),
            0.1,
            Backchannel(BackchannelOutcome.VOID, detail=ENDED_JUST_THEN),
            id="nothing tells",
        ),
        pytest.param(
            stops_at(14.0, control_s=4.875),
            0.1,
            Backchannel(BackchannelOutcome.VOID, detail=ENDED_JUST_THEN),
            id="it had little left",
        ),
        pytest.param(
            stops_at(14.0, control_s=5.0),
            0.1,
            Backchannel(BackchannelOutcome.STOPPED),
            id="it had a second left",
        ),
    ],
)
def test_backchannel(reply: Reply, control_gap_s: float, expected: Backchannel) -> None:
    """What an agent did at a short sound of the caller from 13.5 to 15 s."""
    assert backchannel(reply, SPOKE, control_gap_s) == expected


YIELDED = Interruption(InterruptionOutcome.YIELDED, 0.5)
RESUMED = Interruption(InterruptionOutcome.RESUMED)


@pytest.mark.parametrize(
    ("found", "answer", "outcome", "answer_s"),
    [
        pytest.param(YIELDED, None, None, None, id="it was not waited for"),
        pytest.param(YIELDED, Turn(TurnOutcome.VOID), None, None, id="it could not be timed"),
        pytest.param(
            YIELDED, Turn(TurnOutcome.FAILED), AnswerOutcome.UNANSWERED, None, id="none came"
        ),
        pytest.param(YIELDED, replied(1.25), AnswerOutcome.ANSWERED, 1.25, id="it came"),
        pytest.param(
            YIELDED, replied(0.5, answer_s=2.5), AnswerOutcome.ANSWERED, 2.5, id="after a filler"
        ),
        pytest.param(
            RESUMED, replied(1.25), AnswerOutcome.UNANSWERED, None, id="the old reply went on"
        ),
    ],
)
def test_the_answer_to_an_interruption(
    found: Interruption, answer: Turn | None, outcome: AnswerOutcome | None, answer_s: float | None
) -> None:
    """It is added to what the agent did; a void turn tells nothing of it."""
    expected = Interruption(found.outcome, found.yield_s, outcome, answer_s)
    assert _with_answer(found, answer) == expected


def test_an_agent_that_talks_on_may_answer_later() -> None:
    """With what it says next; the time is from the end of the caller's words."""
    found = Interruption(InterruptionOutcome.TALKED_ON)
    answered = Interruption(found.outcome, None, AnswerOutcome.ANSWERED, 5.0)
    unanswered = Interruption(found.outcome, None, AnswerOutcome.UNANSWERED)
    assert _answered_later(found, (18.0, 20.0), 15.0) == answered
    assert _answered_later(found, (18.0, math.inf), 15.0) == unanswered
    assert _answered_later(found, None, 15.0) == unanswered


def test_a_void_interruption_says_why() -> None:
    """Nothing else of it is known."""
    assert _void("why") == Interruption(InterruptionOutcome.VOID, detail="why")
