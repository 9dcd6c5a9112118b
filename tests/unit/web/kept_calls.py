"""Calls as they are read back from what was kept of them, for the tests of pictures and pages."""

import math
from dataclasses import replace
from pathlib import Path

from exporter.evidence import reading
from exporter.evidence.journal import FILE_NAME, Entry, Levels, to_line
from exporter.evidence.kept import Envelope, KeptCall, TurnMark
from exporter.evidence.reading import Seal
from exporter.evidence.sound import SOUND_NAME
from exporter.outcome import (
    CallResult,
    Components,
    Finding,
    Media,
    MediaDirection,
    Outcome,
    Reason,
    Turn,
    TurnOutcome,
    Verdict,
)
from exporter.outcome.timeline import (
    AgentFault,
    AgentSounded,
    AgentState,
    CallerSpoke,
    Event,
    FalseInterruption,
    HandOver,
    Joined,
    Left,
    Message,
    ToolEnded,
    ToolStarted,
    Transcript,
    UserState,
)
from exporter.outcome.turn_report import TurnReport
from tests.unit.calls import WHEN

RUN_ID = "00c0ffee00c0ffee"
STEP_S = 0.01
TURN_S = 7.5
SPLIT = Components(
    transcription_s=0.41, end_of_turn_s=0.02, llm_s=0.93, tts_s=0.18, transport_s=0.27
)
SAID_S, TOOK_S, REPLY_S = 1.2583, 1.8117, 2.5
MEDIA = Media(MediaDirection(4500, 3, 0.004), MediaDirection(4480, 12, 0.006, 0.008))


def kept_call(turns: int = 3, *, words: bool = False, sound: str = "sound.ogg") -> KeptCall:
    """Return a call whose last turn got no reply, and in which much happened besides."""
    length_s = TURN_S * turns
    marks = tuple(_mark(place, last=place == turns - 1) for place in range(turns))
    result = CallResult(
        "shop",
        "default",
        "default",
        tuple(_turn(place, last=place == turns - 1) for place in range(turns)),
        time_to_agent_s=0.8,
        media=MEDIA,
    )
    outcome = Outcome(
        "latency",
        "shop",
        WHEN,
        length_s + 2,
        Reason.NO_REPLY,
        "no reply within 5 s: it heard no voice",
        result,
        log=("   0.100 room made", f"{length_s:8.3f} no reply"),
        run_id=RUN_ID,
        findings=(Finding(Verdict.FAIL, "no_reply: no reply within 5 s"),),
    )
    events = tuple(sorted(_events(marks, words=words), key=lambda each: each.at))
    return KeptCall(outcome, length_s, _envelope(length_s, events), events, marks, 1.5, sound)


def long_call() -> KeptCall:
    """Return a call of 90 s."""
    return kept_call(12, words=True)


def unheard(call: KeptCall) -> KeptCall:
    """Return a call of which no sound is kept."""
    return replace(call, sound="")


def _mark(place: int, *, last: bool) -> TurnMark:
    spoke = 0.7137 + place * TURN_S
    ended = spoke + SAID_S
    return TurnMark(spoke, ended, None if last else ended + TOOK_S)


def _turn(place: int, *, last: bool) -> Turn:
    if last:
        return Turn.without_reply(Reason.NO_REPLY, "no reply within 5 s: it heard no voice")
    return Turn(TurnOutcome.REPLIED, place == 0, TOOK_S, components=SPLIT, reported_e2e_s=1.6)


def _events(marks: tuple[TurnMark, ...], *, words: bool) -> list[Event]:
    found: list[Event] = [
        Joined(at=0.05, identity="agent-1", kind="agent"),
        AgentState(at=0.1, sender="agent-1", state="initializing"),
        Left(at=TURN_S * len(marks), identity="agent-1"),
    ]
    for mark in marks:
        found += _events_of(mark, words=words)
    middle = marks[0].ended_at
    found += [
        ToolStarted(at=middle + 0.5, sender="agent-1", call_id="c1", name="look_up"),
        ToolEnded(at=middle + 1.1, sender="agent-1", call_id="c1", failed=False),
        HandOver(at=middle + 1.2, sender="agent-1", to="billing"),
        FalseInterruption(at=middle + 3.1, sender="agent-1", resumed=True),
        AgentFault(at=marks[-1].ended_at + 1, sender="agent-1", text="llm: 503 <overloaded>"),
    ]
    return found


def _events_of(mark: TurnMark, *, words: bool) -> list[Event]:
    found: list[Event] = [
        AgentState(at=mark.spoke_at - 0.3, sender="agent-1", state="listening"),
        UserState(at=mark.spoke_at + 0.2, sender="agent-1", state="speaking"),
        UserState(at=mark.ended_at + 0.3, sender="agent-1", state="listening"),
        CallerSpoke(at=mark.spoke_at, until=mark.ended_at),
        Transcript(at=mark.ended_at + 0.4, sender="agent-1", final=True,
                   text="where is my order" if words else ""),
    ]  # fmt: skip
    if mark.replied_at is not None:
        until = mark.replied_at + REPLY_S
        found += [
            AgentState(at=mark.ended_at + 0.5, sender="agent-1", state="thinking"),
            AgentState(at=mark.replied_at - 0.1, sender="agent-1", state="speaking"),
            AgentSounded(at=mark.replied_at, until=until),
            Message(at=until, sender="agent-1", by_agent=True, figures=TurnReport(),
                    text="it is on its way" if words else "", interrupted=True),
        ]  # fmt: skip
    return found


def _envelope(length_s: float, events: tuple[Event, ...]) -> Envelope:
    steps = round(length_s / STEP_S)
    said = [(each.at, each.until) for each in events if isinstance(each, CallerSpoke)]
    heard = [(each.at, each.until) for each in events if isinstance(each, AgentSounded)]
    return Envelope(STEP_S, _loud(steps, said), _loud(steps, heard))


def _loud(steps: int, speech: list[tuple[float, float]]) -> tuple[float, ...]:
    return tuple(
        0.25 + 0.2 * math.sin(step * 0.7)
        if any(at <= step * STEP_S < until for at, until in speech)
        else 0.0002
        for step in range(steps)
    )


def save(call: KeptCall, folder: Path, sound: bytes) -> None:
    """Put a call into a folder of kept calls, as a run and the exporter write one."""
    place = folder / call.outcome.run_id
    place.mkdir(parents=True)
    every = round(reading.STEP_S / call.envelope.step_s)
    caller, agent = call.envelope.caller[::every], call.envelope.agent[::every]
    entries = (
        *(Entry(event=event) for event in call.events),
        *(Entry(mark=mark) for mark in call.marks),
        Entry(levels=Levels(caller, agent)),
    )
    (place / FILE_NAME).write_text("".join(map(to_line, entries)), "utf-8")
    (place / SOUND_NAME).write_bytes(sound)
    (place / reading.SEAL_NAME).write_bytes(reading.to_seal(Seal(call.outcome, call.target_s)))
