"""Rooms, participants and dispatches as reported by the server, as small values."""
# ruff: noqa: PLC0415 - as in client

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from livekit.protocol.agent import JobState
    from livekit.protocol.agent_dispatch import AgentDispatch
    from livekit.protocol.models import ParticipantInfo
    from livekit.protocol.models import Room as RoomInfo

NUMBERS_KEPT = 64
"""Numbers of an enumeration whose meaning is kept: the SDK makes a list of all its values for each
question, and a server may send any number."""


@dataclass(frozen=True, slots=True)
class Room:
    """One room as the server lists it."""

    name: str
    sid: str
    """Its own id: a room that is made again under the same name has another."""
    age_s: float
    """Since it was made."""
    counts: tuple[int, int] = (0, 0)
    """Participants other than agents and recorders, and those who publish, as the list has them: up
    to 5 s old. That they are the same does not show that nothing has changed."""


@dataclass(frozen=True, slots=True)
class Participant:
    """One participant as the server lists it."""

    identity: str
    kind: str
    """standard agent sip egress ingress connector bridge, or "other" for kinds yet unknown."""
    attributes: Mapping[str, str]
    age_s: float
    """Since it joined."""
    hidden: bool
    """Other participants cannot see it."""
    name: str = ""
    """What people see."""
    speaks: bool = False
    """It publishes a microphone track that is not muted."""


@dataclass(frozen=True, slots=True)
class Job:
    """What became of a dispatch: the agent that a worker sent, or is about to."""

    identity: str
    """Of the participant that the agent is."""
    worker_id: str = ""
    """The worker that took it; "" if the server does not report it."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One request for an agent to come to a room."""

    id: str
    agent_name: str
    """"" is the dispatch that every room has for workers registered without a name."""
    age_s: float
    """Since it was requested."""
    jobs: tuple[Job, ...]
    """Those that workers have taken; empty while nobody came.

    An open-source server shows a job about 5 s after it was taken, and never updates it: the
    agent may have left since.
    """

    @property
    def identities(self) -> tuple[str, ...]:
        """The participant identities of its jobs."""
        return tuple(job.identity for job in self.jobs)


def room_record(info: "RoomInfo", now: float) -> Room:
    """Return the record of a room, `now` being its own time."""
    created_at = info.creation_time_ms / 1000 or float(info.creation_time)
    age_s = max(0.0, now - created_at) if created_at else 0.0
    return Room(info.name, info.sid, age_s, (info.num_participants, info.num_publishers))


def participant_record(info: "ParticipantInfo", now: float) -> Participant:
    """Return the record of a participant, `now` being its own time."""
    joined_at = info.joined_at_ms / 1000 or float(info.joined_at)
    return Participant(
        identity=info.identity,
        kind=kind_name(info.kind),
        attributes=dict(info.attributes),
        age_s=max(0.0, now - joined_at) if joined_at else 0.0,
        hidden=info.permission.hidden,
        name=info.name,
        speaks=_speaks(info),
    )


def _speaks(info: "ParticipantInfo") -> bool:
    from livekit.protocol.models import TrackSource

    microphones = (track for track in info.tracks if track.source == TrackSource.MICROPHONE)
    return any(not track.muted for track in microphones)


@lru_cache(NUMBERS_KEPT)
def kind_name(kind: int) -> str:
    """Return a kind of participant as `Participant` has it."""
    from livekit.protocol.models import ParticipantInfo

    if kind in ParticipantInfo.Kind.values():
        return ParticipantInfo.Kind.Name(kind).lower()
    return "other"


def dispatch_record(dispatch: "AgentDispatch", now: float) -> Dispatch:
    """Return the record of a dispatch, `now` being its own time."""
    created_at = dispatch.state.created_at / 1e9
    return Dispatch(
        id=dispatch.id,
        agent_name=dispatch.agent_name,
        age_s=max(0.0, now - created_at) if created_at else 0.0,
        jobs=tuple(
            Job(job.state.participant_identity, job.state.worker_id)
            for job in dispatch.state.jobs
            if _taken(job.state)
        ),
    )


def _taken(state: "JobState") -> bool:
    from livekit.protocol.agent import JobStateReason, JobStatus

    waiting = {JobStateReason.JSR_NO_CAPACITY, JobStateReason.JSR_RETRYING}
    return state.status != JobStatus.JS_PENDING and state.reason not in waiting
