"""Workers as the roster knows them. All are frozen; `None` is "not known", never 0."""

from dataclasses import dataclass, replace
from enum import StrEnum


class WorkerStatus(StrEnum):
    """What a worker does: the label `status`."""

    IDLE = "idle"
    """It has no job and takes one."""
    BUSY = "busy"
    """It has jobs and takes more."""
    FULL = "full"
    """Its load is above its threshold: the server sends it no job."""
    DRAINING = "draining"
    """It ends its jobs and takes no more."""
    OFFLINE = "offline"
    """It said that it leaves, or has been silent for too long."""


class Source(StrEnum):
    """How the roster knows of a worker."""

    HEARTBEAT = "heartbeat"
    """The worker reports itself, by `register_worker` of the distribution in `agent/`."""
    SCRAPE = "scrape"
    """Its own HTTP page was read."""
    ROOM = "room"
    """A dispatch says which worker runs an agent that is in a room."""


@dataclass(frozen=True, slots=True)
class WorkerReport:
    """What a worker says of itself at one moment: one heartbeat."""

    worker_id: str
    """The one that LiveKit gave it (`AW_...`), or one of its own where it does not know that."""
    agent_name: str
    """"" for a worker that joins every room."""
    status: WorkerStatus
    active_jobs: int | None = None
    load: float | None = None
    """As LiveKit balances by: 0 is idle, 1 is all of the machine."""
    memory_bytes: int | None = None
    """Resident, of the worker's process and its children."""
    cpu_ratio: float | None = None
    """Cores in use by the same, on average since the report before."""
    sdk_version: str = ""
    """Of livekit-agents."""
    version: str = ""
    """Of the user's own agent, if it says."""
    region: str = ""
    """Where it runs, if it says."""
    addresses: tuple[str, ...] = ()
    """IP addresses of its host, by which its page may be scraped."""
    http_port: int | None = None
    """Port of its page."""
    replaces: str = ""
    """The id that the same worker had before: LiveKit gives a new one at each registration."""


@dataclass(frozen=True, slots=True)
class Worker:
    """One worker as of now, merged from all that is known of it.

    Times are Unix times; within the roster they are those of its own clock.
    """

    worker_id: str
    """As in `WorkerReport`; `HOST:PORT` of its page where only that is known."""
    agent_name: str
    status: WorkerStatus
    active_jobs: int | None = None
    load: float | None = None
    memory_bytes: int | None = None
    cpu_ratio: float | None = None
    sdk_version: str = ""
    version: str = ""
    region: str = ""
    addresses: tuple[str, ...] = ()
    http_port: int | None = None
    last_heartbeat: float | None = None
    last_scrape: float | None = None
    """When its page last answered."""
    last_in_room: float | None = None
    """When an agent of its was last listed in a room."""
    is_lost: bool = False
    """Offline without having said that it leaves."""

    @property
    def last_seen(self) -> float:
        """When it last gave a sign of life of its own, or else an agent of its was in a room."""
        own = [at for at in (self.last_heartbeat, self.last_scrape) if at is not None]
        return max(own, default=self.last_in_room or 0.0)

    def moved(self, seconds: float, *, latest: float) -> "Worker":
        """Return the worker with its times by another clock.

        Args:
            seconds: What that clock is ahead of the other.
            latest: Now, by that clock: nothing was seen later, whatever was done to the clock.
        """

        def move(at: float | None) -> float | None:
            return None if at is None else min(round(at + seconds, 3), latest)

        return replace(
            self,
            last_heartbeat=move(self.last_heartbeat),
            last_scrape=move(self.last_scrape),
            last_in_room=move(self.last_in_room),
        )

    @property
    def sources(self) -> tuple[Source, ...]:
        """How it is known, the most telling first."""
        seen = {
            Source.HEARTBEAT: self.last_heartbeat,
            Source.SCRAPE: self.last_scrape,
            Source.ROOM: self.last_in_room,
        }
        return tuple(source for source, at in seen.items() if at is not None)
