"""Where a bench plays: a folder of its own, with a livekit-server and agents of known latency."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.machine import machine_told
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

    In the end it is told what the machine was like.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        program = find_server(os.environ, say)
        with machine_told(say), LiveKitServer(program, folder) as livekit:
            yield Stage(folder, livekit)


@contextmanager
def truth_stage(say: Callable[[str], None]) -> Iterator[Stage]:
    """Run a livekit-server and the worker of `AGENT` until the block ends."""
    with livekit_stage(say) as stage, truth_worker(stage.server, stage.folder, AGENT):
        yield stage
