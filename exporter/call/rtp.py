"""What the receiver of a track has counted so far, from WebRTC's own statistics."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from livekit import rtc

STATS_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Received:
    """Counters of an inbound audio stream since it began."""

    packets: int
    jitter_buffer_delay_s: float
    """Seconds that all samples together have spent in the jitter buffer."""
    jitter_buffer_samples: int
    """Samples that have left it."""

    def depth_since(self, before: "Received") -> float | None:
        """Return the mean depth in seconds of the jitter buffer between two readings."""
        samples = self.jitter_buffer_samples - before.jitter_buffer_samples
        if samples <= 0:
            return None
        return (self.jitter_buffer_delay_s - before.jitter_buffer_delay_s) / samples


async def received(track: "rtc.Track") -> Received | None:
    """Read the counters of a remote track; None before its first packet or after its end."""
    try:
        async with asyncio.timeout(STATS_TIMEOUT_S):
            stats = await track.get_stats()
    except Exception:  # noqa: BLE001 - the SDK raises that very class for a track that is gone
        return None
    for stat in stats:
        if stat.HasField("inbound_rtp"):
            inbound = stat.inbound_rtp
            return Received(
                packets=int(inbound.received.packets_received),
                jitter_buffer_delay_s=float(inbound.inbound.jitter_buffer_delay),
                jitter_buffer_samples=int(inbound.inbound.jitter_buffer_emitted_count),
            )
    return None
