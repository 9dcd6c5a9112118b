"""How far the agent came with a turn: where one without a reply broke, and when each stage was.

Pure functions of the call's events. An agent tells of its stages on `lk.agent.session`
(livekit-agents 1.5 and later); of others the state is known, and the transcript of some.
"""

from collections.abc import Iterable
from itertools import chain
from operator import attrgetter

from exporter.outcome import SilentStage, Stages, Timeline
from exporter.outcome.timeline import (
    AgentSounded,
    AgentState,
    CallerSpoke,
    Event,
    Message,
    Transcript,
    UserState,
)


def silent_stage(call: Timeline, said: CallerSpoke) -> SilentStage:
    """Return the first stage that did not happen in a turn without a reply.

    Args:
        call: What happened.
        said: The utterance that was not answered, the last one of the call.
    """
    if call.has(AgentSounded, said.until):  # a filler
        return SilentStage.NO_ANSWER
    if _spoken(call, said):
        return SilentStage.NOT_SPOKEN
    if _ended(call, said):
        return SilentStage.NO_ANSWER
    if _transcribed(call, said):
        return SilentStage.TURN_NOT_ENDED
    if _heard(call, said):
        return SilentStage.NOT_TRANSCRIBED
    return SilentStage.NOT_HEARD if call.reports else SilentStage.UNKNOWN


def stages(call: Timeline, said: CallerSpoke) -> Stages:
    """Return when the agent told of each stage of the last turn, after the caller's speech."""

    def after(events: list[Event]) -> float | None:
        return events[0].at - said.until if events else None

    return Stages(
        heard_s=after(_heard(call, said)),
        transcribed_s=after(_transcribed(call, said)[-1:]),
        turn_ended_s=after(_ended(call, said)),
        speaking_s=after(_spoken(call, said)),
    )


def _heard(call: Timeline, said: CallerSpoke) -> list[Event]:
    """Return what shows that the agent heard a voice."""
    voice = (each for each in call.of(UserState, said.at) if each.state == "speaking")
    return _in_order(voice, call.of(Transcript, said.at))


def _transcribed(call: Timeline, said: CallerSpoke) -> list[Event]:
    """Return the words that the agent finally understood."""
    return [each for each in call.finals(said.at) if each.text.strip()]


def _ended(call: Timeline, said: CallerSpoke) -> list[Event]:
    """Return what shows that the agent held the caller's turn for over."""
    thinks = (each for each in call.of(AgentState, said.at) if each.state == "thinking")
    return _in_order(thinks, (each for each in call.of(Message, said.at) if not each.by_agent))


def _spoken(call: Timeline, said: CallerSpoke) -> list[Event]:
    """Return what shows that the agent had an answer, and says that it speaks."""
    speaks = (each for each in call.of(AgentState, said.until) if each.state == "speaking")
    return _in_order(speaks, (each for each in call.of(Message, said.until) if each.by_agent))


def _in_order(*kinds: Iterable[Event]) -> list[Event]:
    return sorted(chain.from_iterable(kinds), key=attrgetter("at"))
