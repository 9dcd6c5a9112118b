"""From an alert to the sound of the failed call, and all of it is real.

livekit-server, the demo's agent made deaf, exporter, Prometheus, Alertmanager and Chromium. It
takes two failed calls, so it runs by night; the parts of the way have short tests.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from exporter.demo.breaking import break_agent
from exporter.outcome import Reason
from exporter.server_api import Server
from tests import plain_http
from tests.browser.opening import Scheme, opened
from tests.monitoring.services import Alertmanager, require_programs
from tests.paging.scene import AGENT, demo_site, now

pytestmark = [pytest.mark.integration, pytest.mark.long]

ALERT = "VoiceAgentFailing"


@dataclass(frozen=True, slots=True)
class Alerted:
    """An alert that fires, and where its annotations lead."""

    call_url: str
    site: str


def call_url(alertmanager: Alertmanager) -> str:
    """Return the link to the call, as Alertmanager holds it."""
    (found,) = (
        each["annotations"]["call_url"]
        for each in alertmanager.alerts()
        if each["labels"]["alertname"] == ALERT and each["labels"]["agent_name"] == AGENT
    )
    return str(found)


@pytest.fixture(scope="module")
def alerted(livekit: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alerted]:
    """The site while its pager says that the agent fails."""
    require_programs()
    with demo_site(livekit, tmp_path_factory.mktemp("site")) as scene:
        since = now()
        break_agent("deaf", scene.providers)
        scene.arrival(ALERT, "firing", since)
        link = call_url(scene.alertmanager)
        yield Alerted(link, f"{urlsplit(link).scheme}://{urlsplit(link).netloc}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_failed_call_is_seen_and_heard(
    alerted: Alerted, browser: Browser, width: int, scheme: Scheme
) -> None:
    """By the link to verdict, reason, picture and log; the sound plays, and nothing is wrong.

    On a busy machine the last call that failed may be one that the agent took or came to too late.
    """
    with opened(browser, alerted.call_url, width, scheme) as found:
        expect(found.page.locator("h1 .tag")).to_have_text("FAIL")
        run_id = urlsplit(found.page.url).path.removeprefix("/runs/")
        reason = plain_http.get(f"{alerted.site}/api/v1/runs/{run_id}").json()["reason"]
        assert reason in {Reason.NO_REPLY, Reason.JOIN_TIMEOUT, Reason.NO_WORKER}
        expect(found.page.locator(".why strong")).to_have_text(reason)
        expect(found.page.locator(".call-picture .wave.caller")).to_be_attached()
        if reason == Reason.NO_REPLY:
            expect(found.page.locator(".call-picture .t_end").first).to_be_attached()
        found.wait("audio.readyState >= 1")
        assert found.value("document.querySelector('audio').duration") > 3
        found.page.locator(".scroll.time").focus()
        found.page.keyboard.press("Space")
        found.wait("audio.currentTime > 0.5")
        assert found.findings() == []
        assert found.console == []
        assert found.elsewhere(alerted.site) == []
        assert found.value("document.documentElement.scrollWidth") <= width
