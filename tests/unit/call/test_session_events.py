"""The agent's own figures: nothing counted twice, nothing unknown made 0, nothing said kept."""

import math
import time
from dataclasses import replace
from typing import cast

import pytest
from livekit import rtc
from livekit.protocol.agent_pb import agent_session as pb

from exporter.outcome import TurnReport
from exporter.outcome.timeline import Event, HandOver, ToolEnded
from exporter.rtc.session_events import SessionEvents
from exporter.rtc.session_messages import events_of
from tests import virtual_time
from tests.virtual_time import Clock

REPORT = TurnReport(
    transcription_delay_s=0.5, end_of_turn_delay_s=0.7, llm_ttft_s=0.4, tts_ttfb_s=0.1, e2e_s=1.25
)


def test_parts_add_up_to_what_the_caller_heard() -> None:
    """The end-of-turn delay holds the transcription delay: only what it has over it is a part."""
    parts, wrong = REPORT.split(1.5)
    assert wrong == ()
    assert (parts.transcription_s, parts.llm_s, parts.tts_s) == (0.5, 0.4, 0.1)
    assert parts.end_of_turn_s == pytest.approx(0.2)
    assert parts.transport_s == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("reported_s", "heard_s"),
    [
        pytest.param(1.0, 1.1, id="more than the whole"),
        pytest.param(1.05, 1.3, id="less than the whole, more than the agent counts"),
    ],
)
def test_parts_that_overlap_leave_no_transport(reported_s: float, heard_s: float) -> None:
    """Where the model ran ahead of the end of the turn, the rest is unknown."""
    parts, wrong = replace(REPORT, e2e_s=reported_s).split(heard_s)
    assert (parts.transport_s, wrong) == (None, ())


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(TurnReport(), id="nothing reported"),
        pytest.param(TurnReport(e2e_s=1.0), id="a realtime model"),
        pytest.param(TurnReport(llm_ttft_s=0.4, tts_ttfb_s=0.1), id="no end of turn"),
    ],
)
def test_what_is_unknown_stays_unknown(report: TurnReport) -> None:
    """Without all four parts there is no transport, and no part is 0."""
    parts, wrong = report.split(1.5)
    assert (parts.transport_s, parts.transcription_s, wrong) == (None, None, ())


FULL = replace(
    REPORT,
    on_user_turn_completed_s=0.05,
    llm_ttfs_s=0.45,
    tools_s=1.5,
    tool_requests_s=0.3,
    e2e_s=3.1,
)


def test_everything_that_is_reported_is_a_part() -> None:
    """Tools, the requests that called them, the agent's own code and the first sentence."""
    parts, _ = FULL.split(3.3)
    assert (parts.on_user_turn_completed_s, parts.tools_s) == (0.05, 1.5)
    assert parts.llm_s == pytest.approx(0.4 + 0.3)
    assert parts.first_sentence_s == pytest.approx(0.05)
    assert parts.transport_s == pytest.approx(3.3 - (0.7 + 0.05 + 0.7 + 1.5 + 0.05 + 0.1))


def test_a_part_longer_than_the_turn_is_left_out() -> None:
    """Agents have reported 200 s; the rest is unknown then, and no part is below 0."""
    parts, wrong = replace(REPORT, llm_ttft_s=200.0).split(1.5)
    assert wrong == ("llm",)
    assert (parts.llm_s, parts.transport_s, parts.tts_s) == (None, None, 0.1)
    assert replace(REPORT, tts_ttfb_s=-0.3).split(1.5)[1] == ("tts",)
    assert REPORT.split(0.5)[1] == ()  # as long as the whole: possible


@pytest.mark.parametrize(
    ("told_s", "kept"),
    [(1.9, True), (2.6, False), (200.0, False), (-0.4, False), (math.nan, False)],
)
def test_the_agents_own_latency_is_left_out_where_it_cannot_be(
    told_s: float, *, kept: bool
) -> None:
    """An agent may take the end of speech for earlier than it was, but not by seconds."""
    found = replace(REPORT, e2e_s=told_s).plausible_e2e_s(1.5)
    assert found == (told_s if kept else None)


