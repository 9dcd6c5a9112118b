"""What several test files need: a real livekit-server for the whole run.

Every run loads this file, that of one unit test, too: what only some need is imported by them.
"""
# ruff: noqa: PLC0415 - see above

import atexit
import logging
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, is_hypothesis_test, settings

from exporter import logs
from exporter.errors import ConfigError
from tests.leaks import LEAKS, Leaks
from tests.paging.report import Timings
from tests.server_logs import ServerLogs

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import LoadFileScheduling

    from exporter.demo.livekit_binary import ServerProgram
    from exporter.demo.livekit_server import LiveKitServer
    from exporter.server_api import Server
    from tests.certificates import Certificates

# Examples by hypothesis. `quick` has the same ones in every run: what it finds, it finds at the
# change that brings it. `long` looks for new ones. No deadline: a machine may be busy.
settings.register_profile(
    "quick",
    max_examples=50,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "long",
    max_examples=1000,
    derandomize=False,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "quick")
settings.load_profile(PROFILE)

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Those that a command or the daemon handles."""


@pytest.fixture(scope="session")
def livekit_program() -> "ServerProgram":
    """The livekit-server of this machine; built once if there is none.

    Under CI a test run without one fails; at home the tests that need it are skipped.
    """
    from exporter.demo.livekit_binary import find_server

    try:
        return find_server(os.environ, logging.getLogger(__name__).info)
    except ConfigError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def livekit_server(
    livekit_program: "ServerProgram",
    tmp_path_factory: pytest.TempPathFactory,
    pytestconfig: pytest.Config,
) -> "Iterator[LiveKitServer]":
    """The running livekit-server that the whole test run shares; do not stop it."""
    from exporter.demo.livekit_server import LiveKitServer

    folder: Path = tmp_path_factory.mktemp("livekit")
    with LiveKitServer(livekit_program, folder) as running:
        pytestconfig.stash[LEAKS].secrets.add(running.server.api_secret)
        yield running


@pytest.fixture(scope="session")
def livekit(livekit_server: "LiveKitServer") -> "Server":
    """Where the shared livekit-server is, and the credentials for it."""
    return livekit_server.server


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> "Certificates":
    """An authority for the whole run; whatever is not to be trusted needs another."""
    from tests.certificates import Certificates

    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(autouse=True)
def _logs_as_they_were() -> Iterator[None]:
    """Undo what a command has set up in this process: the next test may look for lines."""
    loggers = [logging.getLogger(name) for name in ("", "exporter", *logs.QUIET, *logs.MUTE)]
    before = [(logger, logger.level, logger.handlers[:]) for logger in loggers]
    yield
    for logger, level, handlers in before:
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    """Undo what a test did to its process: the next one may be any, in any order.

    That is its environment, its folder, its handlers of signals and its random numbers. What
    fixtures of a module or of the run have set before the test stays.
    """
    environ, folder, numbers = dict(os.environ), Path.cwd(), random.getstate()
    handlers = {each: signal.getsignal(each) for each in _SIGNALS}
    yield
    if dict(os.environ) != environ:
        os.environ.clear()
        os.environ.update(environ)
    os.chdir(folder)
    random.setstate(numbers)
    for each, handler in handlers.items():
        if handler is not None and signal.getsignal(each) is not handler:
            signal.signal(each, handler)


def pytest_configure(config: pytest.Config) -> None:
    """Search all output of the run for its secrets, show logs of what failed, and heed Ctrl-C.

    A shell that runs the suite in the background has it ignore Ctrl-C, and children inherit that.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # fixtures end what they started
    leaks = config.stash[LEAKS] = Leaks()
    config.pluginmanager.register(leaks, "leaks")
    config.pluginmanager.register(ServerLogs(leaks), "server_logs")
    config.pluginmanager.register(Timings(), "timings")


LONGEST_FIRST = (
    *("paging/test_paging.py", "integration/test_truth.py", "monitoring/test_rules.py"),
    *("monitoring/test_expressions.py", "integration/test_demo_abilities.py"),
    *("integration/test_network_line.py", "integration/test_daemon.py", "integration/test_cli.py"),
    *("integration/test_runner.py", "browser/test_run_page.py", "netlab/test_sfu_truth.py"),
    *("integration/test_ramp.py", "integration/test_roster.py", "integration/test_preflight.py"),
    *("integration/test_listing_budget.py", "integration/test_targets.py"),
    *("integration/test_reconnect.py", "integration/test_web_fuzz.py", "integration/test_reach.py"),
    *("unit/call/test_line.py", "unit/call/test_turn_taking.py", "unit/test_imports.py"),
)
"""Files below tests/ that take longest, in that order: none of them is begun last."""

USE_SHARED = {
    "integration/test_demo_abilities.py": "providers",
    "integration/test_network_line.py": "truth",
    "integration/test_truth.py": "truth",
}
"""Files below tests/ by the fixture of a run that they use; its start takes seconds of every core.

All that use one are run in one process. That which gives them out does not know their fixtures.
Long tests are all run in one process, so that files of these alone need no row.
"""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files; mark tests of examples as long where many are asked for."""
    tests = Path(__file__).parent
    places = {tests / file: place for place, file in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))  # keeps the order of the rest
    for item in items:
        fixture = USE_SHARED.get(item.nodeid.partition("::")[0].removeprefix("tests/"))
        used = _shared(item)
        assert used <= {fixture}, f"{item.nodeid} is to be in USE_SHARED: {used}"
        if PROFILE == "long" and is_hypothesis_test(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.long)


def _shared(item: pytest.Item) -> set[str]:
    """Return which of the shared fixtures a test uses; long ones are run in one process anyway."""
    if item.get_closest_marker("long") or item.get_closest_marker("whole_machine"):
        return set()
    own = vars(getattr(item, "module", None) or object)
    return (set(USE_SHARED.values()) & set(getattr(item, "fixturenames", ()))) - own.keys()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: "Producer") -> "LoadFileScheduling":
    """Give out the tests file by file, and those of files that share a fixture together."""
    from xdist.scheduler import LoadFileScheduling

    class ByFixture(LoadFileScheduling):  # type: ignore[misc] # it has no types
        def _split_scope(self, nodeid: str) -> str:
            file = str(super()._split_scope(nodeid))
            return USE_SHARED.get(file.removeprefix("tests/"), file)

    return ByFixture(config, log)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse tests that pytest-xdist would leave out."""
    if hasattr(session.config, "workerinput"):
        counts = Counter(item.nodeid for item in session.items)
        twice = [nodeid for nodeid, count in counts.items() if count > 1]
        assert not twice, f"of tests with one id pytest-xdist runs the first: {twice}"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(exitstatus: int) -> None:
    """Leave without unloading the SDK, whose threads (livekit 1.1.21) sometimes abort by that."""
    if "livekit.rtc" in sys.modules:
        # The last to be registered is the first to be called.
        atexit.register(_leave, int(exitstatus))


def _leave(status: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
