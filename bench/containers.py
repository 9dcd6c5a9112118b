"""Run containers by podman, which needs no daemon, and end them for certain."""

import json
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psutil

from exporter.errors import ExporterError

_LIMIT_S = 120.0
# Where root may not raise its own limits, podman's default ones are refused.
_ALWAYS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024")
HARDENED = ("--read-only", "--cap-drop", "all", "--security-opt", "no-new-privileges")


class EngineError(ExporterError):
    """Podman is missing, or did not do as it was told; the message has its words."""


@dataclass(frozen=True, slots=True)
class Container:
    """One container that was started."""

    name: str

    def execute(self, *command: str) -> int:
        """Run a command inside and return its exit status."""
        return _podman("exec", self.name, *command, check=False).returncode

    def logs(self) -> str:
        """Return what it wrote."""
        done = _podman("logs", self.name)
        return done.stdout + done.stderr

    def exit_code(self) -> int | None:
        """Return its exit status, None while it runs."""
        state = self._state()
        return None if state["Running"] else int(state["ExitCode"])

    def memory_bytes(self) -> int:
        """Return what its processes take, with what several share counted once (PSS)."""
        first = psutil.Process(self._state()["Pid"])
        total = 0
        for process in (first, *first.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += int(process.memory_full_info().pss)
        return total

    def stop(self, grace_s: float = 20.0) -> float:
        """Send SIGTERM, wait for its end, and return how many seconds that took."""
        began = time.monotonic()
        _podman("stop", "--time", f"{grace_s:.0f}", self.name)
        return time.monotonic() - began

    def remove(self) -> None:
        """Remove it with its own volumes, running or not."""
        _podman("rm", "--force", "--volumes", self.name, check=False)

    def _state(self) -> Mapping[str, Any]:
        found: list[Mapping[str, Any]] = json.loads(_podman("inspect", self.name).stdout)
        state: Mapping[str, Any] = found[0]["State"]
        return state


@contextmanager
def running(
    image: str,
    *command: str,
    options: Sequence[str] = (),
    environ: Mapping[str, str] | None = None,
    network: str = "host",
) -> Iterator[Container]:
    """Run a container until the block ends; nothing of it is left.

    Args:
        image: Its name here; nothing is pulled.
        command: In place of the image's.
        options: Of `podman run`.
        environ: Variables of the container.
        network: `host`, or `ns:PATH` for a namespace.

    Raises:
        EngineError: It could not be started.
    """
    container = Container(f"bench-{secrets.token_hex(4)}")
    variables = [part for pair in (environ or {}).items() for part in ("--env", "=".join(pair))]
    runtime = ("--runtime", "runc") if shutil.which("runc") else ()
    try:
        _podman(
            *("run", "--detach", "--pull", "never", "--name", container.name, "--network", network),
            *(*runtime, *_ALWAYS, *variables, *options, image, *command),
        )
        yield container
    finally:
        container.remove()


def layers(image: str) -> list[int]:
    """Return the size of each layer of an image, in bytes, the base first.

    Raises:
        EngineError: There is no such image.
    """
    told = json.loads(_podman("history", "--format", "json", image).stdout)
    return [int(layer["size"]) for layer in reversed(told) if int(layer["size"]) > 0]


def compressed_bytes(image: str) -> int:
    """Return what it takes to pull an image: its layers by gzip.

    Raises:
        EngineError: There is no such image.
    """
    saved = f"set -o pipefail; podman save --quiet {image} | gzip -c | wc -c"
    done = subprocess.run(
        ["bash", "-c", saved], capture_output=True, text=True, check=False, timeout=_LIMIT_S
    )
    if done.returncode:
        raise EngineError(done.stderr.strip())
    return int(done.stdout)


def _podman(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    try:
        done = subprocess.run(
            ["podman", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_LIMIT_S,
        )
    except FileNotFoundError:
        raise EngineError("there is no podman on PATH") from None
    if check and done.returncode:
        raise EngineError(f"podman {arguments[0]}: {done.stderr.strip()}")
    return done
