"""Orders to the processes of a load, and their answers: one line of JSON each."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from exporter.outcome import LoadCall, ProberLoad
from exporter.probes.ramp.messages import Message


class LoadSetup(Message):
    """The first line to a process."""

    url: str
    api_key: str
    api_secret: str = Field(repr=False)
    ca_file: str
    e2ee_key: str = Field(repr=False)
    config: str = Field(repr=False)
    """How each call is made: a pickled `LatencyConfig` in base 64, of the parent, by a pipe."""


class GetReady(Message):
    """Answer when all is imported, so that the calls of a tier begin at one time."""

    kind: Literal["get_ready"] = "get_ready"


class PlaceCalls(Message):
    """Place calls, all at one time."""

    kind: Literal["place_calls"] = "place_calls"
    run_ids: tuple[str, ...]
    """One for each call; its room is named by it."""
    within_s: float


class Ready(Message):
    """All is imported."""

    kind: Literal["ready"] = "ready"


class Placed(Message):
    """All calls have ended."""

    kind: Literal["placed"] = "placed"
    members: tuple[LoadCall, ...]
    load: ProberLoad


LOAD_ORDER: TypeAdapter[GetReady | PlaceCalls] = TypeAdapter(
    Annotated[GetReady | PlaceCalls, Field(discriminator="kind")]
)
LOAD_ANSWER: TypeAdapter[Ready | Placed] = TypeAdapter(
    Annotated[Ready | Placed, Field(discriminator="kind")]
)
