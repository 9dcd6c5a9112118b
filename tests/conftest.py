"""What several test files need: a real livekit-server for the whole run."""

import logging
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter import logs
from exporter.demo.livekit_binary import ServerProgram, find_server
from exporter.demo.livekit_server import LiveKitServer
from exporter.errors import ConfigError
from exporter.server_api import Server
from tests.leaks import Leaks
from tests.paging.report import Timings
from tests.server_logs import ServerLogs


@pytest.fixture(scope="session")
def livekit_program() -> ServerProgram:
    """The livekit-server of this machine; built once if there is none.

    Under CI a test run without one fails; at home the tests that need it are skipped.
    """
    try:
        return find_server(os.environ, logging.getLogger(__name__).info)
    except ConfigError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def livekit_server(
    livekit_program: ServerProgram, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LiveKitServer]:
    """The running livekit-server that the whole test run shares; do not stop it."""
    folder: Path = tmp_path_factory.mktemp("livekit")
    with LiveKitServer(livekit_program, folder) as running:
        yield running


@pytest.fixture(scope="session")
def livekit(livekit_server: LiveKitServer) -> Server:
    """Where the shared livekit-server is, and the credentials for it."""
    return livekit_server.server


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """Undo what a command has set up in this process: the next test may look for lines."""
    loggers = [logging.getLogger(name) for name in ("", "exporter", *logs.QUIET, *logs.MUTE)]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


def pytest_configure(config: pytest.Config) -> None:
    """Search all output of the run for its secrets, show logs of what failed, and heed Ctrl-C.

    A shell that runs the suite in the background has it ignore Ctrl-C, and children inherit that.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # fixtures end what they started
    leaks = Leaks()
    config.pluginmanager.register(leaks, "leaks")
    config.pluginmanager.register(ServerLogs(leaks), "server_logs")
    config.pluginmanager.register(Timings(), "timings")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse tests that pytest-xdist would leave out."""
    if hasattr(session.config, "workerinput"):
        counts = Counter(item.nodeid for item in session.items)
        twice = [nodeid for nodeid, count in counts.items() if count > 1]
        assert not twice, f"of tests with one id pytest-xdist runs the first: {twice}"