def test_without_the_begin_of_a_tool_the_rest_is_no_transport() -> None:
    """Agents before tool_execution_updated tell of a tool at its end only; its time is unknown."""
    event = at(2.0, pb.AgentSessionEvent())
    event.function_tools_executed.function_calls.add(call_id="a", name="look_up_order")
    event.function_tools_executed.function_call_outputs.add(call_id="a", is_error=False)
    report, _, _ = merged((US, USER), (US, event), (US, ANSWER))
    assert report.split(5.1)[0].transport_s is None
    (ended,) = events_of(event, 1.0, US)
    assert isinstance(ended, ToolEnded)
    assert (ended.name, ended.failed) == ("look_up_order", False)


def test_behind_a_filler_the_rest_is_no_transport() -> None:
    """The work of the agent fills it, and a part may take all of that time."""
    parts, wrong = FULL.split(9.0, whole=False)
    assert (parts.transport_s, parts.tools_s, wrong) == (None, 1.5, ())


def item(role: pb.ChatRole, **metrics: float) -> pb.AgentSessionEvent:
    """Return the event that tells of one message and its figures."""
    event = pb.AgentSessionEvent()
    message = event.conversation_item_added.item.message
    message.role = role
    message.content.add().text = "words that must not be kept"
    for name, value in metrics.items():
        setattr(message.metrics, name, value)
    return event


Told = tuple[str, pb.AgentSessionEvent]
"""Who told, and what."""

US = "agent-1"
OTHER = "agent-2"


def merged(*told: Told) -> tuple[TurnReport, str, str]:
    """Return what is known about a turn that began before these events, its error, and all kept."""

    async def listen(clock: Clock) -> tuple[TurnReport, str, str]:
        listener = SessionEvents(rtc.Room())
        listener.timeline.agent = US
        began = time.monotonic()
        for sender, event in told:
            clock.advance(0.01)
            listener.timeline.reporters.add(sender)
            listener._take(event, sender)
        try:
            report = await listener.report_since(began, time.monotonic(), 0.0)
            return (
                report,
                listener.error_since(began),
                repr([*listener.timeline.of(Event), *vars(listener).values()]),
            )
        finally:
            await listener.aclose()

    return virtual_time.run(listen)


def test_both_halves_of_a_turn_are_joined() -> None:
    """The user's message has the figures of listening, the agent's those of answering."""
    report, _, kept = merged(
        (US, item(pb.USER, transcription_delay=0.5, end_of_turn_delay=0.7)),
        (US, item(pb.ASSISTANT, llm_node_ttft=0.4, tts_node_ttfb=0.1, e2e_latency=1.25)),
    )
    assert report.transcription_delay_s == pytest.approx(0.5)
    assert report.llm_ttft_s == pytest.approx(0.4)
    assert report.e2e_s == pytest.approx(1.25)
    assert "words that must not be kept" not in kept


def test_the_first_answer_is_the_one_that_was_waited_for() -> None:
    """A second message of the same turn, after a tool call, does not replace its figures."""
    report, _, _ = merged(
        (US, item(pb.USER, transcription_delay=0.5, end_of_turn_delay=0.7)),
        (US, item(pb.ASSISTANT, llm_node_ttft=0.4, e2e_latency=1.2)),
        (US, item(pb.ASSISTANT, llm_node_ttft=0.9, tts_node_ttfb=0.1, e2e_latency=3.0)),
    )
    assert report.llm_ttft_s == pytest.approx(0.4)
    assert report.tts_ttfb_s == pytest.approx(0.1)
    assert report.e2e_s == pytest.approx(1.2)


