"""What several files of integration tests need."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.server_api import Server
from tests.integration.exporters import Start, exporters
from tests.integration.live_reports import LiveReports, collecting_turns


@pytest.fixture(name="start")
def _start(tmp_path: Path) -> Iterator[Start]:
    """Start exporters by the arguments of `python -m`; none is left after the test."""
    with exporters(tmp_path) as start:
        yield start


@pytest.fixture(scope="session")
def live_turns() -> Iterator[LiveReports]:
    """What the demo's agent reports of its turns, for the whole run."""
    with collecting_turns() as reports:
        yield reports


@pytest.fixture(scope="session")
def providers(
    livekit: Server, tmp_path_factory: pytest.TempPathFactory, live_turns: LiveReports
) -> Iterator[str]:
    """The demo's agent on the shared server, for the whole run; yields the URL of its providers."""
    from exporter.demo.settings import DemoSettings  # noqa: PLC0415 - only where it is needed
    from tests.integration.workers import demo_agent  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("demo")
    with demo_agent(livekit, folder, DemoSettings(), live_turns.url) as url:
        yield url


@pytest.fixture(scope="session")
def truth(livekit: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the worker `truth`, for the whole run; it can take three jobs at once."""
    from tests.integration.workers import truth_worker  # noqa: PLC0415 - only where it is needed

    with truth_worker(livekit, tmp_path_factory.mktemp("truth"), "truth", idle=3):
        yield livekit
