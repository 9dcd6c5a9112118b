"""One direction of the link: what it is told, what it does to a packet, what it has done."""

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

from tests.netlab.jitter import Gate, gap_ms

_UDP = 17
_MAX_WAITING = 20_000
_LONGEST_QUEUE_S = 0.3
"""Of a link with a rate: what would wait longer is thrown away."""
_OWN_S = 0.0002
"""What a packet takes through us beside its delay: we wake twice for it. Taken off the delay."""
_LATE_MS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)
"""Bounds by which lateness is counted; one more count has what is above them all."""
_PASSAGES = 10_000
"""Of so many packets the link remembers the times."""


def late_counts() -> list[int]:
    """Return the counts of lateness of nothing."""
    return [0] * (len(_LATE_MS) + 1)


def count_late(counts: list[int], late_ms: float) -> None:
    """Count one lateness."""
    counts[bisect_left(_LATE_MS, late_ms)] += 1


def share_later(counts: Sequence[int], than_ms: float) -> float:
    """Return the share that was later than one of the bounds of the counts; 0 of nothing."""
    return sum(counts[_LATE_MS.index(than_ms) + 1 :]) / max(1, sum(counts))


def late_within_ms(counts: Sequence[int], share: float) -> float:
    """Return the bound that this share of the counted did not pass; infinite above all bounds."""
    within = 0
    for bound, count in zip((*_LATE_MS, float("inf")), counts, strict=True):
        within += count
        if within >= share * sum(counts):
            return bound
    raise AssertionError("a share is between 0 and 1")


@dataclass(slots=True)
class Passage:
    """When one packet went through the link; seconds on the monotonic clock."""

    entered_s: float
    """When it was read."""
    due_s: float
    """When it was to leave."""
    left_s: float
    """Before it was written."""
    written_s: float
    """After it was written: what has received it had it by then."""


@dataclass(frozen=True, slots=True)
class Way:
    """What one direction does to packets. Nothing, unless told."""

    delay_ms: float = 0.0
    """Each packet arrives so much later."""
    jitter_ms: float = 0.0
    """Interarrival jitter (RFC 3550) of audio packets; adds about as much delay in the mean."""
    loss: float = 0.0
    """Share of packets that are lost, each on its own, 0 to 1."""
    blocks_udp: bool = False
    """Whether UDP is thrown away without a word, as many firewalls do."""
    rate_kbps: float = 0.0
    """Thousand bits a second that pass, IP headers included; what comes faster waits. 0: all."""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        gap_ms(self.jitter_ms)
        if not self.delay_ms >= 0:
            raise ValueError(f"delay of {self.delay_ms} ms: expected 0 or more")
        if not 0 <= self.loss <= 1:
            raise ValueError(f"loss of {self.loss}: expected a share between 0 and 1")
        if not self.rate_kbps >= 0:
            raise ValueError(f"rate of {self.rate_kbps} kbit/s: expected 0 or more")


@dataclass(slots=True)
class Counts:
    """What one direction has done since the settings were last changed."""

    packets: int = 0
    """All that came, whatever became of them."""
    octets: int = 0
    """In all of them."""
    lost: int = 0
    """By `Way.loss`."""
    crowded_out: int = 0
    """By `Way.rate_kbps`."""
    blocked: int = 0
    """By `Way.blocks_udp`."""
    cut: int = 0
    """While the link was cut."""
    rtp: int = 0
    """Those of `packets` that carry media."""
    rtp_lost: int = 0
    """Those of `lost` that carry media."""
    rtp_gap_s: float = 0.0
    """Longest time between two media packets that passed."""
    overflown: int = 0
    """Thrown away because too many waited; more than 0 spoils a measurement."""
    late_ms_max: float = 0.0
    """How late the forwarder itself was at worst."""
    late: list[int] = field(default_factory=late_counts)
    """How late it was with how many packets; see `share_later`."""

    @property
    def rtp_loss(self) -> float | None:
        """Share of the media packets that were lost; None if there were none."""
        return self.rtp_lost / self.rtp if self.rtp else None


