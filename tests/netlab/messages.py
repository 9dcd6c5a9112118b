"""Data messages of WebRTC, as the link sees them: how long each was away from the near end.

They are encrypted, but by their size they can be told from the acknowledgements around them. The
figure has nothing in common with the prober but the machine: neither its clock nor its event loop.
"""

_UDP = 17
_DTLS_DATA = 23
_SMALLEST = 150
"""Octets of the IP packet; an acknowledgement has about 90."""


class Messages:
    """Round trips over the link: from the near end to the far end and back, one at a time."""

    def __init__(self) -> None:
        """Begin with none."""
        self.round_trips_s: list[float] = []
        self._went_s: float | None = None

    def up(self, packet: bytes, now: float) -> None:
        """Look at a packet that has just come from the near end, `now` in seconds."""
        if carries_message(packet):
            self._went_s = now  # the one before has not come back, and will not

    def down(self, packet: bytes, now: float) -> None:
        """Look at a packet that has just been given to the near end."""
        if self._went_s is not None and carries_message(packet):
            self.round_trips_s.append(now - self._went_s)
            self._went_s = None


def carries_message(packet: bytes) -> bool:
    """Tell a packet with a data message from all else; it has an IPv4 header in front."""
    if packet[9] != _UDP or len(packet) < _SMALLEST:
        return False
    return packet[(packet[0] & 0x0F) * 4 + 8] == _DTLS_DATA
