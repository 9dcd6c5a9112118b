"""The JSON of the API about workers: what they post, and what the roster answers."""

import ipaddress
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from exporter.config.values import Printable
from exporter.roster.types import Source, Worker, WorkerReport, WorkerStatus

MAX_NAME = 256
"""Characters of an agent's name: as many as LiveKit allows in the name of a room."""
MAX_ID = 128
MAX_BODY_BYTES = 8192
"""A heartbeat is some 300 bytes; more than this need not be read."""
_MAX_ADDRESSES = 16
_MANY = 10**6
_MAX_BYTES = 2**53
"""The largest whole number that every JSON reader keeps exact."""


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


WorkerId = Annotated[str, StringConstraints(pattern=rf"^[A-Za-z0-9_.:\-]{{1,{MAX_ID}}}$")]
"""A worker's id in a path: what LiveKit gives (`AW_...`), or `HOST:PORT`, or a worker's own."""
_Address = Annotated[str, Field(max_length=45), AfterValidator(_address)]


class _Message(BaseModel):
    # A newer exporter may answer more than an older command knows.
    model_config = ConfigDict(
        frozen=True, extra="ignore", allow_inf_nan=False, hide_input_in_errors=True
    )


class Heartbeat(_Message):
    """The body of `POST /api/v1/workers/{worker_id}/heartbeat`.

    Unknown keys are those of a newer worker, and ignored.

    Parse it from JSON (`model_validate_json`), for which `strict` holds.
    """

    model_config = ConfigDict(strict=True)

    agent_name: Printable = Field(max_length=MAX_NAME, description="Empty if it joins every room.")
    status: WorkerStatus
    active_jobs: int | None = Field(None, ge=0, le=_MANY)
    load: float | None = Field(None, ge=0, le=_MANY, description="1 is the whole machine.")
    memory_bytes: int | None = Field(None, ge=0, le=_MAX_BYTES)
    cpu_ratio: float | None = Field(None, ge=0, le=_MANY, description="CPU cores in use.")
    sdk_version: Printable = Field("", max_length=64)
    version: Printable = Field("", max_length=64, description="Of the agent that the worker runs.")
    region: Printable = Field("", max_length=64, description="Where the worker runs.")
    addresses: tuple[_Address, ...] = Field((), max_length=_MAX_ADDRESSES)
    http_port: int | None = Field(None, ge=1, le=65535, description="Port of the worker page.")
    replaces: WorkerId | None = Field(
        None, description="The previous id of the same worker, which is removed."
    )

    def report(self, worker_id: str, peer: str = "") -> WorkerReport:
        """Return what the roster takes.

        Args:
            worker_id: From the path, a `WorkerId`.
            peer: The IP address that the request came from, if known: where the worker's page
                is perhaps scraped.
        """
        more = (peer,) if peer and peer not in self.addresses else ()
        told = dict(self) | {"addresses": (*self.addresses, *more)}
        return WorkerReport(worker_id, **told | {"replaces": self.replaces or ""})


class WorkerView(_Message):
    """One worker in the answer to `GET /api/v1/workers`."""

    agent_name: str
    worker_id: str
    status: WorkerStatus
    active_jobs: int | None
    load: float | None
    sdk_version: str
    last_seen_s: float = Field(description="Seconds since the last report.")
    memory_bytes: int | None
    cpu_ratio: float | None
    sources: tuple[Source, ...]
    addresses: tuple[str, ...] = Field((), description="IP addresses of its host.")
    http_port: int | None = Field(None, description="Port of its worker page.")
    is_lost: bool = Field(False, description="Offline without having announced a shutdown.")
    version: str = Field("", description="Of the agent that the worker runs.")
    region: str = Field("", description="Where the worker runs.")

    @classmethod
    def of(cls, worker: Worker, now: float) -> "WorkerView":
        """Describe a worker, `now` being Unix time."""
        same = {name: getattr(worker, name) for name in cls.model_fields if name != "last_seen_s"}
        return cls(**same, last_seen_s=round(max(0.0, now - worker.last_seen), 3))

    def worker(self, now: float) -> Worker:
        """Return the worker as someone else's roster may know it, `now` being Unix time."""
        same = {name: value for name, value in self if name not in ("sources", "last_seen_s")}
        seen = dict.fromkeys(self.sources, now - self.last_seen_s)
        return Worker(
            **same,
            last_heartbeat=seen.get(Source.HEARTBEAT),
            last_scrape=seen.get(Source.SCRAPE),
            last_in_room=seen.get(Source.ROOM),
        )


class WorkerList(_Message):
    """The answer to `GET /api/v1/workers`: `{"workers": [...]}`."""

    workers: tuple[WorkerView, ...]

    @classmethod
    def of(cls, workers: Iterable[Worker], now: float) -> "WorkerList":
        """Describe the roster, `now` being Unix time."""
        return cls(workers=tuple(WorkerView.of(each, now) for each in workers))