@dataclass(slots=True)
class Line:
    """The packets under way in one direction; keeps their order."""

    random: Random
    way: Way = field(default_factory=Way)
    counts: Counts = field(default_factory=Counts)
    is_cut: bool = False
    _gate: Gate = field(init=False)
    passages: deque[Passage] = field(default_factory=lambda: deque(maxlen=_PASSAGES))
    """The last ones that passed since the settings were last changed, in order."""
    _waiting: deque[tuple[float, bytes, float]] = field(default_factory=deque)
    _last_media: float | None = None
    _free_at: float = 0.0

    def __post_init__(self) -> None:
        """Begin as a plain cable."""
        self.become(self.way)

    def become(self, way: Way) -> None:
        """Treat packets so from now on, and count anew; those under way keep their time."""
        self.way = way
        self.counts = Counts()
        self.passages.clear()
        self._last_media = None
        self._free_at = 0.0
        self._gate = Gate(gap_ms(way.jitter_ms) / 1e3, self.random)

    def enter(self, packet: bytes, now: float) -> None:
        """Take a packet, an IPv4 header in front, that came at `now` in seconds."""
        media = carries_media(packet)
        counts, way = self.counts, self.way
        counts.packets += 1
        counts.octets += len(packet)
        counts.rtp += media
        if self.is_cut:
            counts.cut += 1
        elif way.blocks_udp and packet[9] == _UDP:
            counts.blocked += 1
        elif way.loss and self.random.random() < way.loss:
            counts.lost += 1
            counts.rtp_lost += media
        elif len(self._waiting) >= _MAX_WAITING:
            counts.overflown += 1
        elif self._free_at - now > _LONGEST_QUEUE_S:
            counts.crowded_out += 1
        else:
            due = self._gate.opens(self._passed(packet, now))
            due += max(0.0, way.delay_ms / 1e3 - _OWN_S)
            if self._waiting:  # of slower days
                due = max(due, self._waiting[-1][0])
            self._waiting.append((due, packet, now))

    def _passed(self, packet: bytes, now: float) -> float:
        """Return when the packet is through the bottleneck, if there is one."""
        if not self.way.rate_kbps:
            return now
        bits = 8 * len(packet)
        self._free_at = max(now, self._free_at) + bits / (1000 * self.way.rate_kbps)
        return self._free_at

    @property
    def due(self) -> float | None:
        """When the next packet leaves; None if there is none."""
        return self._waiting[0][0] if self._waiting else None

    def leave(self, now: float) -> Iterator[bytes]:
        """Hand out the packets whose time has come."""
        while self._waiting and self._waiting[0][0] <= now:
            due, packet, entered = self._waiting.popleft()
            late_ms = (now - due) * 1e3
            self.counts.late_ms_max = max(self.counts.late_ms_max, late_ms)
            count_late(self.counts.late, late_ms)
            self.passages.append(Passage(entered, due, left_s=now, written_s=now))
            if carries_media(packet):
                self._note_media(now)
            yield packet

    def written(self, now: float) -> None:
        """Note that the packet handed out last has been written."""
        self.passages[-1].written_s = now

    def _note_media(self, now: float) -> None:
        if self._last_media is not None:
            self.counts.rtp_gap_s = max(self.counts.rtp_gap_s, now - self._last_media)
        self._last_media = now


def carries_media(packet: bytes) -> bool:
    """Tell RTP from all else that a link carries, after RFC 5761 (section 4) and RFC 7983."""
    if packet[9] != _UDP:
        return False
    payload = (packet[0] & 0x0F) * 4 + 8
    if len(packet) < payload + 12:
        return False
    rtp_or_rtcp = 128 <= packet[payload] <= 191
    return rtp_or_rtcp and not 64 <= packet[payload + 1] & 0x7F <= 95