def test_a_late_answer_to_the_turn_before_is_not_this_turns() -> None:
    """What comes before the user's message of this turn belongs to the last one."""
    report, _, _ = merged(
        (US, item(pb.ASSISTANT, llm_node_ttft=9.0, e2e_latency=9.9)),
        (US, item(pb.USER, transcription_delay=0.5, end_of_turn_delay=0.7)),
        (US, item(pb.ASSISTANT, llm_node_ttft=0.4, tts_node_ttfb=0.1, e2e_latency=1.2)),
    )
    assert report.llm_ttft_s == pytest.approx(0.4)
    assert report.transcription_delay_s == pytest.approx(0.5)


ANSWER = item(pb.ASSISTANT, llm_node_ttft=0.4, tts_node_ttfb=0.1, e2e_latency=5.0)
USER = item(pb.USER, transcription_delay=0.5, end_of_turn_delay=0.7)
LINE = item(pb.ASSISTANT, tts_node_ttfb=0.27)
"""By `session.say`, as livekit-agents 1.8.9 reports it: ahead of the user's, without a latency."""


@pytest.mark.parametrize(
    ("events", "only_said"),
    [
        pytest.param((), False, id="nothing"),
        pytest.param((LINE,), True, id="a line"),
        pytest.param((LINE, USER), True, id="the answer is on its way"),
        pytest.param((LINE, USER, ANSWER), False, id="answered"),
        pytest.param((USER, ANSWER, LINE), False, id="answered, and a line after it"),
        pytest.param((item(pb.ASSISTANT, llm_node_ttft=0.3),), True, id="a generated line"),
        pytest.param((USER, item(pb.ASSISTANT, llm_node_ttft=0.3)), False, id="no latency known"),
        pytest.param((item(pb.ASSISTANT, e2e_latency=1.0),), False, id="a realtime model"),
        pytest.param((USER, item(pb.ASSISTANT)), False, id="no figures at all"),
    ],
)
def test_what_is_said_is_not_always_an_answer(
    events: tuple[pb.AgentSessionEvent, ...], only_said: bool
) -> None:
    """An answer has a latency, or comes of the language model after the user's message."""

    async def listen(clock: Clock) -> tuple[bool, bool]:
        listener = SessionEvents(rtc.Room())
        listener.timeline.agent = US
        began = time.monotonic()
        for event in events:
            clock.advance(0.01)
            listener._take(event, US)
        found = listener.only_said_since(began)
        listener.timeline.agent = OTHER
        others = listener.only_said_since(began)
        await listener.aclose()
        return found, others

    assert virtual_time.run(listen) == (only_said, False)


def test_what_another_agent_reports_is_not_ours() -> None:
    """Figures and errors of a bystander in the room are left out."""
    failure = pb.AgentSessionEvent()
    failure.error.message = "the bystander's model is down"
    report, error, _ = merged(
        (OTHER, item(pb.USER, transcription_delay=5.0, end_of_turn_delay=7.0)),
        (OTHER, item(pb.ASSISTANT, llm_node_ttft=9.0)),
        (OTHER, failure),
    )
    assert report == TurnReport()
    assert error == ""


def test_an_error_is_one_line() -> None:
    """What the agent tells of its error fits a log line."""
    failure = pb.AgentSessionEvent()
    failure.error.message = "model down\nwith a second line" + "." * 1000
    _, error, _ = merged((US, failure))
    assert error.startswith("model down with a second line")
    assert len(error) < 300


def test_an_agent_that_never_reported_is_not_waited_for() -> None:
    """Nothing heard is an empty report at once, whatever the limit."""

    async def ask(_clock: Clock) -> tuple[TurnReport, float]:
        listener = SessionEvents(rtc.Room())
        listener.timeline.agent = US
        began = time.monotonic()
        report = await listener.report_since(began, time.monotonic(), timeout_s=60.0)
        await listener.aclose()
        return report, time.monotonic() - began

    assert virtual_time.run(ask) == (TurnReport(), 0.0)


