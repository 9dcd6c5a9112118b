"""The series of probes of the server over reloads, which change some of them and not the others."""

import pytest

from exporter.outcome import Outcome, Reason
from exporter.probes import PROBES
from exporter.settings.settings import Settings
from tests.unit.calls import WHEN, judged
from tests.unit.recording import VANTAGE
from tests.unit.recording import Page as AnyPage

SETTINGS = Settings.model_validate(
    {
        "sfu": {"vantage": VANTAGE},
        "ramp": {"enabled": True, "max_clients": 50, "windows": [{"days": "sun"}]},
        "agent_load": {"agent_name": "a", "max_calls": 8},
    }
)


class Page(AnyPage):
    """A page with the series of one probe."""

    def __init__(self, probe: str) -> None:
        super().__init__()
        self.probe = probe
        self.reload(True)

    def fail(self) -> None:
        """Let a run end that found nothing."""
        self.recorder.record(
            judged(Outcome(self.probe, "", WHEN, 1.0, Reason.CONNECT_FAILED, "no route"))
        )

    def reload(self, on: bool) -> None:
        """Follow a configuration in which the probe is on or off."""
        follow = self.recorder.add if on else self.recorder.remove
        follow(self.probe, SETTINGS.section(self.probe))

    def verdicts(self) -> list[str]:
        """Return the verdicts that hold."""
        return self.verdict(self.probe)

    def streak(self) -> float | None:
        """Return how many runs in a row failed."""
        return self.streaks(self.probe)["FAIL"]

    def attempts(self) -> float | None:
        """Return how many runs were counted."""
        return self.value("voice_probe_attempts_total", probe=self.probe, agent_name="")


@pytest.fixture(name="page", params=[name for name in PROBES if name != "latency"])
def _page(request: pytest.FixtureRequest) -> Page:
    return Page(request.param)


def test_reload_keeps_what_is_known(page: Page) -> None:
    """1. A run fails. 2. A reload, of something else. Result: verdict and counters stay."""
    assert page.verdicts() == ["UNKNOWN"]
    page.fail()
    page.reload(True)
    assert page.verdicts() == ["FAIL"]
    assert page.streak() == 1
    assert page.attempts() == 1
    page.fail()
    assert page.streak() == 2


def test_what_is_switched_off_has_no_series(page: Page) -> None:
    """1. Off. 2. A run that was under way ends. 3. On. Result: nothing of it, then all at 0."""
    page.fail()
    page.reload(False)
    page.fail()
    text = page.text()
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    assert not [line for line in samples if f'"{page.probe}"' in line or "vantage" in line]
    page.reload(True)
    assert page.verdicts() == ["UNKNOWN"]
    assert page.streak() == 0
    assert page.attempts() == 0
    page.fail()
    assert page.streak() == 1
