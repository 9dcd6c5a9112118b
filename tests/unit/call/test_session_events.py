"""The agent's own figures: nothing counted twice, nothing unknown made 0, nothing said kept."""

import asyncio
import time

import pytest
from livekit import rtc
from livekit.protocol.agent_pb import agent_session as pb

from exporter.call.session_events import SessionEvents, TurnReport

REPORT = TurnReport(
    transcription_delay_s=0.5, end_of_turn_delay_s=0.7, llm_ttft_s=0.4, tts_ttfb_s=0.1, e2e_s=1.25
)


def test_parts_add_up_to_what_the_caller_heard() -> None:
    """The end-of-turn delay holds the transcription delay: only what it has over it is a part."""
    parts = REPORT.components(1.5)
    assert (parts.transcription_s, parts.llm_s, parts.tts_s) == (0.5, 0.4, 0.1)
    assert parts.end_of_turn_s == pytest.approx(0.2)
    assert parts.transport_s == pytest.approx(0.3)


def test_parts_that_overlap_leave_no_transport() -> None:
    """When the parts exceed the whole, the model ran ahead: the rest is unknown, not negative."""
    assert REPORT.components(1.0).transport_s is None


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
    parts = report.components(1.5)
    assert parts.transport_s is None
    assert parts.transcription_s is None


def item(role: pb.ChatRole, **metrics: float) -> pb.AgentSessionEvent:
    """Return the event that tells of one message and its figures."""
    event = pb.AgentSessionEvent()
    message = event.conversation_item_added.item.message
    message.role = role
    message.content.add().text = "words that must not be kept"
    for name, value in metrics.items():
        setattr(message.metrics, name, value)
    return event


def merged(*events: pb.AgentSessionEvent) -> tuple[TurnReport, str]:
    """Return what these events say about a turn that began before them, and all that is kept."""

    async def listen() -> tuple[TurnReport, str]:
        listener = SessionEvents(rtc.Room())
        began = time.monotonic()
        listener.heard = bool(events)
        for event in events:
            listener._take(event)
        try:
            report = await listener.report_since(began, timeout_s=0.0)
            return report, repr(vars(listener))
        finally:
            await listener.aclose()

    return asyncio.run(listen())


def test_both_halves_of_a_turn_are_joined() -> None:
    """The user's message has the figures of listening, the agent's those of answering."""
    report, kept = merged(
        item(pb.USER, transcription_delay=0.5, end_of_turn_delay=0.7),
        item(pb.ASSISTANT, llm_node_ttft=0.4, tts_node_ttfb=0.1, e2e_latency=1.25),
    )
    assert report.transcription_delay_s == pytest.approx(0.5)
    assert report.llm_ttft_s == pytest.approx(0.4)
    assert report.e2e_s == pytest.approx(1.25)
    assert "words that must not be kept" not in kept


def test_the_first_answer_is_the_one_that_was_waited_for() -> None:
    """A second message of the same turn, after a tool call, does not replace its figures."""
    report, _ = merged(
        item(pb.USER, transcription_delay=0.5, end_of_turn_delay=0.7),
        item(pb.ASSISTANT, llm_node_ttft=0.4, e2e_latency=1.2),
        item(pb.ASSISTANT, llm_node_ttft=0.9, tts_node_ttfb=0.1, e2e_latency=3.0),
    )
    assert report.llm_ttft_s == pytest.approx(0.4)
    assert report.tts_ttfb_s == pytest.approx(0.1)
    assert report.e2e_s == pytest.approx(1.2)


def test_nothing_heard_is_an_empty_report_and_a_reason() -> None:
    """An agent that never reported costs no waiting."""
    began = time.monotonic()
    report, _ = merged()
    assert report == TurnReport()
    assert time.monotonic() - began < 5.0
