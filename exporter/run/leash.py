"""A run that has a lease ends with it, also where the exporter itself stands still.

A process that is stopped or swapped out renews nothing and ends nothing, while its probe goes on
calling. So the end of the lease is in memory that both share, and the probe's process looks at it.
"""

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from exporter.fleet.leases import now_s


class Shared(Protocol):
    """A number in memory that two processes share: when the run ends, on the clock of leases."""

    value: float


class Leash:
    """Until when a run may last; renewed with its lease."""

    def __init__(self, until: float) -> None:
        """Begin.

        Args:
            until: When the lease ends, on the clock of leases.
        """
        self._until = until
        self._shared: Shared | None = None

    def renew(self, until: float) -> None:
        """Let the run last until then."""
        self._until = until
        if self._shared is not None:
            self._shared.value = until

    @contextmanager
    def on(self, shared: Shared) -> Iterator[None]:
        """Let the process that has this number end at that time, within the block."""
        self._shared = shared
        shared.value = self._until
        try:
            yield
        finally:
            self._shared = None
            shared.value = math.inf


def ends_with(shared: Shared, over: threading.Event, end: Callable[[], None]) -> None:
    """Wait in a thread of the probe's process until its lease has ended, and end the run.

    Args:
        shared: As of `Leash.on`.
        over: Set when the run has ended by itself.
        end: Ends it.
    """
    while (left_s := shared.value - now_s()) > 0:
        if over.wait(min(left_s, threading.TIMEOUT_MAX)):
            return
    end()
