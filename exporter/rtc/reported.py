"""What the agent's own reports say about one turn; pure functions of the call's events."""

from dataclasses import replace

from exporter.outcome import Timeline, TurnReport
from exporter.outcome.timeline import AgentFault, Message


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


def report_of(call: Timeline, when: float, answered: float) -> TurnReport:
    """Return what was reported about the turn that began at `when`.

    Args:
        call: What happened.
        when: The begin of the turn.
        answered: When the answer began; what the agent said before was a filler.
    """
    questions, said = _questions(call, when), answers(call, when, answered)
    if said:
        questions = [each for each in questions if each.at <= said[0].at]
    merged = TurnReport()
    if questions:  # the last one before the answer decided that the turn was over
        heard = questions[-1].figures
        merged = replace(
            merged,
            transcription_delay_s=heard.transcription_delay_s,
            end_of_turn_delay_s=heard.end_of_turn_delay_s,
        )
    for figures in (each.figures for each in reversed(said)):
        # A turn may have several answers (tool calls): the first is what was waited for.
        merged = replace(
            merged,
            llm_ttft_s=_known(figures.llm_ttft_s, merged.llm_ttft_s),
            tts_ttfb_s=_known(figures.tts_ttfb_s, merged.tts_ttfb_s),
            e2e_s=_known(figures.e2e_s, merged.e2e_s),
        )
    return merged


def _questions(call: Timeline, when: float) -> list[Message]:
    """Return the user's messages since then."""
    return [each for each in call.of(Message, when) if not each.by_agent]


def _known(first: float | None, second: float | None) -> float | None:
    return second if first is None else first
