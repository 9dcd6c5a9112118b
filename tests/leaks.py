"""Search everything that the suite lets out for the secrets that it used.

What processes write, what pages answer and what tests print is searched as it appears, log files
at the end. A find fails the run, whichever test it was.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

MADE_UP = (
    "very-secret",  # a part of others
    "not-the-secret-of-this-server-at-all",
    "a-secret-that-must-appear-in-no-message",
    "a-token-of-the-test",
    "a-key-of-the-test",
)
"""Secrets that tests are written with; those of real servers are noted as they are made."""
_SIGNED_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}")
_REFUSED_TOKEN = re.compile(r"(invalid token: )" + _SIGNED_TOKEN.pattern)
"""How livekit-server logs a token that it refuses, which opens nothing: tests send such."""
LOGS = ("*.log", "log", "*.err", "*.out")
"""Names of the files that processes write to."""
_SERVER_LOG = "livekit.log"
_AROUND = 60


class Leaks:
    """What was found. A plugin of pytest."""

    def __init__(self, secrets: tuple[str, ...] = MADE_UP) -> None:
        self.secrets = set(secrets)
        self.found: dict[str, None] = {}  # in order, each once

    def look(self, where: str, text: str) -> None:
        """Search a text, and note each secret that is in it without repeating it."""
        for secret in self.secrets:
            place = text.find(secret)
            if place >= 0:
                before = text[max(0, place - _AROUND) : place].replace("\n", "\\n")
                self.found[f"{where}: a secret after {before!r}"] = None
        if token := _SIGNED_TOKEN.search(text):
            before = text[max(0, token.start() - _AROUND) : token.start()].replace("\n", "\\n")
            self.found[f"{where}: a signed token after {before!r}"] = None

    def redacted(self, text: str) -> str:
        """Return a text without the secrets, for people; the search is of what was there before."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, "(redacted)")
        return _SIGNED_TOKEN.sub("(redacted)", text)

    def look_at_files(self, folder: Path) -> None:
        """Search the logs below a folder."""
        for pattern in LOGS:
            for file in folder.rglob(pattern):
                if file.is_file():
                    text = file.read_text(errors="replace")
                    if file.name == _SERVER_LOG:
                        text = _REFUSED_TOKEN.sub(r"\1...", text)
                    self.look(str(file), text)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Search what a test printed and logged, and what pages and processes told it."""
        for name, text in report.sections:
            self.look(f"{report.nodeid}, {name}", text)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Listen in while a test runs."""
        with _tapped(lambda who, text: self.look(f"{item.nodeid}, {who}", text), self.secrets.add):
            return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Search the logs, and fail the run if anything was found."""
        factory = getattr(session.config, "_tmp_path_factory", None)
        if factory is not None:
            self.look_at_files(factory.getbasetemp())
        if hasattr(session.config, "workeroutput"):  # of a run in several processes
            session.config.workeroutput["leaks"] = list(self.found)
        if self.found:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what one of several processes found."""
        self.found |= dict.fromkeys(getattr(node, "workeroutput", {}).get("leaks", ()))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say what was found."""
        if self.found:
            terminalreporter.section("secrets in output", red=True)
            for line in self.found:
                terminalreporter.line(line)


LEAKS = pytest.StashKey[Leaks]()
"""Where the run's plugin is, for a fixture that makes a secret."""


@contextmanager
def _tapped(hear: Callable[[str, str], None], learn: Callable[[str], None]) -> Iterator[None]:
    """Hear what processes write and pages answer; learn the secrets of servers that are made.

    A module that is not loaded yet is left alone: one unit test is not to pay for its import.
    """
    with pytest.MonkeyPatch.context() as patch:
        communicate = subprocess.Popen.communicate

        def heard_communicate(process: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
            outputs = communicate(process, *args, **kwargs)
            for text in outputs:
                if text:
                    hear(
                        "process", text if isinstance(text, str) else text.decode(errors="replace")
                    )
            return outputs

        patch.setattr(subprocess.Popen, "communicate", heard_communicate)
        if httpx := sys.modules.get("httpx"):
            _tap_pages(patch, httpx, hear)
        if servers := sys.modules.get("exporter.demo.livekit_server"):
            _tap_servers(patch, servers, learn)
        yield


def _tap_pages(
    patch: pytest.MonkeyPatch, httpx: ModuleType, hear: Callable[[str, str], None]
) -> None:
    read = httpx.Response.read

    def heard_read(response: Any) -> bytes:
        content: bytes = read(response)
        hear("page", content.decode(errors="replace"))
        return content

    patch.setattr(httpx.Response, "read", heard_read)


def _tap_servers(
    patch: pytest.MonkeyPatch, servers: ModuleType, learn: Callable[[str], None]
) -> None:
    start = servers.LiveKitServer.start

    def heard_start(livekit: Any) -> Any:
        server = start(livekit)
        learn(server.api_secret)
        return server

    patch.setattr(servers.LiveKitServer, "start", heard_start)
