"""What the demo's agent can be told to do, as its own reports and its sound show it.

Several abilities share a call, and all calls share one worker: a call's own settings are the
metadata of its dispatch.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest
from livekit.protocol.agent_pb import agent_session as pb

from exporter.demo.counts import Counts
from exporter.demo.settings import Answer
from exporter.server_api import Server
from tests.integration.live_reports import LiveReports
from tests.integration.witness import Reports, Witness, called
from tests.patience import until

pytestmark = pytest.mark.integration

AT_ONCE = {"delay_s": 0.0}
TOOL_S = 0.5
FILLER = "One moment."
TURNS = (
    Answer(tool="look_up_order", tool_s=TOOL_S, reply="Yes."),
    Answer(tool="look_up_order", tool_s=1.0, tool_fails=True, filler=FILLER, reply="No."),
    Answer(tool="call_colleague", reply="Hello."),
)
HEARD = "zebra banana order has not arrived"
"""The clip, with a word before it, its first word wrong and its last one missing."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What became of a call in whose turns tools are called."""

    turns: tuple[Reports, ...]
    counts: Counts
    """What the providers delivered to it."""


@pytest.fixture(scope="module")
def tools(livekit: Server, providers: str) -> ToolCall:
    """A call of three turns: a tool, a tool that fails, a hand-over."""
    errors = {"substituted": 1, "deleted": 1, "inserted": 1}
    turns = [each.model_dump() for each in TURNS]
    llm = {"turns": turns, "cached_tokens": 3} | AT_ONCE
    settings = {"llm": llm, "stt": errors | AT_ONCE, "tts": AT_ONCE}

    async def talk() -> ToolCall:
        async with called(livekit, settings) as witness:
            reports = []
            for turn in TURNS:
                ended = await witness.say()
                await witness.answered(ended, turn.reply or "")
                if turn.tool == "call_colleague":
                    await witness.until(Reports.handovers, ended)
                reports.append(witness.reports.since(ended))
            return ToolCall(tuple(reports), counts(providers, witness))

    return asyncio.run(talk())


def counts(providers: str, witness: Witness) -> Counts:
    """Return what the providers delivered to that call."""
    answer = httpx.get(f"{providers}/counts", params={"room": witness.room_name})
    return Counts(**answer.raise_for_status().json())


@contextmanager
def changed(providers: str, part: str, **values: object) -> Iterator[None]:
    """Change settings of all calls until the block ends."""
    url = f"{providers}/settings"
    before = httpx.get(url).raise_for_status().json()[part]
    httpx.put(url, json={part: values}).raise_for_status()
    try:
        yield
    finally:
        httpx.put(url, json={part: before}).raise_for_status()


def test_a_tool_takes_as_long_as_it_is_told(tools: ToolCall) -> None:
    """Begin and end of the tool are reported, so far apart; the state is `thinking` meanwhile."""
    updates = [each for each in tools.turns[0] if each.name == "tool_execution_updated"]
    begin, end = (each.event.tool_execution_updated for each in updates)
    assert begin.started.function_call.name == "look_up_order"
    assert end.ended.call_id == begin.started.function_call.call_id
    assert end.ended.status == pb.TC_DONE
    assert updates[1].sent_s - updates[0].sent_s >= TOOL_S
    assert tools.turns[0].states() == [pb.AS_THINKING, pb.AS_SPEAKING, pb.AS_LISTENING]
    (done,) = tools.turns[0].of("function_tools_executed")
    assert not done.function_tools_executed.function_call_outputs[0].is_error


def test_a_tool_fails_after_a_filler(tools: ToolCall) -> None:
    """The filler is said while the tool works; its end is an error; the answer follows."""
    turn = tools.turns[1]
    end = turn.of("tool_execution_updated")[-1].tool_execution_updated.ended
    assert end.status == pb.TC_ERROR
    (done,) = turn.of("function_tools_executed")
    assert done.function_tools_executed.function_call_outputs[0].is_error
    said = [message.content[0].text for message in turn.messages(pb.ASSISTANT)]
    assert said == [FILLER, "No."]
    speak = [pb.AS_THINKING, pb.AS_SPEAKING]
    assert turn.states() == [*speak, *speak, pb.AS_LISTENING]


