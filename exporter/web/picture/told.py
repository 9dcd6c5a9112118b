"""What the agent told of itself and of the caller: states, words, tools, errors."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from exporter.evidence.kept import KeptCall
from exporter.outcome import (
    Backchannel,
    BackchannelOutcome,
    CallResult,
    InnerPause,
    Interruption,
    InterruptionOutcome,
    PauseOutcome,
)
from exporter.outcome.timeline import (
    AgentFault,
    AgentState,
    CallerSpoke,
    Event,
    FalseInterruption,
    HandOver,
    Joined,
    Left,
    Message,
    Source,
    ToolEnded,
    ToolStarted,
    Transcript,
    UserState,
)
from exporter.web.picture.svg import CHARACTER_PX, Axis, Lane, Rows, box, upright, words

_BAND = 16.0
_ROW = 16.0
_SAME_S = 0.001
_RUDE = (
    InterruptionOutcome.TALKED_ON,
    InterruptionOutcome.RESUMED,
    BackchannelOutcome.STOPPED,
    PauseOutcome.CUT_IN,
)
_Taken = Interruption | Backchannel | InnerPause
_LONGEST = 70
"""Characters of a text; all of it is shown while the mouse is on it."""


def states(call: KeptCall, axis: Axis) -> Iterator[Lane]:
    """Yield a band for each agent with its states, and one with what it makes of the caller."""
    for kind, label in (
        (AgentState, "agent says: it is"),
        (UserState, "agent says: the caller is"),
    ):
        told: list[AgentState | UserState] = [e for e in call.events if isinstance(e, kind)]
        senders = list(dict.fromkeys(each.sender for each in told))
        for place, sender in enumerate(senders, 1):
            own = [each for each in told if each.sender == sender]
            name = label if place == 1 else label.replace("agent", f"agent {place}", 1)
            yield Lane(name, _BAND, tuple(_band(own, axis)))


def _band(told: Sequence[AgentState | UserState], axis: Axis) -> Iterator[str]:
    ends = (*(each.at for each in told[1:]), axis.length_s)
    for each, end in zip(told, ends, strict=True):
        left, right = axis.within(each.at), axis.within(end)
        whose = "agent-state" if isinstance(each, AgentState) else "user-state"
        tip = f"{each.state} from {each.at:.2f} s to {end:.2f} s"
        yield box(left, 0, right - left, _BAND, f"state {whose} {_slug(each.state)}", tip=tip)
        if len(each.state) * CHARACTER_PX + 8 <= right - left:
            yield words(left + 4, 12, each.state, "in-state")


def _slug(state: str) -> str:
    """Return a state as a class: an agent may report any text."""
    return "".join(char for char in state if char.isalnum())[:20]


def spoken(call: KeptCall, axis: Axis) -> Iterator[Lane]:
    """Yield what was understood and said, where words are kept."""
    finals = [
        each for each in call.events if isinstance(each, Transcript) and each.final and each.text
    ]
    source = Source.SESSION if any(e.source is Source.SESSION for e in finals) else None
    understood = [_Note(e.at, "words", e.text) for e in finals if source in (None, e.source)]
    said = [
        _Note(e.at, "words", e.text)
        for e in call.events
        if isinstance(e, Message) and e.by_agent and e.text
    ]
    for label, notes in (("agent understood", understood), ("agent said", said)):
        if notes:
            yield _notes(label, notes, axis)


_Kind = Literal["words", "tool", "bad", "news"]


@dataclass(frozen=True, slots=True)
class _Note:
    """A text at a moment, or over a time."""

    at: float
    kind: _Kind
    text: str
    until: float | None = None


def happened(call: KeptCall, axis: Axis) -> Lane | None:
    """Return tools, hand-overs, errors, interruptions, and who came and went; None for nothing."""
    notes = [note for each in call.events if (note := _note(each, call.events)) is not None]
    notes += _taken(call)
    return _notes("events", notes, axis) if notes else None


def _taken(call: KeptCall) -> Iterator[_Note]:
    """Yield what came of the caller's sounds into the agent's speech, and of its pauses.

    A result has no times: each is placed at the sound that it is of, and left out where it cannot
    be told which that is.
    """
    result = call.outcome.result
    if not isinstance(result, CallResult):
        return
    said = [each for each in call.events if isinstance(each, CallerSpoke)]
    begins = [mark.spoke_at for mark in call.marks]
    turns = [each for each in said if any(abs(each.at - at) < _SAME_S for at in begins)]
    inserted = [each for each in said if each not in turns]
    yield from _placed(inserted, (*result.interruptions, *result.backchannels))
    yield from _placed(turns, result.pauses)


def _placed(said: Sequence[CallerSpoke], found: Sequence[_Taken]) -> Iterator[_Note]:
    if len(said) != len(found):
        return
    for spoke, each in zip(said, found, strict=True):
        kind: _Kind = "bad" if each.outcome in _RUDE else "news"
        yield _Note(spoke.at, kind, str(each), _until(spoke, each))


def _until(spoke: CallerSpoke, found: _Taken) -> float | None:
    """Return when the agent had yielded; None where it did not, or was not to."""
    yielded = found.yield_s if isinstance(found, Interruption) else None
    return None if yielded is None else spoke.at + yielded


def _note(event: Event, events: Iterable[Event]) -> _Note | None:
    """Return what to write of an event; None where another lane shows it."""
    text = ""
    match event:
        case ToolStarted():
            return _tool(event, events)
        case HandOver():
            text = f"handed over to {event.to}"
        case AgentFault():
            text = f"error: {event.text}"
        case Message(by_agent=True, interrupted=True):
            text = "interrupted"
        case FalseInterruption():
            text = f"false interruption, {'resumed' if event.resumed else 'not resumed'}"
        case Joined():
            text = f"{event.kind} joined"
        case Left():
            text = "left in order" if event.in_order else "left"
    kind: _Kind = "bad" if isinstance(event, AgentFault) else "news"
    return _Note(event.at, kind, text) if text else None


def _tool(begun: ToolStarted, events: Iterable[Event]) -> _Note:
    for each in events:
        if isinstance(each, ToolEnded) and each.call_id == begun.call_id:
            text = f"tool {begun.name}" + (" failed" if each.failed else "")
            return _Note(begun.at, "bad" if each.failed else "tool", text, each.at)
    return _Note(begun.at, "bad", f"tool {begun.name} did not end")


def _notes(label: str, notes: Sequence[_Note], axis: Axis) -> Lane:
    rows, parts = Rows(), []
    for note in sorted(notes, key=lambda each: each.at):
        text = note.text if len(note.text) <= _LONGEST else f"{note.text[:_LONGEST]}…"
        span = axis.within(note.until) - axis.within(note.at) if note.until is not None else 0.0
        width = max(len(text) * CHARACTER_PX + 14, span)
        left = min(axis.within(note.at), max(axis.x(0), axis.width - width))
        top = rows.place(left, width) * _ROW
        if note.until is not None:
            parts.append(box(axis.within(note.at), top, span, _ROW - 2, f"span {note.kind}"))
        parts.append(upright(axis.within(note.at), top, top + _ROW - 2, f"pin {note.kind}"))
        tip = f"{note.at:.2f} s: {note.text}"
        parts.append(box(left, top, width, _ROW - 2, "hover", tip=tip))
        parts.append(words(left + 4, top + 11, text, f"note {note.kind}"))
    return Lane(label, max(1, len(rows.ends)) * _ROW, tuple(parts))
