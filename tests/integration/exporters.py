"""Start exporters as processes of their own, as an operator does, and look at them."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests import patience, plain_http
from tests.patience import until

SECRET = "very-secret"  # noqa: S105 - made up
_SERVING = re.compile(r"msg=serving .*address=(\S+)")


class Exporter:
    """A running exporter, its address and its log."""

    def __init__(self, arguments: list[str], folder: Path, env: dict[str, str]) -> None:
        self.log = folder / "log"
        self.started = time.monotonic()
        environ = os.environ | {"STATE_DIRECTORY": str(folder / "state")} | env
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *arguments], stdout=log, stderr=log, env=environ
            )
        until(self._has_begun, patience.START_S, "the exporter")

    def _has_begun(self) -> bool:
        return bool(_SERVING.search(self.text())) or self.process.poll() is not None

    def text(self) -> str:
        """Return what it has written."""
        return self.log.read_text()

    def get(self, path: str) -> httpx.Response:
        """Ask one of its pages."""
        return plain_http.get(self.url + path)

    def post(self, path: str, **content: Any) -> httpx.Response:
        """Send to one of its pages; the content is as for httpx."""
        return plain_http.post(self.url + path, **content)

    @property
    def serving(self) -> bool:
        """Whether it has said that it serves."""
        return bool(_SERVING.search(self.text()))

    @property
    def url(self) -> str:
        """Where it serves."""
        address = _SERVING.search(self.text())
        assert address, self.text()
        return f"http://{address[1]}"

    def stop(self, within: float = 10) -> int:
        """Send SIGTERM and return the exit status."""
        self.process.terminate()
        return self.process.wait(within)


Start = Callable[..., Exporter]


@contextmanager
def exporters(folder: Path) -> Iterator[Start]:
    """Start exporters; none is left after the block."""
    running: list[Exporter] = []

    def start(*arguments: str, **env: str) -> Exporter:
        running.append(Exporter(list(arguments), folder, env))
        return running[-1]

    yield start
    for exporter in running:
        exporter.process.kill()
        exporter.process.wait()


def value(page: str, series: str) -> float:
    """Return the value of a series on a page."""
    lines = [line for line in page.splitlines() if line.startswith(series)]
    assert len(lines) == 1, (series, lines)
    return float(lines[0].rpartition(" ")[2])
