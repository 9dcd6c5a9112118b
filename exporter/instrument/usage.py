"""Memory and processor time of the worker and its job processes."""

import socket
import time

import psutil

_MOST_ADDRESSES = 15


class Usage:
    """Measures this process and its children."""

    def __init__(self) -> None:
        self._own = psutil.Process()
        self._spent: dict[int, float] = {}
        self._at = time.monotonic()

    def measure(self) -> tuple[int | None, float | None]:
        """Return resident bytes, and the cores used on average since the call before.

        None is what cannot be known: the first call has nothing to compare with, and a sandbox
        may hide all.
        """
        memory, spent = 0, {}
        for process in self._processes():
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    memory += process.memory_info().rss
                    spent[process.pid] = times.user + times.system
            except (psutil.Error, OSError):
                continue  # it has just ended, or is hidden
        before, self._spent = self._spent, spent
        since, self._at = self._at, time.monotonic()
        if not before or not spent or self._at <= since:
            return memory or None, None
        # What a new process spent, it spent since; what an ended one spent last is lost.
        used = sum(seconds - before.get(pid, 0.0) for pid, seconds in spent.items())
        return memory, max(0.0, used) / (self._at - since)

    def _processes(self) -> list[psutil.Process]:
        try:
            return [self._own, *self._own.children(recursive=True)]
        except (psutil.Error, OSError):
            return [self._own]


def addresses() -> list[str]:
    """Return the addresses of this host by which others reach it; none where they are hidden."""
    found: list[str] = []
    try:
        interfaces = psutil.net_if_addrs().values()
    except OSError:  # without netlink, as in a service that may use IP only
        return found
    for interface in interfaces:
        for each in interface:
            is_ip = each.family in (socket.AF_INET, socket.AF_INET6)
            local = each.address.startswith(("127.", "fe80:", "::1"))
            if is_ip and not local and each.address not in found:
                found.append(each.address)
    return found[:_MOST_ADDRESSES]
