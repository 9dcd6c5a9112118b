"""A real redis-server on a free port of this host."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Self

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from exporter.demo.livekit_server import free_ports
from exporter.store.redis.address import parse
from exporter.store.redis.store import RedisOpener
from tests.patience import START_S, until

PROGRAM = "redis-server"


def require_redis() -> None:
    """Skip where this machine lacks Redis; under CI that is a failure."""
    if shutil.which(PROGRAM) is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("redis-server is not installed")


class RedisServer:
    """Starts Redis, kills it, and starts it again with what it has kept."""

    def __init__(self, folder: Path, *options: str, sentinel: Path | None = None) -> None:
        """Set up.

        Args:
            folder: For what it keeps and its log.
            options: More of its settings, as on its command line.
            sentinel: It is a Sentinel with this configuration, which it rewrites.
        """
        self._folder = folder
        self._options = options
        self._sentinel = sentinel
        ports = free_ports()
        self.port, self.other_port = ports.signal, ports.rtc_tcp
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._folder.mkdir(exist_ok=True)
        argv = [PROGRAM, *([str(self._sentinel), "--sentinel"] if self._sentinel else [])]
        argv += ["--port", f"{self.port}", "--bind", "127.0.0.1", "--dir", str(self._folder)]
        if self._sentinel is None:
            argv += ["--save", "", "--appendonly", "yes", *self._options]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log)
        until(self._answers, START_S, "redis-server", every_s=0.01)

    def opener(self, prefix: str) -> RedisOpener:
        """Return what opens the store of a further exporter in it.

        Args:
            prefix: Of all keys.
        """
        address = parse(self.url)
        return RedisOpener(lambda: address, prefix)

    def kill(self) -> None:
        """Let it end as by `kill -9`."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def ask(self, *command: str) -> object:
        """Send a command to it."""
        with Redis(port=self.port) as client:
            return client.execute_command(*command)

    def wait_for(self, *command: str, answer: str) -> None:
        """Wait until a command is answered with that text."""
        until(lambda: answer in str(self.ask(*command)), what=answer)

    def _answers(self) -> bool:
        try:
            return bool(self.ask("PING"))
        except RedisConnectionError:  # one that reads what it has kept, too
            return False

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
