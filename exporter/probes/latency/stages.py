"""How far the agent came with a turn: where one without a reply broke, and when each stage was.

Pure functions of the call's events. An agent tells of its stages on `lk.agent.session`
(livekit-agents 1.5 and later); of others the state is known, and the transcript of some.
"""

import math
from collections.abc import Iterable, Sequence
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
    Usage,
    UserState,
)


def silent_stage(call: Timeline, said: CallerSpoke, until: float = math.inf) -> SilentStage:
    """Return the first stage that did not happen in a turn without a reply.

    Args:
        call: What happened.
        said: The utterance that was not answered, the last one of the call.
        until: When the reply was due, on the monotonic clock: what comes later is late.
    """
    if call.has(AgentSounded, said.until):  # a filler
        return SilentStage.NO_ANSWER
    if _spoken(call, said, until):
        return SilentStage.NOT_SPOKEN
    if _ended(call, said, until):
        return SilentStage.NO_ANSWER
    if _understood(call, said, until):
        return SilentStage.TURN_NOT_ENDED
    if _heard(call, said, until):
        # A realtime model may never tell what it understood.
        return SilentStage.NOT_TRANSCRIBED if _transcribes(call) else SilentStage.UNKNOWN
    return SilentStage.NOT_HEARD if call.reports else SilentStage.UNKNOWN


def stages(call: Timeline, said: CallerSpoke, until: float = math.inf) -> Stages:
    """Return when the agent told of each stage of the last turn, after the caller's speech."""

    def after(events: Sequence[Event]) -> float | None:
        return events[0].at - said.until if events else None

    return Stages(
        heard_s=after(_heard(call, said, until)),
        transcribed_s=after(_understood(call, said, until)[-1:]),
        turn_ended_s=after(_ended(call, said, until)),
        speaking_s=after(_spoken(call, said, until)),
    )


def finals(call: Timeline, said: CallerSpoke, until: float = math.inf) -> list[Transcript]:
    """Return what the agent finally understood of an utterance.

    What comes before it hears a voice belongs to the utterance before.
    """
    voices = _voices(call, said, until)
    return call.finals(voices[0].at if voices else said.at, until)


def _heard(call: Timeline, said: CallerSpoke, until: float) -> list[Event]:
    """Return what shows that the agent heard a voice."""
    before = call.of(UserState, until=said.at)[-1:]
    stuck = [each for each in before if each.state == "speaking"]
    return _in_order(stuck, _voices(call, said, until), call.transcripts(said.at, until))


def _voices(call: Timeline, said: CallerSpoke, until: float) -> list[UserState]:
    return [each for each in call.of(UserState, said.at, until) if each.state == "speaking"]


def _transcribes(call: Timeline) -> bool:
    """Tell whether the agent has a recogniser that tells what it understands."""
    usages = call.of(Usage)[-1:]
    return bool(call.transcripts()) or any(
        model.stt_seconds > 0 for each in usages for model in each.models
    )


def _understood(call: Timeline, said: CallerSpoke, until: float) -> list[Transcript]:
    """Return the words that the agent finally understood."""
    return [each for each in finals(call, said, until) if each.text.strip()]


def _ended(call: Timeline, said: CallerSpoke, until: float) -> list[Event]:
    """Return what shows that the agent held the caller's turn for over."""
    thinks = (each for each in call.of(AgentState, said.at, until) if each.state == "thinking")
    asked = (each for each in call.of(Message, said.at, until) if not each.by_agent)
    return _in_order(thinks, asked)


def _spoken(call: Timeline, said: CallerSpoke, until: float) -> list[Event]:
    """Return what shows that the agent had an answer, and says that it speaks."""
    speaks = (each for each in call.of(AgentState, said.until, until) if each.state == "speaking")
    answered = (each for each in call.of(Message, said.until, until) if each.by_agent)
    return _in_order(speaks, answered)


def _in_order(*kinds: Iterable[Event]) -> list[Event]:
    return sorted(chain.from_iterable(kinds), key=attrgetter("at"))
