"""Orders to the processes of a ramp, and their answers: one line of JSON each."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from exporter.outcome import ProberLoad, RampClient


class Message(BaseModel):
    """One line."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Setup(Message):
    """The first line to a process."""

    url: str
    api_key: str
    api_secret: str = Field(repr=False)
    ping_interval_s: float
    """Between two data messages of one client."""
    connect_timeout_s: float


class RoomSize(Message):
    """A room, and the number of clients that it should have."""

    room: str
    size: int


class ConnectClients(Message):
    """Connect the missing clients of these rooms; other rooms do not change."""

    kind: Literal["connect_clients"] = "connect_clients"
    rooms: tuple[RoomSize, ...]
    within_s: float


class MeasureTier(Message):
    """Measure a tier for this time."""

    kind: Literal["measure_tier"] = "measure_tier"
    seconds: float


class Connected(Message):
    """The number of clients that are connected now."""

    kind: Literal["connected"] = "connected"
    clients: int


class Pulse(Message):
    """A sign of life while a tier is held, every second."""

    kind: Literal["pulse"] = "pulse"
    round_trip_s: float | None
    """Median of the last second."""


class Measured(Message):
    """The result of a tier."""

    kind: Literal["measured"] = "measured"
    members: tuple[RampClient, ...]
    load: ProberLoad


Order = Annotated[ConnectClients | MeasureTier, Field(discriminator="kind")]
Answer = Annotated[Connected | Pulse | Measured, Field(discriminator="kind")]
ORDER: TypeAdapter[ConnectClients | MeasureTier] = TypeAdapter(Order)
ANSWER: TypeAdapter[Connected | Pulse | Measured] = TypeAdapter(Answer)


def line(message: Message) -> bytes:
    """Return a message as it is sent."""
    return message.model_dump_json().encode() + b"\n"
