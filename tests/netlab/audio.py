"""Audio packets, as the link sees them: when they passed, how loud, and how big.

The payload is encrypted, the header is not: RTP (RFC 3550) with one-byte header extensions (RFC
8285), of which one is the level of the audio as the sender measured it (RFC 6464). The SFU passes
that one on to nobody, so what comes down is known by its size: Opus needs few octets for silence.
"""

from collections import deque
from dataclasses import dataclass

from tests.netlab.way import carries_media

_KEPT = 20_000
_ONE_BYTE = 0xBEDE
_FIXED = 12


@dataclass(frozen=True, slots=True)
class AudioPacket:
    """One RTP packet; RTP itself does not say that it is audio."""

    passed_s: float
    """When it had reached the link (up) or the near end (down), on the monotonic clock."""
    stream: int
    """Its SSRC."""
    stamp: int
    """RTP timestamp of its first sample; 48,000 a second for Opus."""
    octets: int
    """Of the encrypted payload with its tag."""
    extensions: tuple[tuple[int, int], ...]
    """Number and value of each header extension of one octet."""


class AudioLog:
    """The last media packets of one direction."""

    def __init__(self) -> None:
        """Begin with none."""
        self.packets: deque[AudioPacket] = deque(maxlen=_KEPT)

    def note(self, packet: bytes, now: float) -> None:
        """Look at a packet with an IPv4 header in front that passes at `now`, in seconds."""
        if carries_media(packet):
            self.packets.append(_parsed(packet[(packet[0] & 0x0F) * 4 + 8 :], now))


def _parsed(rtp: bytes, now: float) -> AudioPacket:
    start = _FIXED + 4 * (rtp[0] & 0x0F)
    extensions: tuple[tuple[int, int], ...] = ()
    if rtp[0] & 0x10:
        profile = int.from_bytes(rtp[start : start + 2])
        end = start + 4 + 4 * int.from_bytes(rtp[start + 2 : start + 4])
        if profile == _ONE_BYTE:
            extensions = _of_one_octet(rtp[start + 4 : end])
        start = end
    stamp, stream = int.from_bytes(rtp[4:8]), int.from_bytes(rtp[8:12])
    return AudioPacket(now, stream, stamp, len(rtp) - start, extensions)


def _of_one_octet(block: bytes) -> tuple[tuple[int, int], ...]:
    found, at = [], 0
    while at < len(block):
        number, length = block[at] >> 4, (block[at] & 0x0F) + 1
        if number == 0:  # padding
            at += 1
            continue
        if length == 1:
            found.append((number, block[at + 1]))
        at += 1 + length
    return tuple(found)
