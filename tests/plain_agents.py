"""A plain agent in a process of its own: see `plain_agent`, which imports nothing of this."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from exporter.server_api import Server


class Join(Protocol):
    """Sends the agent into a room."""

    def __call__(self, room_name: str, delay_s: float, *replies: Path) -> None:
        """Send it: it replies after so many seconds, with these WAV files in turn."""


@contextmanager
def plain_agent(server: Server, folder: Path, entrance: Sequence[str] = ()) -> Iterator[Join]:
    """Run a plain agent until the block ends.

    Args:
        server: To which it goes.
        folder: Takes its log.
        entrance: What to put before its command, to run it in a network namespace.
    """
    environ = os.environ | {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }
    with (folder / "plain-agent.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [*entrance, sys.executable, "-m", "tests.plain_agent"],
            stdin=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environ,
        )
        stdin = process.stdin
        assert stdin is not None

        def join(room_name: str, delay_s: float, *replies: Path) -> None:
            stdin.write(" ".join([room_name, str(delay_s), *map(str, replies)]) + "\n")
            stdin.flush()

        try:
            yield join
        finally:
            process.kill()
            process.communicate()
