"""A script of what happens in rooms, and the events that a server would send of it."""

from dataclasses import dataclass, field, replace
from itertools import count

from exporter.calls.calls import EMPTY_S, Calls
from exporter.calls.families import figures
from exporter.server_api.webhooks import EventParticipant, ServerEvent

_IDS = count()
SHORT_BELOW_S = 10.0


@dataclass
class Clock:
    """A clock that a test moves."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@dataclass
class Script:
    """One room; every method appends the events of what it does."""

    room: str = "room"
    sid: str = "RM_1"
    events: list[ServerEvent] = field(default_factory=list)
    _people: dict[str, EventParticipant] = field(default_factory=dict)

    def join(self, at: float, identity: str, kind: str = "standard", **attributes: str) -> "Script":
        """Somebody joins; `agent` and `region` name those, the rest are attributes."""
        named = {
            key.replace("__", ".").replace("_dash_", "-"): text for key, text in attributes.items()
        }
        region = named.pop("region", "")
        if name := named.pop("agent", ""):
            named["lk.agent_name"] = name
        sid = f"PA_{len(self.events)}"
        who = EventParticipant(sid, identity, kind, named, at, False, region, "unknown_reason")
        self._people[identity] = who
        return self._add("participant_joined", at, who)

    def speak(self, at: float, identity: str) -> "Script":
        """Somebody's microphone is published; of who that is, such an event has the ids alone."""
        sid = self._people[identity].sid
        who = EventParticipant(sid, identity, "", {}, 0.0, False, "", "unknown_reason")
        return self._add("track_published", at, who, is_voice=True)

    def leave(self, at: float, identity: str, reason: str = "client_initiated") -> "Script":
        """Somebody goes."""
        who = self._people[identity]
        left = EventParticipant(
            *(who.sid, identity, who.kind, who.attributes, who.joined_at, False),
            *(who.region, reason),
        )
        return self._add("participant_left", at, left)

    def finish(self, at: float, *, deleted: bool = False) -> "Script":
        """The room ends."""
        return self._add("room_finished", at, None, was_deleted=deleted)

    def _add(
        self,
        name: str,
        at: float,
        who: EventParticipant | None,
        *,
        is_voice: bool = False,
        was_deleted: bool = False,
    ) -> "Script":
        event = ServerEvent(
            f"EV_{next(_IDS)}", name, at, self.room, self.sid, who, is_voice, was_deleted
        )
        self.events.append(event)
        return self


def counted(calls: Calls, clock: Clock) -> dict[str, float]:
    """Let all calls end, and return the sum of each figure by its name and labels."""
    clock.now += EMPTY_S + 1
    ended, _ = calls.close_due()
    found: dict[str, float] = {}
    for call in ended:
        for reading in figures(call, SHORT_BELOW_S):
            texts = " ".join(text or "-" for text in reading.labels.values())
            name = f"{reading.family.name.removeprefix('voice_')} {texts}"
            found[name] = round(found.get(name, 0) + reading.value, 3)
    return found


def in_room(script: Script, sid: str) -> list[ServerEvent]:
    """Return the events of a script as those of another room, whose participants are others."""
    return [
        replace(
            each,
            id=f"{sid} {each.id}",
            room_sid=sid,
            participant=each.participant
            and replace(each.participant, sid=f"{sid} {each.participant.sid}"),
        )
        for each in script.events
    ]


def told(script: Script) -> dict[str, float]:
    """Return the figures of a script as it happened."""
    clock = Clock()
    calls = Calls(clock=clock)
    for event in script.events:
        calls.take(event)
    return counted(calls, clock)
