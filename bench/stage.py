"""Where a bench plays: a folder of its own, with a livekit-server and agents of known latency."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from exporter.demo.livekit_binary import find_server
from exporter.demo.livekit_server import LiveKitServer
from exporter.server_api import Server
from tests.integration.workers import truth_worker

AGENT = "truth"
"""Its jobs do what the script in their metadata says."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What is there as long as the bench runs."""

    folder: Path
    livekit: LiveKitServer

    @property
    def server(self) -> Server:
        """Where the livekit-server is, and the credentials for it."""
        return self.livekit.server


@contextmanager
def livekit_stage(say: Callable[[str], None]) -> Iterator[Stage]:
    """Run a livekit-server until the block ends; `say` is told when one has to be built.

    In the end it is told how busy the machine was: figures of a machine that others share say
    little where its host had no CPU for it.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        program = find_server(os.environ, say)
        idle_s, kept_s, began = _idle_s(), _kept_s(), time.monotonic()
        with LiveKitServer(program, folder) as livekit:
            yield Stage(folder, livekit)
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


@contextmanager
def truth_stage(say: Callable[[str], None]) -> Iterator[Stage]:
    """Run a livekit-server and the worker of `AGENT` until the block ends."""
    with livekit_stage(say) as stage, truth_worker(stage.server, stage.folder, AGENT):
        yield stage
