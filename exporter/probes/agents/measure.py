"""One listing, asked of the server API room by room."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from exporter.errors import ProbeError, first_probe_error
from exporter.outcome import (
    AgentInRoom,
    CallerAlone,
    Listing,
    Outcome,
    PendingDispatch,
    Reason,
    RoomWithoutHuman,
)
from exporter.probe import PROBE_ATTRIBUTE, ROOM_PREFIX, Run
from exporter.probes.agents.spec import AgentsConfig
from exporter.probes.calibrate.spec import ECHO_ATTRIBUTE
from exporter.server_api import ServerApi
from exporter.server_api.records import Dispatch, Participant, Room

_NAME_ATTRIBUTES = ("lk.agent_name", "lk.agent.name")
"""The first is the server's (since 2025-09), the second the worker's (agents 1.4 and later)."""
_STATE_ATTRIBUTE = "lk.agent.state"
_ON_BEHALF = "lk.publish_on_behalf"
_NO_AGENTS = {_ON_BEHALF, ECHO_ATTRIBUTE}
"""Attributes of participants of kind agent that are not agents: avatars and the exporter's echo."""
_HUMAN_KINDS = frozenset({"standard", "sip", "connector"})
_DISPATCH_TIMEOUT_S = 2.0
"""For a room that has gone the server answers only after 3 s."""
_REPORT_S = 1.0
"""Kept back from the deadline, to report what was read of a listing that is cut."""


@dataclass(frozen=True, slots=True)
class _Room:
    """The listing of one room."""

    room: Room
    participants: tuple[Participant, ...]
    dispatches: tuple[Dispatch, ...] = ()
    error: ProbeError | None = None
    """Why its dispatches are unknown."""

    @property
    def name(self) -> str:
        return self.room.name


async def list_agents(config: AgentsConfig, run: Run) -> Outcome:
    """List agents, rooms and pending dispatches once, less those of probes.

    A room that goes away meanwhile is no failure. Everything is of one listing: either the
    result is complete, or the outcome has a reason and no result. Only where the server takes
    requests too slowly for one listing, what was read of it is kept, with the reason.
    """
    known: tuple[Room, ...] = ()
    rooms: list[_Room] = []

    async def read() -> None:
        nonlocal known
        known = await api.describe_rooms()
        run.log(f"{len(known)} rooms")
        await _ask_rooms(api, known, config.concurrency, rooms)
        await _check_unlisted(api, rooms, run)

    async with ServerApi(run.server) as api:
        ended = await run.within_deadline(read(), _REPORT_S)
    unread = len(known) - len(rooms)
    if ended is not None and api.slowed:
        detail = f"{unread} of {len(known)} rooms not read: {ended.detail}"
        ended = ProbeError(Reason.QUOTA_EXCEEDED, detail)
    if ended is not None:
        run.log(ended.detail)
    kept = ended is None or (ended.reason is Reason.QUOTA_EXCEEDED and rooms)
    result = _listing(rooms, unread, config.call_rooms) if kept else None
    return run.outcome("agents", result=result, ended=ended)


async def _ask_rooms(
    api: ServerApi, rooms: Sequence[Room], concurrency: int, read: list[_Room]
) -> None:
    """Ask for every room; `read` has those that have answered, also when others do not."""
    at_once = asyncio.Semaphore(concurrency)

    async def ask(room: Room) -> None:
        async with at_once:
            read.append(await _ask_room(api, room))

    with first_probe_error():
        async with asyncio.TaskGroup() as group:
            for room in rooms:
                group.create_task(ask(room))


async def _ask_room(api: ServerApi, room: Room) -> _Room:
    participants = await api.list_participants(room.name)
    try:
        dispatches = await api.list_dispatch(room.name, _DISPATCH_TIMEOUT_S)
        return _Room(room, participants, dispatches)
    except ProbeError as error:
        if error.reason in (Reason.AUTH_FAILED, Reason.QUOTA_EXCEEDED):
            raise
        return _Room(room, participants, error=error)


async def _check_unlisted(api: ServerApi, rooms: Sequence[_Room], run: Run) -> None:
    """Tell rooms that went away during the listing from a server that does not answer.

    A single room whose node has died must not hide all others: it is logged. That no room at
    all tells its dispatches is an error.
    """
    unlisted = [room for room in rooms if room.error]
    if not unlisted:
        return
    left = await api.list_rooms(room.name for room in unlisted)
    for room in unlisted:
        run.log(
            f"dispatches of room {room.name!r} are unknown: "
            f"{'the room is closed' if room.name not in left else 'no answer'}"
        )
    error = unlisted[0].error
    if left and len(unlisted) == len(rooms) and error:
        raise error


def _is_probes(room: _Room) -> bool:
    """Whether it is the room of a probe, of whichever exporter or command."""
    marks = (PROBE_ATTRIBUTE in each.attributes for each in room.participants)
    return room.name.startswith(ROOM_PREFIX) or any(marks)


def _listing(read: Sequence[_Room], unread: int = 0, call_rooms: Sequence[str] = ("*",)) -> Listing:
    rooms = [room for room in read if not _is_probes(room)]
    agents = [agent for room in rooms for agent in _agents(room)]
    pending = [dispatch for room in rooms for dispatch in _pending(room, agents)]
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
            alone
            for room in rooms
            if any(fnmatchcase(room.name, pattern) for pattern in call_rooms)
            for alone in _alone(room)
        ),
        probe_rooms=tuple(
            sorted(room.name for room in read if _is_probes(room) and any(_agents(room)))
        ),
        unread=unread,
    )


def _agents(room: _Room) -> Iterable[AgentInRoom]:
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


def _speaks_for(room: _Room, identity: str) -> bool:
    """Whether an avatar is that agent's voice."""
    return any(
        each.speaks and each.attributes.get(_ON_BEHALF) == identity for each in room.participants
    )


def _alone(room: _Room) -> Iterable[CallerAlone]:
    """Yield the caller of a room without any agent: the only human, as two may talk to each other.

    A dispatch without a name is in every room: it tells no one's name.
    """
    humans = [each for each in room.participants if _is_human(each)]
    if len(humans) == 1 and not any(each.kind == "agent" for each in room.participants):
        waits = (each.agent_name for each in room.dispatches if each.agent_name)
        yield CallerAlone(next(waits, ""), room.name, room.room.sid, humans[0].age_s)


def _is_human(each: Participant) -> bool:
    return each.kind in _HUMAN_KINDS and not each.hidden


def _humans(room: _Room) -> int:
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


def _pending(room: _Room, agents: Iterable[AgentInRoom]) -> Iterable[PendingDispatch]:
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
            yield PendingDispatch(each.agent_name, room.name, each.age_s, _humans(room))
