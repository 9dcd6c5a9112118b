"""What an agent reports of its session, as livekit-agents does from 1.5 on."""

from collections.abc import Mapping

from livekit.protocol.agent_pb import agent_session as pb

from exporter.outcome import ModelUsage


def message(
    role: pb.ChatRole,
    text: str = "",
    figures: Mapping[str, float] | None = None,
    *,
    interrupted: bool = False,
) -> pb.AgentSessionMessage:
    """Return what was said, with its figures."""
    report = pb.AgentSessionMessage()
    said = report.event.conversation_item_added.item.message
    said.role, said.interrupted = role, interrupted
    if text:
        said.content.add().text = text
    for name, value in (figures or {}).items():
        setattr(said.metrics, name, value)
    return report


def tool(name: str, call_id: str, *, fails: bool) -> tuple[pb.AgentSessionMessage, ...]:
    """Return begin and end of a tool, as livekit-agents 1.6 and later report them."""
    began, over = pb.AgentSessionMessage(), pb.AgentSessionMessage()
    call = began.event.tool_execution_updated.started.function_call
    call.call_id, call.name = call_id, name
    ended = over.event.tool_execution_updated.ended
    ended.call_id, ended.status = call_id, pb.TC_ERROR if fails else pb.TC_DONE
    return began, over


def usage(of_each: ModelUsage, replies: int) -> pb.AgentSessionMessage:
    """Return the totals since the session began."""
    report = pb.AgentSessionMessage()
    used = report.event.session_usage_updated.usage.model_usage.add().llm
    used.model = of_each.model
    used.input_tokens = replies * of_each.llm_input
    used.input_cached_tokens = replies * of_each.llm_cached
    used.output_tokens = replies * of_each.llm_output
    return report


def user_state(state: pb.UserState) -> pb.AgentSessionMessage:
    """Return whether it hears the caller."""
    report = pb.AgentSessionMessage()
    report.event.user_state_changed.new_state = state
    return report


def transcript(text: str, *, final: bool) -> pb.AgentSessionMessage:
    """Return what it understood."""
    report = pb.AgentSessionMessage()
    report.event.user_input_transcribed.transcript = text
    report.event.user_input_transcribed.is_final = final
    return report


def error(text: str) -> pb.AgentSessionMessage:
    """Return an error of its own."""
    report = pb.AgentSessionMessage()
    report.event.error.message = text
    return report


def hand_over(to: str) -> pb.AgentSessionMessage:
    """Return that another agent goes on."""
    report = pb.AgentSessionMessage()
    handed = report.event.conversation_item_added.item.agent_handoff
    handed.old_agent_id, handed.new_agent_id = "first", to
    return report
