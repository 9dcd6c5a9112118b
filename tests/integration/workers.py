"""Start agents as processes of their own, and wait until they can take jobs."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from exporter.demo.livekit_server import free_ports
from exporter.demo.processes import Child
from exporter.demo.ready import announced
from exporter.demo.settings import DemoSettings
from exporter.server_api import Server
from tests import patience, plain_http


@contextmanager
def truth_worker(server: Server, folder: Path, name: str, idle: int = 2) -> Iterator[Child]:
    """Run a worker of that agent name until the block ends.

    Args:
        server: Where it registers.
        folder: For its log.
        name: Of the agent.
        idle: Jobs that it can take at one moment; each more waits for a process to start.

    Raises:
        RuntimeError: It ended, or did not register in time; the message has its last lines.
    """
    port = free_ports().signal
    environ = _credentials(server)
    argv = [sys.executable, "-m", "tests.integration.truth", "--name", name, "--port", str(port)]
    argv += ["--idle", str(idle)]
    log = folder / f"{name or 'unnamed'}.log"
    child = Child(f"truth worker {name}", argv, log=log, environ=environ)
    try:
        _wait_until_registered(child, port)
        yield child
    finally:
        child.stop(grace_s=2.0)


def _wait_until_registered(child: Child, port: int) -> None:
    deadline = time.monotonic() + patience.START_S
    while time.monotonic() < deadline:
        if child.exit_code is not None:
            raise RuntimeError(child.obituary())
        if _answers(port) and "registered worker" in child.tail(200):
            return
        child.wait(0.1)
    raise RuntimeError(f"{child.name} did not register; its last lines:\n{child.tail()}")


def _answers(port: int) -> bool:
    try:
        return plain_http.get(f"http://127.0.0.1:{port}/", timeout_s=5).is_success
    except httpx.HTTPError:
        return False


@contextmanager
def demo_agent(
    server: Server, folder: Path, settings: DemoSettings, collector: str = ""
) -> Iterator[str]:
    """Run the demo's agent and its providers; yields the URL of the providers.

    Args:
        server: Where it registers.
        folder: For their logs.
        settings: How they behave.
        collector: As of `demo_worker`.

    Raises:
        RuntimeError: One of them ended or was not ready in time; the message has its last lines.
    """
    with demo_providers(folder, settings) as url, demo_worker(server, folder, url, collector):
        yield url


@contextmanager
def demo_providers(folder: Path, settings: DemoSettings) -> Iterator[str]:
    """Run the demo's providers alone; yields their URL. Errors as of `demo_agent`."""
    arguments = ["--settings", settings.model_dump_json()]
    with _announced("providers", arguments, folder, dict(os.environ)) as url:
        yield url


@contextmanager
def demo_worker(server: Server, folder: Path, providers: str, collector: str = "") -> Iterator[str]:
    """Run the demo's agent alone; yields the URL of its page. Errors as of `demo_agent`.

    Args:
        server: Where it registers.
        folder: For its log.
        providers: URL of its providers.
        collector: URL of an exporter that it reports to; "" for none.
    """
    arguments = ["--providers", providers, "--collector", collector]
    with _announced("agent", arguments, folder, _credentials(server)) as url:
        yield url


@contextmanager
def _announced(
    module: str, arguments: list[str], folder: Path, environ: dict[str, str]
) -> Iterator[str]:
    """Run one program of the demo; yields the URL that it announces."""
    ready = folder / f"{module}.ready"
    ready.unlink(missing_ok=True)  # of an earlier one
    argv = [sys.executable, "-m", f"exporter.demo.{module}", "--ready-file", str(ready), *arguments]
    child = Child(module, argv, log=folder / f"{module}.log", environ=environ)
    try:
        deadline = time.monotonic() + patience.START_S
        while (url := announced(ready)) is None:
            if child.wait(0.1) or time.monotonic() > deadline:
                raise RuntimeError(f"{module} did not become ready:\n{child.tail()}")
        yield url
    finally:
        child.stop(grace_s=2.0)


def _credentials(server: Server) -> dict[str, str]:
    return os.environ | {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }
