"""What listings know of all rooms, from one to the next, and which rooms are worth a request.

The server lists rooms in one request, participants and dispatches in one for each room: 1,000 rooms
would take 8,004 requests a minute. A row of the list shows most changes; what it does not show is
found in turn.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from math import inf

from exporter.outcome import AgentInRoom
from exporter.probes.agents.rooms import RoomSeen, agents_in, alone_in, pending_in
from exporter.server_api.records import Room

OLDEST_S = 300.0
"""A room that was not read for so long has all of the requests that no change takes."""
IN_TURN_WITH_EVENTS_S = 60.0
"""A room without a change is not read again before, where webhooks tell of changes."""
_FOR_ALONE_S = 60.0
"""Between two looks at the dispatches of a room in which a caller is alone."""
_LINKED_WITHIN_S = 60.0
"""The server shows the job of an agent some seconds after it came; older ones it never shows."""
_YOUNG_S = 60.0
"""Until then an agent may be dispatched to a new room: no row shows a dispatch."""
_BURST = 0.25
"""Share of a minute's requests that may go at once; the rest is spread over the minute."""
_BURST_ALONE = 0.5
"""The same of a listing that no other follows."""
_FOR_CHANGES = 0.5
"""Share of the burst that rooms without a change leave to others."""
_PASSING = frozenset({"initializing", "thinking"})
_MINUTE_S = 60.0


class Urgency(IntEnum):
    """Why a room is asked for; the lowest first."""

    NEW = 0
    CHANGED = 1
    """Its row, or an event says so."""
    WAITS = 2
    """A caller is alone, a dispatch is pending, an agent is silent, or expected in a new room."""
    OLD = 3
    PASSING = 4
    """An agent is in a state that it should leave soon."""
    IN_TURN = 5


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known after a listing, for the next one; times are monotonic."""

    rooms: Mapping[str, RoomSeen] = field(default_factory=dict)
    """By session id."""
    unread: Mapping[str, float] = field(default_factory=dict)
    """Rooms that were never read: since when they are known, by session id."""
    allowance: float = inf
    """Requests that may be sent at `at`; no more than a burst of them counts."""
    at: float = 0.0
    not_before: float = 0.0
    """The server asked for no requests until then."""
    touched: frozenset[str] = frozenset()
    """Session ids of rooms of which an event came since they were read."""
    has_events: bool = False
    """Webhooks tell of changes."""

    def merged(self, rows: Iterable[Room], now: float) -> "Picture":
        """Return the picture with the rows of a new list: rooms that ended are gone."""
        listed = {row.sid: row for row in rows}
        known = self.rooms.items()
        return replace(
            self,
            rooms={sid: replace(seen, room=listed[sid]) for sid, seen in known if sid in listed},
            unread={sid: self.unread.get(sid, now) for sid in listed if sid not in self.rooms},
        )

    def oldest_s(self, now: float) -> float:
        """Return the age of what is known of the room that was read least recently."""
        times = (*(seen.read_at for seen in self.rooms.values()), *self.unread.values())
        return max(0.0, now - min(times, default=now))


class Allowance:
    """Requests that may still be sent: a token bucket, so that no minute has more than allowed."""

    def __init__(self, per_minute: int, before: Picture | None, now: float) -> None:
        """Begin a listing.

        Args:
            per_minute: Requests allowed in any minute; 0: any number.
            before: What the listing before left; None: this one is alone.
            now: Monotonic.
        """
        share = _BURST_ALONE if before is None else _BURST
        self._burst = per_minute * share if per_minute else inf
        self._per_s = per_minute * (1 - share) / _MINUTE_S
        self._at = now
        before = before or Picture()
        refilled = before.allowance + (now - before.at) * self._per_s
        self._left = min(self._burst, refilled)

    def left(self, now: float) -> float:
        """Return how many may be sent now."""
        return min(self._burst, self._left + (now - self._at) * self._per_s)

    def take(self, requests: int, now: float) -> None:
        """Note requests that were or will be sent; less than 0 for those that were not needed."""
        self._left, self._at = self.left(now) - requests, now

    def allows(self, urgency: Urgency, now: float) -> bool:
        """Whether a room may be asked for: two requests."""
        spared = 0.0 if urgency <= Urgency.OLD or self._burst == inf else _FOR_CHANGES
        return self.left(now) - 2 >= (self._burst * spared if spared else 0.0)

    @property
    def wait_s(self) -> float:
        """The seconds that one room takes of a minute, for who waits."""
        return 2 / self._per_s if self._per_s else 0.0


NOTHING = Picture()


def in_order(picture: Picture, rows: Iterable[Room], now: float) -> list[tuple[Urgency, Room]]:
    """Return the rooms that are worth a request, the most urgent and the oldest first."""
    asked: list[tuple[Urgency, float, Room]] = []
    for row in rows:
        seen = picture.rooms.get(row.sid)
        read_at = seen.read_at if seen else picture.unread.get(row.sid, now)
        urgency = _urgency(picture, seen, now)
        if urgency is not None:
            asked.append((urgency, read_at, row))
    asked.sort(key=lambda each: each[:2])
    return [(urgency, row) for urgency, _, row in asked]


def _urgency(picture: Picture, seen: RoomSeen | None, now: float) -> Urgency | None:
    if seen is None:
        return Urgency.NEW
    age_s = now - seen.read_at
    if seen.has_changed or seen.room.sid in picture.touched:
        return Urgency.CHANGED
    agents = tuple(agents_in(seen))
    silent = any(not each.has_audio for each in agents)
    if (
        silent
        or seen.error
        or _is_expected(seen, agents)
        or any(alone_in(seen))
        or any(pending_in(seen, agents))
    ):
        return Urgency.WAITS
    if age_s >= OLDEST_S:
        return Urgency.OLD
    if any(each.state in _PASSING for each in agents):
        return Urgency.PASSING
    rests = picture.has_events and age_s < IN_TURN_WITH_EVENTS_S
    return None if rests else Urgency.IN_TURN


def _is_expected(seen: RoomSeen, agents: tuple[AgentInRoom, ...]) -> bool:
    """Whether a room is so new that an agent is probably on the way."""
    return not agents and seen.room.age_s < _YOUNG_S


def wants_dispatches(before: RoomSeen | None, now: RoomSeen) -> bool:
    """Whether the dispatches of a room may have changed, or explain what is in it.

    Args:
        before: What was known of it; None for a new one.
        now: Its participants as they are, with the dispatches from before.
    """
    if before is None or before.error:
        return True
    agents = tuple(agents_in(now))
    unlinked = (not each.worker_id and each.age_s < _LINKED_WITHIN_S for each in agents)
    if any(unlinked) or any(pending_in(now, agents)) or _is_expected(now, agents):
        return True
    # For whom a caller waits who was left alone, if anyone is on the way.
    after_s = _FOR_ALONE_S if any(alone_in(now)) else OLDEST_S
    return now.read_at - before.dispatches_at >= after_s
