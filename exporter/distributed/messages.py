"""What coordinator and probers say to each other, as JSON."""

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from exporter.probes.ramp.judge import JudgedTier

NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
"""Of a vantage: it becomes a label, and part of the names of rooms."""
Vantage = Annotated[str, Field(pattern=f"^{NAME}$")]


def is_name(text: str) -> bool:
    """Return whether a vantage may be called so."""
    return re.fullmatch(NAME, text) is not None


class Message(BaseModel):
    """One body."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Registration(Message):
    """A prober says that it is there."""

    vantage: Vantage
    attempt: str = Field(pattern="^[0-9a-f]{16}$")
    """Random, and the same when it is said again because no answer came."""


class Plan(Message):
    """What every vantage is to do, and who this one is."""

    member: str
    """In the path of every further request; nobody else knows it."""
    rooms: str
    """What the names of its rooms begin with."""
    duration_s: float
    ping_interval_s: float
    connect_timeout_s: float
    target_rtt_ms: float
    max_loss: float
    max_failed: float


class Now(Message):
    """The coordinator's clock."""

    monotonic_s: float


class Step(Message):
    """What to do next."""

    number: int
    """Counts up; a prober asks for what comes after the last one that it has done."""
    kind: Literal["grow", "hold", "stop"]
    clients: int = 0
    """Of this vantage in this tier."""
    at_s: float | None = None
    """When to begin, on the coordinator's clock; at once if None."""


class Sign(Message):
    """A prober is alive."""

    round_trip_s: float | None = None
    """Median of the last second."""


class Heard(Message):
    """The coordinator's answer to a sign of life."""

    over: bool
    """Whether the ramp has ended: who still loads the SFU stops at once."""


class Done(Message):
    """A prober has done a step."""

    number: int
    tier: JudgedTier | None = None
    """What it has found, when the step was to hold."""
    error: str = ""
    """Why it could not do it, and leaves."""
