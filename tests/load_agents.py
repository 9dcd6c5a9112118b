"""The agent of `load_agent` in a process of its own, which imports nothing of this."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.probe import ROOM_PREFIX
from exporter.server_api import Server


@contextmanager
def slowing_agent(
    server: Server, folder: Path, *, delay_s: float, carries: int, step_s: float
) -> Iterator[None]:
    """Run it until the block ends; the arguments are those of `SlowingAgent`."""
    environ = os.environ | {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }
    words = [ROOM_PREFIX, str(delay_s), str(carries), str(step_s)]
    with (folder / "load-agent.log").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.load_agent", *words], stderr=log, env=environ
        )
        try:
            yield
        finally:
            process.kill()
            process.wait()
