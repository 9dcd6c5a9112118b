"""What a load ramp found."""

from dataclasses import dataclass

from exporter.outcome.network import Loss
from exporter.outcome.reasons import Reason


@dataclass(frozen=True, slots=True)
class RampClient:
    """One client in one tier of a ramp."""

    round_trips_s: tuple[float, ...] = ()
    """Of data messages from this client to the next one in its room, minus the prober's share."""
    lost: int = 0
    """Data messages that did not arrive in time."""
    voids: int = 0
    """Those that arrived while the prober's event loop was late."""
    media: Loss | None = None
    """The audio packets that the others in the room sent to it, and what of them did not come."""
    quality: str = ""
    """LiveKit's own word (excellent good poor lost, or "")."""
    sent_kbps: float | None = None
    """Kilobits of audio a second that it sent, with the headers of RTP."""
    received_kbps: float | None = None
    """The same of what came to it."""
    reason: Reason | None = None
    """Why it was not connected to the end of the tier."""


@dataclass(frozen=True, slots=True)
class ProberLoad:
    """What one process of the prober spent on its clients in one tier."""

    clients: int
    cpu_cores: float
    """Seconds of CPU in a second, all threads together."""
    lag_s: float
    """Lateness of its event loop, 99th percentile."""
    send_wait_s: float | None
    """From the request to send a data message to the SDK's answer, 95th percentile."""
    sent_ratio: float
    """Audio packets sent, of those that were due."""
    memory_bytes: int = 0
    """Resident memory at the end of the tier."""


@dataclass(frozen=True, slots=True)
class RampTier:
    """One level of a ramp: so many clients at one time."""

    clients: int
    """Asked for; there is one member for each."""
    members: tuple[RampClient, ...]
    load: tuple[ProberLoad, ...]
    """One for each process of the prober that lived to the end of the tier."""
    cores: float
    """That the prober may use."""
    memory_free_ratio: float = 1.0
    """Share of the host's memory that was free at the end of the tier."""


@dataclass(frozen=True, slots=True)
class Ramp:
    """The tiers of a ramp, from few clients to many, as far as it came."""

    tiers: tuple[RampTier, ...] = ()


@dataclass(frozen=True, slots=True)
class RampProgress:
    """How far a ramp is, for people who watch."""

    clients: int
    """Of the tier that is under way."""
    done: float
    """Share of the whole ramp, 0 to 1."""
    round_trip_s: float | None = None
    """Median of the last second; None while clients connect."""
