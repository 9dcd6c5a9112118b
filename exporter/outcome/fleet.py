"""What listings found: agents in rooms, dispatches, and the pages of workers."""

from dataclasses import dataclass

from exporter.outcome.reasons import Reason


@dataclass(frozen=True, slots=True)
class AgentInRoom:
    """One agent participant in one room."""

    agent_name: str
    identity: str
    room: str
    state: str
    """`lk.agent.state`: initializing idle listening thinking speaking, or "" if not reported."""
    humans: int
    """Standard, SIP and connector (WhatsApp, Twilio) participants in the room, hidden ones not."""
    age_s: float
    """Since the agent joined."""
    worker_id: str = ""
    """The worker that runs it, once its dispatch has the job; "" until then."""
    has_audio: bool = True
    """It publishes a microphone track that is not muted, or an avatar does so for it."""
    seen_s: float = 0.0
    """Since its room was read; everything else is as of then."""


@dataclass(frozen=True, slots=True)
class CallerAlone:
    """The only human of a room in which there is no agent."""

    agent_name: str
    """For whom a dispatch waits; "" where none does, or where any agent would do."""
    room: str
    age_s: float
    """Since the caller joined; an agent may have been there meanwhile."""
    seen_s: float = 0.0
    """Since the room was read; the age is as of then."""


@dataclass(frozen=True, slots=True)
class PendingDispatch:
    """A dispatch by name for which no agent came."""

    agent_name: str
    room: str
    age_s: float
    humans: int = 0
    """As in `AgentInRoom`: the callers who wait for it."""


@dataclass(frozen=True, slots=True)
class RoomWithoutHuman:
    """A room in which there is no human; it may be that one has just left."""

    room: str
    sid: str
    """A room that is made again under the same name has another."""
    age_s: float
    """Since the room was made."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What the server says is there, at one moment; rooms of probes do not count."""

    agents: tuple[AgentInRoom, ...] = ()
    pending: tuple[PendingDispatch, ...] = ()
    rooms: int = 0
    participants: tuple[tuple[str, int], ...] = ()
    """Number of participants by kind (standard agent sip egress ingress connector bridge other)."""
    without_human: tuple[RoomWithoutHuman, ...] = ()
    alone: tuple[CallerAlone, ...] = ()
    """Those who wait for an agent, in rooms that are for calls (`agents.call_rooms`)."""
    probe_rooms: tuple[str, ...] = ()
    """Rooms of probes in which there are agents: of this exporter or of any other."""
    unread: int = 0
    """Rooms that were not read yet, or could not be: what is in them is not here."""
    requests: tuple[tuple[str, int], ...] = ()
    """Requests of this listing, by what became of them: ok, refused (too many) or failed."""
    oldest_s: float = 0.0
    """Since the room was read that was read least recently; of an unread one, since it is known."""


@dataclass(frozen=True, slots=True)
class WorkerPage:
    """The content of a worker page, or the reason why it could not be read."""

    url: str
    """As it was asked; holds no user and no password."""
    host: str = ""
    """Name or address in the URL; for a DNS name with several addresses, this one."""
    address: str = ""
    """IP address that the host stands for."""
    port: int = 0
    reason: Reason | None = None
    """connect_failed when it did not answer, api_failed when the answer is no worker's page."""
    detail: str = ""
    agent_name: str = ""
    active_jobs: int | None = None
    load: float | None = None
    sdk_version: str = ""


@dataclass(frozen=True, slots=True)
class WorkerScrape:
    """The pages of all workers that are configured, at one moment."""

    pages: tuple[WorkerPage, ...] = ()
