"""What a tier of a ramp must hold."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Targets:
    """Thresholds; a tier that passes one is broken."""

    rtt_ms: float
    """The 95th percentile of the round trips, or the largest below 20 of them."""
    loss_pct: float
    """Of the audio, from client to client."""
    failed_pct: float
    """Clients that were not connected to the end."""