def test_a_stream_that_breaks_costs_only_its_own_message() -> None:
    """After a stream that failed in transit the next one is read."""

    class Broken:
        def __aiter__(self) -> "Broken":
            return self

        async def __anext__(self) -> bytes:
            raise rtc.StreamError("aborted")

    class Whole:
        def __init__(self, data: bytes) -> None:
            self._chunks = [data]

        def __aiter__(self) -> "Whole":
            return self

        async def __anext__(self) -> bytes:
            if not self._chunks:
                raise StopAsyncIteration
            return self._chunks.pop()

    message = pb.AgentSessionMessage()
    message.event.CopyFrom(item(pb.ASSISTANT, llm_node_ttft=0.4))

    async def listen(_clock: Clock) -> TurnReport:
        listener = SessionEvents(rtc.Room())
        listener.timeline.agent = US
        began = time.monotonic()
        listener.timeline.reporters.add(US)
        for stream in (Broken(), Whole(message.SerializeToString())):
            listener._on_stream(cast("rtc.ByteStreamReader", stream), US)
        try:
            return await listener.report_since(began, time.monotonic(), timeout_s=30.0)
        finally:
            await listener.aclose()

    assert virtual_time.run(listen).llm_ttft_s == pytest.approx(0.4)


def at(seconds: float, event: pb.AgentSessionEvent) -> pb.AgentSessionEvent:
    """Return an event that happened then by the clock of the agent."""
    event.created_at.FromNanoseconds(1_795_822_390_000_000_000 + round(seconds * 1e9))
    return event


def tool(call_id: str, status: pb.ToolCallStatus | None = None) -> pb.AgentSessionEvent:
    """Return the event that tells of the begin of a tool, or of its end."""
    event = pb.AgentSessionEvent()
    if status is None:
        event.tool_execution_updated.started.function_call.call_id = call_id
        event.tool_execution_updated.started.function_call.name = "look_up_order"
    else:
        event.tool_execution_updated.ended.call_id = call_id
        event.tool_execution_updated.ended.status = status
    return event


TOOLS = (
    at(0.0, item(pb.USER, transcription_delay=0.5, end_of_turn_delay=0.7)),
    at(0.4, tool("a")),
    at(0.5, tool("b")),  # beside the first
    at(1.9, tool("a", pb.TC_DONE)),
    at(1.4, tool("b", pb.TC_ERROR)),
    at(2.2, tool("c")),  # in answer to what the first two found
    at(2.7, tool("c", pb.TC_DONE)),
)


def test_tools_before_the_reply_are_a_part() -> None:
    """By the agent's own clock; what ran together counts once, and so does what was asked."""
    report, _, _ = merged(*((US, each) for each in TOOLS), (US, ANSWER))
    assert report.tools_s == pytest.approx(1.5 + 0.5)
    assert report.tool_requests_s == pytest.approx(0.4 + 0.3)


def test_a_tool_that_still_runs_is_no_part() -> None:
    """The reply did not wait for it."""
    report, _, _ = merged(*((US, each) for each in TOOLS[:2]), (US, ANSWER))
    assert (report.tools_s, report.tool_requests_s) == (None, 0.0)


def test_tools_of_another_agent_are_not_ours() -> None:
    """A bystander may work as well."""
    report, _, _ = merged(*((OTHER, each) for each in TOOLS), (US, ANSWER))
    assert report.tools_s is None


def test_who_hands_over_is_told_and_who_begins_is_not() -> None:
    """The first agent of a session is reported in the same way, without one before it."""
    first, second = pb.AgentSessionEvent(), pb.AgentSessionEvent()
    first.conversation_item_added.item.agent_handoff.new_agent_id = "shop"
    second.conversation_item_added.item.agent_handoff.old_agent_id = "shop"
    second.conversation_item_added.item.agent_handoff.new_agent_id = "colleague"
    found = [each for told in (first, second) for each in events_of(told, 1.0, US)]
    assert found == [HandOver(at=1.0, sender=US, to="colleague")]