def test_attached_agent_reports_the_same_turns(tools: ToolCall, live_turns: LiveReports) -> None:
    """Latency, components and tools as the session itself tells them, and not a word."""
    told = [
        message.metrics
        for reports in tools.turns
        for message in reports.messages(pb.ASSISTANT)
        if message.metrics.HasField("e2e_latency")
    ]
    until(lambda: all(live_turns.of(each.e2e_latency) for each in told[:2]), what="the reports")
    first, second = (live_turns.of(each.e2e_latency) for each in told[:2])
    assert first is not None
    assert second is not None
    assert (first.agent_name, first.call_type, first.outcome) == ("demo", "demo", "answered")
    assert first.llm_ttft_s == pytest.approx(told[0].llm_node_ttft, abs=1e-5)
    assert first.tts_ttfb_s == pytest.approx(told[0].tts_node_ttfb, abs=1e-5)
    assert (first.tools_ok, first.tools_failed) == (1, 0)
    assert first.tools_s is not None
    assert first.tools_s >= TOOL_S
    assert {used.model for used in first.usage} == {"demo"}
    assert second.tools_s is not None
    assert second.tools_s >= 1.0  # the filler has no latency of the turn: its answer has
    words = b"".join(live_turns.bodies)
    assert [said for said in (b"moment", b"order", b"banana", b"Yes") if said in words] == []


def test_the_call_is_handed_over(tools: ToolCall) -> None:
    """The item of the hand-over names both agents; only this turn has one."""
    assert [turn.handovers() for turn in tools.turns] == [[], [], [("shop_agent", "colleague")]]


def test_the_transcript_is_wrong_by_so_many_words(tools: ToolCall) -> None:
    """Every turn's transcript has the errors that were set."""
    assert [turn.heard() for turn in tools.turns] == [[HEARD]] * 3


def test_the_agent_reports_the_usage_that_was_delivered(tools: ToolCall) -> None:
    """Tokens, characters and seconds of the whole call are those that the providers counted."""
    usage = tools.turns[-1].usage()
    llm, tts, stt = usage["llm"].llm, usage["tts"].tts, usage["stt"].stt
    counted = tools.counts
    assert llm.input_tokens == counted.llm_input
    assert llm.input_cached_tokens == counted.llm_cached
    assert llm.output_tokens == counted.llm_output
    assert tts.characters_count == counted.tts_characters
    assert stt.audio_duration == pytest.approx(counted.stt_seconds)
    assert counted.llm_cached == 3 * 2 * len(TURNS)  # each turn asks twice


@pytest.mark.long  # unit/call/test_stages.py and unit/test_demo_providers.py
def test_silent_turns_of_three_kinds(livekit: Server, providers: str) -> None:
    """No answer, no sound, no transcript; then all is well again, in the same call."""
    llm = {"turns": [{"reply": ""}], "reply": "Yes."} | AT_ONCE

    async def talk() -> None:
        async with called(livekit, {"llm": llm, "stt": AT_ONCE, "tts": AT_ONCE}) as witness:
            await no_answer(witness)
            with changed(providers, "tts", output="silence"):
                await no_sound(witness)
            with changed(providers, "stt", transcript=""):
                await no_transcript(witness)
            ended = await witness.say()
            await witness.answered(ended)
            assert witness.sounded_s(ended) > 0.1

    asyncio.run(talk())


async def no_answer(witness: Witness) -> None:
    """The model is asked, and the agent goes from thinking to listening without a word."""
    ended = await witness.say()
    thought = [pb.AS_THINKING, pb.AS_LISTENING]
    reports = await witness.until(lambda reports: reports.states() == thought, ended)
    assert reports.messages(pb.USER)
    assert not reports.messages(pb.ASSISTANT)
    assert not reports.of("error")


async def no_sound(witness: Witness) -> None:
    """The agent reports an answer that nobody can hear."""
    ended = await witness.say()
    reports = await witness.answered(ended)
    assert pb.AS_SPEAKING in reports.states()
    assert witness.sounded_s(ended) == 0.0


async def no_transcript(witness: Witness) -> None:
    """The caller was heard and the sound recognised, but no text is reported and no turn ends."""
    before_s = witness.reports.usage()["stt"].stt.audio_duration
    ended = await witness.say()

    def is_recognised(reports: Reports) -> bool:
        told = reports.of("session_usage_updated")
        return bool(told) and reports.usage()["stt"].stt.audio_duration > before_s

    await witness.until(is_recognised, ended)
    reports = witness.reports.since(ended)
    assert reports.of("user_state_changed")
    assert (reports.heard(), reports.of("eot_prediction"), reports.states()) == ([], [], [])


