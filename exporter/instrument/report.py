"""What a heartbeat says, as this side knows it; `exporter.roster.wire` is the other side's."""

from dataclasses import dataclass
from typing import Literal, Protocol

Status = Literal["idle", "busy", "full", "draining", "offline"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a worker does at one moment."""

    worker_id: str
    agent_name: str
    status: Status
    active_jobs: int | None
    load: float | None
    sdk_version: str
    http_port: int | None


class Source(Protocol):
    """Where the facts come from."""

    def facts(self) -> Facts | None:
        """Return the facts of now; None as long as the worker takes no jobs yet. May raise."""


def status_of(active_jobs: int, *, full: bool, draining: bool = False) -> Status:
    """Return the status that follows."""
    if draining:
        return "draining"
    if full:
        return "full"
    return "busy" if active_jobs else "idle"
