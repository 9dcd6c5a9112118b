"""Jitter of a known size: a link that opens at random moments.

Packets wait until the link opens next, then all that wait pass at once, in their order, as on a
wireless link with a scheduler. The moments are a Poisson process, so a packet waits for a time
with an exponential distribution of mean `gap`, whatever the rate of the packets.

For packets sent every `a` ms, the waits of two neighbours differ by `a` if the link did not open
between them, and are independent of each other if it did. The mean of that difference is what the
interarrival jitter of RFC 3550, section 6.4.1, converges to:

    J = gap * (1 - exp(-2 a / gap))

It keeps the order of packets. Independent delays for each packet do not: from about 10 ms on they
would reorder audio, and estimators disagree about what jitter then is (some skip late packets).
"""

import itertools
import math
from collections.abc import Sequence
from random import Random

AUDIO_MS = 20.0
"""Opus packets are sent this far apart."""


def rfc3550_ms(gap_ms: float, spacing_ms: float = AUDIO_MS) -> float:
    """Return the interarrival jitter of packets over a link that opens every `gap_ms` (mean)."""
    if gap_ms <= 0:
        return 0.0
    return gap_ms * -math.expm1(-2 * spacing_ms / gap_ms)


def gap_ms(jitter_ms: float, spacing_ms: float = AUDIO_MS) -> float:
    """Return the mean gap between openings that gives this interarrival jitter.

    Raises:
        ValueError: More than 1.5 times the spacing; the gap would have to be seconds long.
    """
    if not 0 <= jitter_ms <= 1.5 * spacing_ms:
        raise ValueError(
            f"jitter of {jitter_ms:g} ms: expected 0 to {1.5 * spacing_ms:g} ms for packets "
            f"{spacing_ms:g} ms apart"
        )
    low, high = 0.0, 16 * spacing_ms
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rfc3550_ms(middle, spacing_ms) < jitter_ms else (low, middle)
    return high if jitter_ms else 0.0


class Gate:
    """The moments at which the link opens, found as they are asked for."""

    def __init__(self, gap_s: float, random: Random) -> None:
        """Prepare a link that opens every `gap_s` seconds in the mean; 0 says it is always open."""
        self._gap_s = gap_s
        self._random = random
        self._next = -math.inf

    def opens(self, now: float) -> float:
        """Return the first opening not before `now`; must not be asked for earlier times later."""
        if not self._gap_s:
            return now
        if self._next == -math.inf:
            self._next = now
        while self._next < now:
            self._next += self._random.expovariate(1 / self._gap_s)
        return self._next


def interarrival_ms(sent_s: Sequence[float], received_s: Sequence[float]) -> float:
    """Return the mean difference of neighbours' transit times, which RFC 3550 estimates."""
    transit = [there - here for here, there in zip(sent_s, received_s, strict=True)]
    steps = [abs(late - early) for early, late in itertools.pairwise(transit)]
    return sum(steps) / len(steps) * 1e3
