"""From a cause to the page, end to end: everything real, on one machine."""

from collections.abc import Callable, Iterator

import pytest

from exporter.server_api import Server
from tests.paging.report import TIMING
from tests.paging.scene import Scene, whole_site
from tests.paging.steps import Timing, dead_agent, dead_exporter, slow_agent

pytestmark = [pytest.mark.integration, pytest.mark.whole_machine]

Tell = Callable[[list[Timing]], None]


@pytest.fixture(scope="module")
def scene(
    prometheus_programs: None, livekit: Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Scene]:
    """The site that all tests here share, in their order."""
    with whole_site(livekit, tmp_path_factory.mktemp("paging")) as running:
        yield running


@pytest.fixture(name="tell")
def _tell(record_property: Callable[[str, object], None]) -> Tell:
    """Print timings, here and at the end of the whole run."""

    def tell(timings: list[Timing]) -> None:
        for each in timings:
            print(each)  # noqa: T201 - what this test is also for
            record_property(TIMING, str(each))

    return tell


def test_a_slow_agent_is_told(scene: Scene, tell: Tell) -> None:
    """1. The language model takes seconds. 2. VoiceAgentSlow arrives. 3. It is quick again.

    Result: it is resolved, and was not a page.
    """
    tell(slow_agent(scene))


def test_a_dead_agent_wakes(scene: Scene, tell: Tell) -> None:
    """1. The worker stops. 2. VoiceAgentFailing pages within three calls, not after the first.

    3. The worker starts. Result: it is resolved, and nothing else has paged.
    """
    tell(dead_agent(scene))


def test_a_dead_exporter_is_one_alert(scene: Scene, tell: Tell) -> None:
    """1. The exporter is killed, and so many agents fail. Result: one alert, of the exporter."""
    tell(dead_exporter(scene))
