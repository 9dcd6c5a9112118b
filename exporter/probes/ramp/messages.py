"""What the processes of a ramp are told, and what they answer: one line of JSON each."""

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


class Cell(Message):
    """A room, and how many clients shall be in it."""

    room: str
    size: int


class Grow(Message):
    """Connect what is missing in these rooms; other rooms stay as they are."""

    kind: Literal["grow"] = "grow"
    cells: tuple[Cell, ...]
    within_s: float


class Hold(Message):
    """Measure for so long."""

    kind: Literal["hold"] = "hold"
    seconds: float


class Grown(Message):
    """So many clients are connected now."""

    kind: Literal["grown"] = "grown"
    clients: int


class Pulse(Message):
    """A sign of life while a tier is held, every second."""

    kind: Literal["pulse"] = "pulse"
    round_trip_s: float | None
    """Median of the last second."""


class Held(Message):
    """What a tier has found."""

    kind: Literal["held"] = "held"
    members: tuple[RampClient, ...]
    load: ProberLoad


Order = Annotated[Grow | Hold, Field(discriminator="kind")]
Answer = Annotated[Grown | Pulse | Held, Field(discriminator="kind")]
ORDER: TypeAdapter[Grow | Hold] = TypeAdapter(Order)
ANSWER: TypeAdapter[Grown | Pulse | Held] = TypeAdapter(Answer)


def line(message: Message) -> bytes:
    """Return a message as it is sent."""
    return message.model_dump_json().encode() + b"\n"
