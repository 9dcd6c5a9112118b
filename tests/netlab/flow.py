"""Send UDP packets over the link and see when they arrive, by the kernel's own clock.

The kernel stamps with the wall clock. All times here are on the monotonic one, as the link's are:
how the two stand to each other is measured before and after.
"""

import itertools
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from tests import patience
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
    """Right before each was sent."""
    sent_by_s: tuple[float, ...]
    """Right after each was sent: a machine that was busy between them was late to send it."""
    received_s: dict[int, float]
    """When those that arrived did, by their number, in the order of their arrival."""
    clock_s: float
    """How far `received_s` may be off, because it was stamped with the wall clock."""

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
        _wait_for_stamps(into, target)
        into.settimeout(quiet_s)
        sent, sent_by = [], []
        before = _wall_clock()
        begin = time.monotonic()
        for number in range(packets):
            time.sleep(max(0.0, begin + number / per_second - time.monotonic()))
            sent.append(time.monotonic())
            out.sendto(_NUMBER.pack(number), (target.address, _PORT))
            sent_by.append(time.monotonic())
        stamped = dict(itertools.islice(_arrivals(into), packets))
        after = _wall_clock()
    ahead_s = (before.ahead_s + after.ahead_s) / 2
    unsure_s = abs(after.ahead_s - before.ahead_s) / 2 + max(before.unsure_s, after.unsure_s)
    received = {number: stamp - ahead_s for number, stamp in stamped.items()}
    return Flow(tuple(sent), tuple(sent_by), received, unsure_s)


def _wait_for_stamps(into: socket.socket, target: Side) -> None:
    """Wait until packets are stamped when they come: the kernel begins with that some time later.

    Until then they are stamped when they are read. These here do not go over the link.
    """
    into.settimeout(patience.WAIT_S)

    def stamped_before_it_is_read() -> bool:
        into.sendto(_NUMBER.pack(0), (target.address, _PORT))
        time.sleep(0.001)
        reads_at = time.time()
        ((_, stamp),) = itertools.islice(_arrivals(into), 1)
        return stamp < reads_at

    patience.until(stamped_before_it_is_read, what="stamps of the kernel")


@dataclass(frozen=True, slots=True)
class _WallClock:
    """How far the wall clock is ahead of the monotonic one, and how far that may be off."""

    ahead_s: float
    unsure_s: float


def _wall_clock() -> _WallClock:
    """Compare the clocks: of several looks the one that nothing came in between."""
    looks = []
    for _ in range(20):
        before, wall, after = time.monotonic(), time.time(), time.monotonic()
        looks.append(_WallClock(wall - (before + after) / 2, (after - before) / 2))
    return min(looks, key=lambda look: look.unsure_s)


def _arrivals(into: socket.socket) -> Iterator[tuple[int, float]]:
    with suppress(TimeoutError):
        while True:
            data, ancillary, _, _ = into.recvmsg(64, 64)
            ((_, _, stamp),) = ancillary
            seconds, nanoseconds = _TIMESPEC.unpack(stamp)
            yield _NUMBER.unpack(data)[0], seconds + nanoseconds / 1e9
