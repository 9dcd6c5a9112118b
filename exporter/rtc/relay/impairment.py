"""What happens to the packets of one direction: a schedule that a seed makes the same again."""

from dataclasses import dataclass
from enum import Enum
from random import Random

OVERHEAD = 28
"""Bytes of IPv4 and UDP that a packet takes on a line beside its own."""
QUEUE_S = 0.3
"""What would wait for longer before a narrow line is dropped."""


class Drop(Enum):
    """Why a packet was dropped."""

    LOST = "lost"
    OVERFLOWED = "overflowed"
    SILENCED = "silenced"


@dataclass(frozen=True, slots=True)
class Impairment:
    """How bad one direction of a line is; by default it is a good one."""

    loss: float = 0.0
    """Share of the packets that is lost, from 0 to below 1."""
    burst: float = 1.0
    """Mean number of packets that are lost in a row. At least that of independent losses,
    1 / (1 - loss), which 1 means."""
    jitter_s: float = 0.0
    """Each packet is delayed by a random time up to this, in seconds, evenly spread."""
    delay_s: float = 0.0
    """Each datagram is delayed by this, in seconds."""
    rate_bps: float | None = None
    """Bits per second that pass, with the headers of IP and UDP; None: all that come."""
    reorder: bool = False
    """Whether jitter may let a packet overtake those before it."""


class Schedule:
    """Decides about one packet of media after the other.

    Losses follow a Gilbert model: a good and a bad state, changed at each packet, and every packet
    of a bad state is lost. Losses and jitter have random numbers of their own, so that the one
    does not depend on how much there is of the other.

    Args:
        line: How bad the direction is.
        seed: The same seed has the same packets lost, and delayed by as much.
    """

    def __init__(self, line: Impairment, seed: str) -> None:
        self.line = line
        self._losses, self._delays = Random(f"{seed} loss"), Random(f"{seed} jitter")
        burst = max(line.burst, 1 / (1 - line.loss))
        self._ends = 1 / burst
        self._begins = line.loss / (burst * (1 - line.loss))
        self._bad = self._losses.random() < line.loss
        self._free_at = 0.0
        self._last_due = 0.0

    def decide(self, now: float, size: int) -> float | Drop:
        """Return when a packet that comes now is due to be sent on, or why it is dropped.

        Args:
            now: In seconds, on any clock that never goes back.
            size: Of the packet, in bytes, without the headers of UDP and IP.
        """
        extra_s = self._delays.random() * self.line.jitter_s
        if self._is_lost():
            return Drop.LOST
        through = self._through(now, size)
        if through is None:
            return Drop.OVERFLOWED
        due = through + self.line.delay_s + extra_s
        if not self.line.reorder:
            due = max(due, self._last_due)
        self._last_due = max(due, self._last_due)
        return due

    def _is_lost(self) -> bool:
        lost = self._bad
        chance = self._losses.random()
        self._bad = chance >= self._ends if self._bad else chance < self._begins
        return lost

    def _through(self, now: float, size: int) -> float | None:
        """Return when the packet has left the narrow part of the line; None if it never gets in."""
        if self.line.rate_bps is None:
            return now
        starts = max(now, self._free_at)
        if starts - now > QUEUE_S:
            return None
        self._free_at = starts + (size + OVERHEAD) * 8 / self.line.rate_bps
        return self._free_at
