"""From a cause to the page, end to end: everything real, on one machine."""

from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.server_api import Server
from tests.paging.report import TIMING
from tests.paging.scene import demo_site, scripted_site
from tests.paging.steps import Timing, dead_agent, dead_exporter, slow_agent

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("prometheus_programs")]

Tell = Callable[[list[Timing]], None]


@pytest.fixture(name="tell")
def _tell(record_property: Callable[[str, object], None]) -> Tell:
    """Print timings, here and at the end of the whole run."""

    def tell(timings: list[Timing]) -> None:
        for each in timings:
            print(each)  # noqa: T201 - what this test is also for
            record_property(TIMING, str(each))

    return tell


def test_a_dead_agent_wakes(livekit: Server, tmp_path: Path, tell: Tell) -> None:
    """1. The worker stops. 2. VoiceAgentFailing pages within three calls, not after the first.

    3. The worker starts. Result: it is resolved, and nothing else has paged.
    """
    with scripted_site(livekit, tmp_path) as scene:
        tell(dead_agent(scene))


@pytest.mark.long
def test_a_slow_agent_is_told(livekit: Server, tmp_path: Path, tell: Tell) -> None:
    """1. The language model takes seconds. 2. VoiceAgentSlow arrives. 3. It is quick again.

    Result: it pages, and is resolved.
    """
    with demo_site(livekit, tmp_path) as scene:
        tell(slow_agent(scene))


@pytest.mark.long
def test_a_dead_exporter_is_one_alert(livekit: Server, tmp_path: Path, tell: Tell) -> None:
    """1. The exporter is killed, and so many agents fail. Result: one alert, of the exporter."""
    with demo_site(livekit, tmp_path) as scene:
        tell(dead_exporter(scene))
