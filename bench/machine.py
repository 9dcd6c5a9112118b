"""What the machine was like meanwhile: times say little where its host was elsewhere."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psutil


@contextmanager
def machine_told(say: Callable[[str], None]) -> Iterator[None]:
    """Say after the block how idle the CPUs were, and what their host kept of them for others."""
    idle_s, kept_s, began = _idle_s(), _kept_s(), time.monotonic()
    yield
    cpu_s = (time.monotonic() - began) * (os.cpu_count() or 1)
    idle, kept = (_idle_s() - idle_s) / cpu_s, (_kept_s() - kept_s) / cpu_s
    say(f"meanwhile the CPUs were {idle:.0%} idle, and {kept:.1%} kept by their host")


def _idle_s() -> float:
    times = psutil.cpu_times()
    return times.idle + getattr(times, "iowait", 0.0)


def _kept_s() -> float:
    """Return for how long the machine's host has given its CPUs to others; not told everywhere."""
    stolen: float = getattr(psutil.cpu_times(), "steal", 0.0)
    return stolen
