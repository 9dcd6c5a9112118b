"""A page in the browser, with all that it said and asked for."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.patience import WAIT_S

HEIGHT = 900
Scheme = Literal["dark", "light"]
_BAD = ("serious", "critical")


@dataclass
class Opened:
    """A page, with what it said on its console and what it asked for."""

    page: Page
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda said: self.console.append(said.text))
        self.page.on("pageerror", lambda error: self.console.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def value(self, script: str) -> Any:
        """Return what a script on the page returns."""
        return self.page.evaluate(script)

    @property
    def now_s(self) -> float:
        """Where the sound is."""
        return float(self.value("document.querySelector('audio').currentTime"))

    def findings(self) -> list[str]:
        """Return what axe finds that is serious; fail where it looked at next to nothing."""
        checked = Axe().run(self.page).response
        assert len(checked["passes"]) > 15
        return [
            f"{each['id']} ({each['impact']}): {[node['html'] for node in each['nodes']]}"
            for each in checked["violations"]
            if each["impact"] in _BAD
        ]

    def elsewhere(self, url: str) -> list[str]:
        """Return the requests that went anywhere but to pages below a URL."""
        return [each for each in self.requests if not each.startswith(url)]

    def wait(self, condition: str) -> None:
        """Wait until a condition in JavaScript holds; `audio` is the player."""
        script = f"() => {{ const audio = document.querySelector('audio'); return {condition}; }}"
        self.page.wait_for_function(script)

    def wait_for(self, second: float) -> None:
        """Wait until the sound is at a moment."""
        self.wait(f"Math.abs(audio.currentTime - {second}) < 0.05 && !audio.seeking")


@contextmanager
def opened(
    browser: Browser,
    url: str,
    width: int = 1280,
    scheme: Scheme = "light",
    *,
    scripts: bool = True,
    zone: str = "UTC",
) -> Iterator[Opened]:
    """Open a page."""
    context = browser.new_context(
        viewport={"width": width, "height": HEIGHT},
        color_scheme=scheme,
        java_script_enabled=scripts,
        timezone_id=zone,
    )
    context.set_default_timeout(WAIT_S * 1000)
    found = Opened(context.new_page())
    found.page.goto(url)
    yield found
    context.close()
