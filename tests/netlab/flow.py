"""Send UDP packets over the link and see when they arrive, by the kernel's own clock."""

import itertools
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from tests.netlab.side import Side

_SO_TIMESTAMPNS = 35
_SO_RCVBUFFORCE = 33
_NUMBER = struct.Struct("!Q")
_TIMESPEC = struct.Struct("@qq")
_PORT = 40_000


@dataclass(frozen=True, slots=True)
class Flow:
    """What became of the packets that were sent in one direction."""

    sent_s: tuple[float, ...]
    """When each was sent, on the clock of the kernel."""
    received_s: dict[int, float]
    """When those that arrived did, by their number, in the order of their arrival."""

    @property
    def transit_ms(self) -> list[float]:
        """How long each packet that arrived was under way."""
        return [(there - self.sent_s[i]) * 1e3 for i, there in self.received_s.items()]

    @property
    def loss(self) -> float:
        """Share of the packets that did not arrive."""
        return 1 - len(self.received_s) / len(self.sent_s)


def send_flow(
    source: Side, target: Side, packets: int, *, per_second: float = 1000.0, quiet_s: float = 0.5
) -> Flow:
    """Send packets at a steady rate and return when they went and came.

    Args:
        source: Side that sends.
        target: Side that receives.
        packets: How many.
        per_second: Their rate.
        quiet_s: The flow has ended when nothing arrives for so long; more than the delay.
    """
    with (
        source.make_socket(socket.SOCK_DGRAM) as out,
        target.make_socket(socket.SOCK_DGRAM) as into,
    ):
        # The kernel stamps and keeps all of them: we need not be there in time to read them.
        into.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 25)
        into.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        into.bind((target.address, _PORT))
        into.settimeout(quiet_s)
        sent = []
        begin = time.monotonic()
        for number in range(packets):
            time.sleep(max(0.0, begin + number / per_second - time.monotonic()))
            sent.append(time.time())
            out.sendto(_NUMBER.pack(number), (target.address, _PORT))
        return Flow(tuple(sent), dict(itertools.islice(_arrivals(into), packets)))


def _arrivals(into: socket.socket) -> Iterator[tuple[int, float]]:
    with suppress(TimeoutError):
        while True:
            data, ancillary, _, _ = into.recvmsg(64, 64)
            ((_, _, stamp),) = ancillary
            seconds, nanoseconds = _TIMESPEC.unpack(stamp)
            yield _NUMBER.unpack(data)[0], seconds + nanoseconds / 1e9
