"""The messages of `lk.agent.session` as events of a call."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from google.protobuf.json_format import MessageToDict, ParseDict
from google.protobuf.struct_pb2 import Struct
from livekit.protocol.agent_pb import agent_session as pb
from livekit.rtc._proto import stats_pb2
from livekit.rtc.room import RtcStats

from exporter.outcome import ModelUsage, TurnReport
from exporter.outcome.timeline import (
    AgentFault,
    Event,
    FalseInterruption,
    HandOver,
    Message,
    ToolEnded,
    ToolStarted,
    Transcript,
    Usage,
    UserState,
)
from exporter.rtc.agent_errors import in_words
from exporter.rtc.stats import Snapshot

_USER_STATES = {pb.US_SPEAKING: "speaking", pb.US_LISTENING: "listening", pb.US_AWAY: "away"}
_FAILED = (pb.TC_ERROR, pb.TC_CANCELLED)


def events_of(told: pb.AgentSessionEvent, at: float, sender: str) -> Iterator[Event]:
    """Return what one message tells.

    The agent's own state is not among it: attributes tell it, of every kind of agent.

    Args:
        told: The message.
        at: When it came, on the monotonic clock.
        sender: Who sent it.
    """
    read = _READERS.get(told.WhichOneof("event") or "")
    told_at = told.created_at.ToNanoseconds() / 1e9 if told.HasField("created_at") else None
    for event in read(told) if read is not None else ():
        yield replace(event, at=at, sender=sender, told_at=told_at)


def statistics_of(answer: pb.SessionResponse) -> Snapshot | None:
    """Return the statistics of the agent's connection; None where the answer has none.

    Raises:
        google.protobuf.json_format.ParseError: They are not of the form that the SDK has.
    """
    told = answer.get_rtc_stats
    found = RtcStats(
        publisher_stats=[_statistic(each) for each in told.publisher_stats],
        subscriber_stats=[_statistic(each) for each in told.subscriber_stats],
    )
    return Snapshot.of(found) if found.publisher_stats or found.subscriber_stats else None


def _statistic(told: Struct) -> stats_pb2.RtcStats:
    """Return one of them: the agent has turned it into JSON, field by field."""
    return ParseDict(MessageToDict(told), stats_pb2.RtcStats(), ignore_unknown_fields=True)


def _user_state(told: pb.AgentSessionEvent) -> Iterator[Event]:
    yield UserState(state=_USER_STATES.get(told.user_state_changed.new_state, ""))


def _transcript(told: pb.AgentSessionEvent) -> Iterator[Event]:
    heard = told.user_input_transcribed
    yield Transcript(text=heard.transcript, final=heard.is_final)


def _item(told: pb.AgentSessionEvent) -> Iterator[Event]:
    item = told.conversation_item_added.item
    # The first agent of a session is told in the same way: nobody handed over to it.
    if item.HasField("agent_handoff") and item.agent_handoff.old_agent_id:
        yield HandOver(to=item.agent_handoff.new_agent_id)
    if item.HasField("message"):
        yield Message(
            by_agent=item.message.role == pb.ASSISTANT,
            figures=_figures(item.message.metrics),
            text=" ".join(part.text for part in item.message.content if part.text),
            interrupted=item.message.interrupted,
        )


def _figures(metrics: pb.MetricsReport) -> TurnReport:
    def value(name: str) -> float | None:
        return float(getattr(metrics, name)) if metrics.HasField(name) else None

    return TurnReport(
        transcription_delay_s=value("transcription_delay"),
        end_of_turn_delay_s=value("end_of_turn_delay"),
        on_user_turn_completed_s=value("on_user_turn_completed_delay"),
        llm_ttft_s=value("llm_node_ttft"),
        llm_ttfs_s=value("llm_node_ttfs"),
        tts_ttfb_s=value("tts_node_ttfb"),
        e2e_s=value("e2e_latency"),
    )


def _tool(told: pb.AgentSessionEvent) -> Iterator[Event]:
    """Tell of one tool, as livekit-agents 1.6 and later do."""
    update = told.tool_execution_updated
    if update.HasField("started"):
        call = update.started.function_call
        yield ToolStarted(call_id=call.call_id, name=call.name)
    if update.HasField("ended"):
        yield ToolEnded(call_id=update.ended.call_id, failed=update.ended.status in _FAILED)


def _tools_started(told: pb.AgentSessionEvent) -> Iterator[Event]:
    for call in told.function_tools_started.function_calls:
        yield ToolStarted(call_id=call.call_id, name=call.name)


def _tools_executed(told: pb.AgentSessionEvent) -> Iterator[Event]:
    """Tell of the tools of one step, all at its end."""
    executed = told.function_tools_executed
    names = {call.call_id: call.name for call in executed.function_calls}
    for output in executed.function_call_outputs:
        name = names.get(output.call_id, output.name)
        yield ToolEnded(call_id=output.call_id, name=name, failed=output.is_error)


def _usage(told: pb.AgentSessionEvent) -> Iterator[Event]:
    models = told.session_usage_updated.usage.model_usage
    yield Usage(models=tuple(used for each in models for used in _of_model(each)))


def _of_model(each: pb.ModelUsage) -> Iterator[ModelUsage]:
    if each.HasField("llm"):
        yield ModelUsage(
            each.llm.model,
            llm_input=each.llm.input_tokens,
            llm_cached=each.llm.input_cached_tokens,
            llm_output=each.llm.output_tokens,
        )
    if each.HasField("tts"):
        yield ModelUsage(each.tts.model, tts_characters=each.tts.characters_count)
    if each.HasField("stt"):
        yield ModelUsage(each.stt.model, stt_seconds=each.stt.audio_duration)


def _false_interruption(told: pb.AgentSessionEvent) -> Iterator[Event]:
    yield FalseInterruption(resumed=told.agent_false_interruption.resumed)


def _error(told: pb.AgentSessionEvent) -> Iterator[Event]:
    yield AgentFault(text=in_words(told.error.message))


_READERS: dict[str, Callable[[pb.AgentSessionEvent], Iterator[Event]]] = {
    "user_state_changed": _user_state,
    "user_input_transcribed": _transcript,
    "conversation_item_added": _item,
    "tool_execution_updated": _tool,
    "function_tools_started": _tools_started,
    "function_tools_executed": _tools_executed,
    "session_usage_updated": _usage,
    "agent_false_interruption": _false_interruption,
    "error": _error,
}
