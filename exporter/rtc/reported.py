"""What the agent's own reports say about one turn; pure functions of the call's events."""

from collections.abc import Iterator
from dataclasses import replace

from exporter.outcome import Timeline, TurnReport
from exporter.outcome.timeline import AgentFault, Message, ToolEnded, ToolStarted


def error_since(call: Timeline, when: float) -> str:
    """Return the last error that the agent reported since then, or ""."""
    told = call.of(AgentFault, when)
    return told[-1].text if told else ""


def only_said_since(call: Timeline, when: float) -> bool:
    """Tell whether all that the agent has said since then is no answer to what it heard.

    `session.say` in `on_user_turn_completed` brings a message without the latency of a turn,
    ahead of the user's own, and the state `listening` while the agent still works. Of an answer
    the agent reports its latency, or the language model's after the user's message. A message
    without any figure (realtime models) proves nothing.
    """
    heard, said = False, False
    for each in call.of(Message, when):
        figures = each.figures
        timed = figures.e2e_s, figures.llm_ttft_s if heard else None
        has_figures = (figures.llm_ttft_s, figures.tts_ttfb_s) != (None, None)
        if each.by_agent and (timed != (None, None) or not has_figures):
            return False
        heard, said = heard or not each.by_agent, said or each.by_agent
    return said


def answers(call: Timeline, when: float, answered: float) -> list[Message]:
    """Return the agent's messages since then: after the user's, if that was told of."""
    questions = _questions(call, when)
    begin = max(answered, questions[0].at if questions else when)
    return [each for each in call.of(Message, begin) if each.by_agent]


def report_of(call: Timeline, when: float, replied: float, answered: float = 0.0) -> TurnReport:
    """Return what was reported about the turn that began at `when`.

    Args:
        call: What happened.
        when: The begin of the turn.
        replied: When the reply began to sound; with a filler before it, the answer.
        answered: The same where a filler came first, else 0: what was said before is that filler.
    """
    questions, said = _questions(call, when), answers(call, when, answered)
    if said:
        questions = [each for each in questions if each.at <= said[0].at]
    merged = _tools(call, questions[-1] if questions else None, when, replied)
    if questions:  # the last one before the answer decided that the turn was over
        heard = questions[-1].figures
        merged = replace(
            merged,
            transcription_delay_s=heard.transcription_delay_s,
            end_of_turn_delay_s=heard.end_of_turn_delay_s,
            on_user_turn_completed_s=heard.on_user_turn_completed_s,
        )
    for figures in (each.figures for each in reversed(said)):
        # A turn may have several answers (tool calls): the first is what was waited for.
        merged = replace(
            merged,
            llm_ttft_s=_known(figures.llm_ttft_s, merged.llm_ttft_s),
            llm_ttfs_s=_known(figures.llm_ttfs_s, merged.llm_ttfs_s),
            tts_ttfb_s=_known(figures.tts_ttfb_s, merged.tts_ttfb_s),
            e2e_s=_known(figures.e2e_s, merged.e2e_s),
        )
    return merged


def _tools(call: Timeline, question: Message | None, when: float, replied: float) -> TurnReport:
    """Return the time of the tools before the reply, and of the requests that called them.

    All of it by the agent's own clock. A tool that still runs when the reply begins is no part of
    the wait.
    """
    spans = sorted(_spans(call, when, replied))
    started = {each.call_id for each in call.of(ToolStarted, when)}
    timed = all(each.call_id in started for each in call.of(ToolEnded, when, replied))
    if not spans or not timed:
        return TurnReport(tools_are_timed=timed)
    busy_s, requests_s = 0.0, 0.0
    at = question.told_at if question is not None else None
    for begin, end in spans:
        if at is not None:
            requests_s += max(0.0, begin - at)
        busy_s += max(0.0, end - max(begin, at or begin))
        at = max(end, at or end)
    return TurnReport(tools_s=busy_s, tool_requests_s=requests_s)


def _spans(call: Timeline, since: float, until: float) -> Iterator[tuple[float, float]]:
    """Return begin and end of each tool within a time, by the agent's clock."""
    ended = {each.call_id: each.told_at for each in reversed(call.of(ToolEnded, since, until))}
    for each in call.of(ToolStarted, since, until):
        end = ended.get(each.call_id)
        if each.told_at is not None and end is not None:
            yield each.told_at, end


def _questions(call: Timeline, when: float) -> list[Message]:
    """Return the user's messages since then."""
    return [each for each in call.of(Message, when) if not each.by_agent]


def _known(first: float | None, second: float | None) -> float | None:
    return second if first is None else first
