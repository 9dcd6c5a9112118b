"""The program between the two namespaces: holds them, and carries every packet across.

`python -m tests.netlab.forwarder` makes two network namespaces with a TUN device each and tells
their file descriptors in one line of JSON. They have no name and no file anywhere: they go when
this process and the programs inside have ended. It ends when its standard input does, which
happens also when the test run is killed.

Each further line on standard input is an order, answered by one line with the counts:

    {"up": {...}, "down": {...}}          become these two ways (the fields of `Way`)
    {"cut_after_s": 5, "cut_for_s": 3}    lose everything for a while
    {"passages": true}                    tell the times of the last packets, too
    {"audio": true}                       tell the last media packets, too
    {}                                    nothing, only count
"""

import argparse
import ctypes
import dataclasses
import fcntl
import gc
import json
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from tests.netlab.audio import AudioLog
from tests.netlab.messages import Messages
from tests.netlab.way import Line, Way

CLIENT, SERVER = "10.77.0.1", "10.77.0.2"
CLONE_NEWNET = 0x40000000
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_DEVICE = "wire"
_MTU = 1500
PRIORITY = 50
"""Real-time: only what a machine does for its own sake comes before us."""


def make_side(address: str, peer: str) -> tuple[int, int]:
    """Move this process into a new namespace with one end of the link.

    Returns:
        The file descriptors of the TUN device and of the namespace.

    Raises:
        OSError: We are not root, or the kernel has no namespaces or no TUN.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET):
        code = ctypes.get_errno()
        raise OSError(code, f"unshare: {os.strerror(code)}")
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, _TUNSETIFF, struct.pack("16sH22x", _DEVICE.encode(), _IFF_TUN | _IFF_NO_PI))
    with suppress(FileNotFoundError):  # a kernel without IPv6 is as good
        Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1", encoding="ascii")
    orders = (
        "link set lo up",
        f"address add {address} peer {peer} dev {_DEVICE}",
        f"link set {_DEVICE} mtu {_MTU} txqueuelen 10000 up",
        # Hosts have one, and the WebRTC stack looks which address it leads through.
        f"route add default via {peer} dev {_DEVICE}",
    )
    subprocess.run(["ip", "-batch", "-"], input="\n".join(orders), text=True, check=True)
    return tun, os.open("/proc/self/ns/net", os.O_RDONLY)


class Forwarder:
    """Carries packets between two TUN devices until its orders end."""

    def __init__(self, client: int, server: int, orders: int, random: Random) -> None:
        """Take the file descriptors of both devices and of the orders, all non-blocking."""
        self._up, self._down = Line(random), Line(random)
        self._ways = {client: (self._up, server), server: (self._down, client)}
        self._orders = orders
        self._partial = b""
        self._pending: list[tuple[float, Callable[[], None]]] = []
        self._messages = Messages()
        self._audio = {"up": AudioLog(), "down": AudioLog()}
        self._cuts: list[tuple[float, float]] = []
        self._cut_at = 0.0

    def run(self, until: float) -> None:
        """Carry packets until the orders end, or the monotonic clock shows `until`."""
        descriptors = [self._orders, *self._ways]
        while (now := time.monotonic()) < until:
            ready, _, _ = select.select(descriptors, [], [], self._pause(now, until))
            for device in ready:
                if device != self._orders:
                    self._drain(device)
                elif not self._obey():
                    return
            self._act()

    def _pause(self, now: float, until: float) -> float:
        dues = [line.due for line, _ in self._ways.values() if line.due is not None]
        return max(0.0, min([until, *dues, *(when for when, _ in self._pending)]) - now)

    def _drain(self, device: int) -> None:
        line, _ = self._ways[device]
        with suppress(BlockingIOError):
            while True:
                packet = os.read(device, 65536)
                if packet[0] >> 4 == 4:  # IPv4; nothing else is of interest
                    now = time.monotonic()
                    line.enter(packet, now)
                    if line is self._up:
                        self._messages.up(packet, now)
                        self._audio["up"].note(packet, now)

    def _act(self) -> None:
        now = time.monotonic()
        for when, deed in [each for each in self._pending if each[0] <= now]:
            self._pending.remove((when, deed))
            deed()
        for line, target in self._ways.values():
            for packet in line.leave(now):
                with suppress(BlockingIOError):
                    os.write(target, packet)
                written = time.monotonic()
                line.written(written)
                if line is self._down:
                    self._messages.down(packet, written)
                    self._audio["down"].note(packet, written)

    def _obey(self) -> bool:
        """Carry out what was ordered; returns False when no more orders can come."""
        with suppress(BlockingIOError):
            data = os.read(self._orders, 65536)
            if not data:
                return False
            *lines, self._partial = (self._partial + data).split(b"\n")
            for line in lines:
                self._order(json.loads(line))
        return True

    def _order(self, order: dict[str, Any]) -> None:
        lines = {"up": self._up, "down": self._down}
        told: dict[str, Any] = {k: dataclasses.asdict(each.counts) for k, each in lines.items()}
        told |= {"messages_s": self._messages.round_trips_s, "cuts_s": self._cuts}
        if "passages" in order:
            told["passages"] = {
                k: [dataclasses.astuple(one) for one in each.passages] for k, each in lines.items()
            }
        if "audio" in order:
            told["audio"] = {
                k: [dataclasses.astuple(one) for one in each.packets]
                for k, each in self._audio.items()
            }
        tell(told)
        if "up" in order:
            self._messages = Messages()
            self._audio = {"up": AudioLog(), "down": AudioLog()}
            self._cuts = []
            self._up.become(Way(**order["up"]))
            self._down.become(Way(**order["down"]))
        if "cut_for_s" in order:
            begin = time.monotonic() + order["cut_after_s"]
            self._pending.append((begin, partial(self._cut, order["cut_for_s"])))

    def _cut(self, for_s: float) -> None:
        self._up.is_cut = self._down.is_cut = True
        self._cut_at = time.monotonic()
        self._pending.append((self._cut_at + for_s, self._mend))  # late, but not shorter

    def _mend(self) -> None:
        self._up.is_cut = self._down.is_cut = False
        self._cuts.append((self._cut_at, time.monotonic()))


def tell(answer: dict[str, Any]) -> None:
    """Write one line of JSON for the laboratory."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Make the namespaces, say so, and forward."""
    parser = argparse.ArgumentParser(description="Forward packets between two namespaces.")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--limit-s", type=float, required=True)
    arguments = parser.parse_args()
    orders = sys.stdin.fileno()
    os.set_blocking(orders, False)
    client, client_space = make_side(CLIENT, SERVER)
    server, server_space = make_side(SERVER, CLIENT)
    # Before all others: what is late here is an error of the truth. It needs some 5 % of a core.
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    gc.freeze()
    tell({"client": client_space, "server": server_space})
    forwarder = Forwarder(client, server, orders, Random(arguments.seed))
    forwarder.run(until=time.monotonic() + arguments.limit_s)


if __name__ == "__main__":
    main()
