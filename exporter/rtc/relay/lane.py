"""One direction of the relay: takes datagrams, sends them on when they are due, and counts."""

import asyncio
import heapq
from collections import Counter
from collections.abc import Callable, Sequence

from exporter.outcome import LineDirection
from exporter.rtc.relay.impairment import Drop, Impairment, Schedule
from exporter.stats import quantile

Send = Callable[[], None]

_MEDIA = range(128, 192)
"""First bytes of RTP and RTCP; STUN, DTLS and the channels of TURN have others (RFC 7983)."""
_RTCP = range(192, 224)
"""Second bytes of RTCP where both share a port (RFC 5761)."""
_SHORTEST = 2


def is_media(datagram: bytes) -> bool:
    """Return whether a datagram is RTP or RTCP."""
    return len(datagram) >= _SHORTEST and datagram[0] in _MEDIA


def is_rtp(datagram: bytes) -> bool:
    """Return whether a datagram is RTP."""
    return is_media(datagram) and datagram[1] not in _RTCP


class Lane:
    """Passes the datagrams of one direction; all of it happens in one event loop.

    Everything is delayed by `delay_s`. RTP and RTCP alone are lost, have jitter and queue before a
    narrow line: what sets up a connection takes no harm, so that a call on a bad line is a call.
    A silence drops everything.

    Args:
        line: How bad it is.
        seed: As of `Schedule`.
        loop: In which `take` is called.
    """

    def __init__(self, line: Impairment, seed: str, loop: asyncio.AbstractEventLoop) -> None:
        self._line = line
        self._schedule = Schedule(line, seed)
        self._loop = loop
        self._held: list[tuple[float, int, float, bool, Send]] = []
        self._order = 0
        self._wake: asyncio.TimerHandle | None = None
        self._silent_until = 0.0
        self._packets = 0
        self._dropped: Counter[Drop] = Counter()
        self._delays: list[float] = []
        self._lates: list[float] = []

    def silence(self, seconds: float) -> None:
        """Drop everything from now on, for so long; what is held goes out all the same."""
        self._silent_until = self._loop.time() + seconds

    def take(self, datagram: bytes, send: Send) -> None:
        """Send a datagram on when it is due, or drop it.

        Args:
            datagram: That was received.
            send: Sends it on; raises nothing.
        """
        now, rtp = self._loop.time(), is_rtp(datagram)
        self._packets += rtp
        due = self._due(datagram, now)
        if isinstance(due, Drop):
            self._dropped[due] += rtp
        elif due <= now and not self._held:
            send()
            if rtp:
                self._delays.append(self._loop.time() - now)
        else:
            self._order += 1
            heapq.heappush(self._held, (due, self._order, now, rtp, send))
            self._wake_at_first()

    def counts(self) -> LineDirection:
        """Return what it has done so far; may be called from another thread."""
        delays, lates = sorted(self._delays), sorted(self._lates)
        return LineDirection(
            packets=self._packets,
            sent=len(delays),
            lost=self._dropped[Drop.LOST],
            overflowed=self._dropped[Drop.OVERFLOWED],
            silenced=self._dropped[Drop.SILENCED],
            delay_p50_s=_at(delays, 0.5),
            delay_p95_s=_at(delays, 0.95),
            delay_max_s=_at(delays, 1),
            late_p95_s=_at(lates, 0.95),
            late_max_s=_at(lates, 1),
        )

    def _due(self, datagram: bytes, now: float) -> float | Drop:
        if now < self._silent_until:
            return Drop.SILENCED
        if is_media(datagram):
            return self._schedule.decide(now, len(datagram))
        return now + self._line.delay_s

    def _wake_at_first(self) -> None:
        if self._wake is not None and self._wake.when() <= self._held[0][0]:
            return
        if self._wake is not None:
            self._wake.cancel()
        self._wake = self._loop.call_at(self._held[0][0], self._send_due)

    def _send_due(self) -> None:
        self._wake = None
        now = self._loop.time()
        while self._held and self._held[0][0] <= now:
            due, _, came, rtp, send = heapq.heappop(self._held)
            send()
            if rtp:
                self._delays.append(now - came)
                self._lates.append(now - due)
        if self._held:
            self._wake_at_first()


def _at(ordered: Sequence[float], share: float) -> float | None:
    return quantile(ordered, share) if ordered else None
