"""What is known of one room, and what rooms say together."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from exporter.errors import ProbeError
from exporter.outcome import (
    AgentInRoom,
    CallerAlone,
    Listing,
    PendingDispatch,
    RoomWithoutHuman,
)
from exporter.probe import PROBE_ATTRIBUTE, ROOM_PREFIX
from exporter.probes.calibrate.spec import ECHO_ATTRIBUTE
from exporter.server_api.records import Dispatch, Participant, Room

_NAME_ATTRIBUTES = ("lk.agent_name", "lk.agent.name")
"""The first is the server's (since 2025-09), the second the worker's (agents 1.4 and later)."""
_STATE_ATTRIBUTE = "lk.agent.state"
_ON_BEHALF = "lk.publish_on_behalf"
_NO_AGENTS = {_ON_BEHALF, ECHO_ATTRIBUTE}
"""Attributes of participants of kind agent that are not agents: avatars and the exporter's echo."""
_HUMAN_KINDS = frozenset({"standard", "sip", "connector"})


@dataclass(frozen=True, slots=True)
class RoomSeen:
    """One room as it was when it was last asked for."""

    room: Room
    """Its row in the latest list."""
    participants: tuple[Participant, ...]
    dispatches: tuple[Dispatch, ...] = ()
    error: ProbeError | None = None
    """Why its dispatches are unknown."""
    read_at: float = 0.0
    """When its participants were read; monotonic."""
    dispatches_at: float = 0.0
    """When its dispatches were read; monotonic."""
    counts: tuple[int, int] = (0, 0)
    """`Room.counts` when it was last asked for."""

    @property
    def name(self) -> str:
        """The room's name."""
        return self.room.name

    @property
    def has_changed(self) -> bool:
        """Whether its row differs from the one with which it was read: what is known is old."""
        return self.counts != self.room.counts


def _is_probes(room: RoomSeen) -> bool:
    """Whether it is the room of a probe, of whichever exporter or command."""
    marks = (PROBE_ATTRIBUTE in each.attributes for each in room.participants)
    return room.name.startswith(ROOM_PREFIX) or any(marks)


def listing_of(
    read: Sequence[RoomSeen],
    unread: int = 0,
    call_rooms: Sequence[str] = ("*",),
    now: float | None = None,
) -> Listing:
    """Return what rooms say together.

    Args:
        read: The rooms that are known.
        unread: How many more there are.
        call_rooms: Patterns of the names of rooms in which a caller expects an agent.
        now: By the clock of `read_at`; None: all were read just now.
    """
    rooms = [room for room in read if not _is_probes(room)]
    ago = {} if now is None else {room.room.sid: max(0.0, now - room.read_at) for room in rooms}
    agents = [
        replace(agent, seen_s=ago.get(room.room.sid, 0.0))
        for room in rooms
        for agent in agents_in(room)
    ]
    pending = [dispatch for room in rooms for dispatch in pending_in(room, agents)]
    kinds = Counter(each.kind for room in rooms for each in room.participants)
    return Listing(
        agents=tuple(sorted(agents, key=lambda each: (each.agent_name, each.room, each.identity))),
        pending=tuple(sorted(pending, key=lambda each: (each.agent_name, each.room))),
        rooms=len(rooms) + unread,
        participants=tuple(sorted(kinds.items())),
        without_human=tuple(
            RoomWithoutHuman(each.name, each.room.sid, each.room.age_s)
            for each in rooms
            if not _humans(each)
        ),
        alone=tuple(
            replace(alone, seen_s=ago.get(room.room.sid, 0.0))
            for room in rooms
            if not room.has_changed
            and any(fnmatchcase(room.name, pattern) for pattern in call_rooms)
            for alone in alone_in(room)
        ),
        probe_rooms=tuple(
            sorted(room.name for room in read if _is_probes(room) and any(agents_in(room)))
        ),
        unread=unread,
    )


def agents_in(room: RoomSeen) -> Iterable[AgentInRoom]:
    """Yield the agents of a room, without avatars and the exporter's echo."""
    for each in room.participants:
        if each.kind == "agent" and not _NO_AGENTS & set(each.attributes):
            yield AgentInRoom(
                agent_name=_name(each, room.dispatches),
                identity=each.identity,
                room=room.name,
                state=each.attributes.get(_STATE_ATTRIBUTE, ""),
                humans=_humans(room),
                age_s=each.age_s,
                worker_id=_worker_id(each, room.dispatches),
                has_audio=each.speaks or _speaks_for(room, each.identity),
            )


def _speaks_for(room: RoomSeen, identity: str) -> bool:
    """Whether an avatar is that agent's voice."""
    return any(
        each.speaks and each.attributes.get(_ON_BEHALF) == identity for each in room.participants
    )


def alone_in(room: RoomSeen) -> Iterable[CallerAlone]:
    """Yield the caller of a room without any agent: the only human, as two may talk to each other.

    A dispatch without a name is in every room: it tells no one's name.
    """
    humans = [each for each in room.participants if _is_human(each)]
    if len(humans) == 1 and not any(each.kind == "agent" for each in room.participants):
        waits = (each.agent_name for each in room.dispatches if each.agent_name)
        yield CallerAlone(next(waits, ""), room.name, humans[0].age_s)


def _is_human(each: Participant) -> bool:
    return each.kind in _HUMAN_KINDS and not each.hidden


def _humans(room: RoomSeen) -> int:
    return sum(map(_is_human, room.participants))


def _name(agent: Participant, dispatches: Iterable[Dispatch]) -> str:
    """Return the agent's name, "" for one that joins every room or reports no name."""
    told = [agent.attributes[key] for key in _NAME_ATTRIBUTES if key in agent.attributes]
    if told:
        return next(filter(None, told), "")
    # Older servers and workers: the job knows whom it was for.
    sent = (each.agent_name for each in dispatches if agent.identity in each.identities)
    return next(sent, "")


def _worker_id(agent: Participant, dispatches: Iterable[Dispatch]) -> str:
    jobs = (job for each in dispatches for job in each.jobs if job.identity == agent.identity)
    return next((job.worker_id for job in jobs), "")


def pending_in(room: RoomSeen, agents: Iterable[AgentInRoom]) -> Iterable[PendingDispatch]:
    """Yield the dispatches that nobody has taken, the latest of each name.

    Only dispatches with a name: every room has a nameless one for workers that join unasked,
    and where there are none it waits for ever. An agent just come is in the room before its
    dispatch shows the job, so each agent beyond the jobs shown answers one open dispatch of
    its name, the oldest first.
    """
    shown = {identity for each in room.dispatches for identity in each.identities}
    come = Counter(
        each.agent_name for each in agents if each.room == room.name and each.identity not in shown
    )
    for each in sorted(room.dispatches, key=lambda each: -each.age_s):
        if not each.agent_name or each.identities:
            continue
        if come[each.agent_name] > 0:
            come[each.agent_name] -= 1
        else:
            age_s = each.age_s + max(0.0, room.read_at - room.dispatches_at)
            yield PendingDispatch(each.agent_name, room.name, age_s, _humans(room))
