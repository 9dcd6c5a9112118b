"""Start the worker of `truth` as a process of its own, and wait until it can take jobs."""

import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exporter.demo.livekit_server import free_ports
from exporter.demo.processes import Child
from exporter.server_api import Server

START_LIMIT_S = 40.0


@contextmanager
def truth_worker(server: Server, folder: Path, name: str) -> Iterator[Child]:
    """Run a worker of that agent name until the block ends.

    Raises:
        RuntimeError: It ended, or did not register in time; the message has its last lines.
    """
    port = free_ports().signal
    environ = os.environ | {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }
    argv = [sys.executable, "-m", "tests.integration.truth", "--name", name, "--port", str(port)]
    child = Child(f"truth worker {name}", argv, log=folder / f"{name}.log", environ=environ)
    try:
        _wait_until_registered(child, port)
        yield child
    finally:
        child.stop(grace_s=2.0)


def _wait_until_registered(child: Child, port: int) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        if child.exit_code is not None:
            raise RuntimeError(child.obituary())
        if _answers(port) and "registered worker" in child.tail(200):
            return
        child.wait(0.1)
    raise RuntimeError(f"{child.name} did not register; its last lines:\n{child.tail()}")


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