@pytest.mark.long
def test_a_story_is_told_and_can_be_interrupted(livekit: Server, providers: str) -> None:
    """It lasts 20 to 30 s; a caller who speaks ends it, and its item says so."""
    del providers  # only has to run

    async def talk() -> None:
        async with called(livekit, {"llm": {"story": True}}) as witness:
            ended = await witness.say()
            await witness.answered(ended)
            assert 15 < witness.sounded_s(ended) < 30
            ended = await witness.say()
            await witness.until(lambda reports: pb.AS_SPEAKING in reports.states(), ended)
            await witness.say()
            reports = await witness.until(lambda reports: reports.messages(pb.ASSISTANT), ended)
            assert reports.messages(pb.ASSISTANT)[0].interrupted

    asyncio.run(talk())


@pytest.mark.long
def test_an_uninterruptible_agent_talks_on(livekit: Server, providers: str) -> None:
    """What the caller says into the story changes nothing."""
    del providers
    settings = {"llm": {"story": True}, "agent": {"interruptible": False}}

    async def talk() -> None:
        async with called(livekit, settings) as witness:
            ended = await witness.say()
            await witness.until(lambda reports: pb.AS_SPEAKING in reports.states(), ended)
            await witness.say()
            reports = await witness.answered(ended)
            assert not reports.messages(pb.ASSISTANT)[0].interrupted
            assert witness.sounded_s(ended) > 15

    asyncio.run(talk())


@pytest.mark.long
def test_a_filler_comes_before_the_work(livekit: Server, providers: str) -> None:
    """The filler is reported ahead of the caller's words; the work is part of the turn."""
    del providers
    settings = {"agent": {"filler": FILLER, "work_s": 3.0}, "stt": {"delay_s": 2.0}}

    async def talk() -> None:
        async with called(livekit, settings) as witness:
            ended = await witness.say()
            reports = await witness.answered(ended)
            roles = [each.message.role for each in reports.items()]
            assert roles == [pb.ASSISTANT, pb.USER, pb.ASSISTANT]
            metrics = reports.messages(pb.USER)[0].metrics
            assert metrics.on_user_turn_completed_delay >= 3.0
            assert metrics.transcription_delay >= 2.0

    asyncio.run(talk())


@pytest.mark.long
def test_a_deaf_agent_reports_nothing(livekit: Server, providers: str) -> None:
    """Not even that the caller speaks."""
    del providers

    async def talk() -> None:
        async with called(livekit, {"agent": {"deaf": True}}) as witness:
            began = witness.reports[-1].at
            await witness.say()
            await witness.say()  # as long again for a report of the first
            assert [each.name for each in witness.reports if each.at > began] == []

    asyncio.run(talk())


@pytest.mark.long
def test_a_turn_that_never_ends(livekit: Server, providers: str) -> None:
    """What is said is transcribed, and the end of the turn predicted, but no turn is taken."""
    del providers

    async def talk() -> None:
        async with called(livekit, {"agent": {"endpointing_s": 600.0}}) as witness:
            began = witness.reports[-1].at + 1e-6
            await witness.say()
            await witness.until(Reports.heard, began)
            await witness.until(Reports.heard, await witness.say())
            reports = await witness.until(lambda reports: reports.of("eot_prediction"), began)
            assert (reports.states(), reports.items()) == ([], [])

    asyncio.run(talk())


@pytest.mark.long
def test_speech_without_a_sample_is_an_error(livekit: Server, providers: str) -> None:
    """The agent tries again and gives up: it has never been speaking."""
    del providers

    async def talk() -> None:
        async with called(livekit, {"tts": {"output": "nothing"}}) as witness:
            ended = await witness.say()
            thought = [pb.AS_THINKING, pb.AS_LISTENING]
            reports = await witness.until(lambda reports: reports.states() == thought, ended)
            assert reports.of("error")
            assert not reports.messages(pb.ASSISTANT)

    asyncio.run(talk())


@pytest.mark.long
def test_foreign_metadata_changes_nothing(livekit: Server, providers: str) -> None:
    """Metadata that is not for the demo is none of its business."""
    del providers

    async def talk() -> None:
        async with called(livekit, "order 17") as witness:
            await witness.answered(await witness.say())

    asyncio.run(talk())
