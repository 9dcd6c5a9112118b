"""The series of probes of the server over reloads, which change some of them and not the others."""

from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from exporter.metrics.ramp import RampRecorder
from exporter.metrics.reach import ReachRecorder
from exporter.metrics.reconnect import ReconnectRecorder
from exporter.metrics.recorder import Recorder
from exporter.metrics.registry import Metrics
from exporter.metrics.sfu import SfuRecorder
from exporter.outcome import Outcome, Reason, Verdict
from exporter.probes.ramp.spec import RampConfig
from exporter.probes.reach.spec import ReachConfig
from exporter.probes.reconnect.spec import ReconnectConfig
from exporter.probes.sfu.spec import SfuConfig
from tests.unit.calls import WHEN, judged

ON = RampConfig.model_validate({"enabled": True, "max_clients": 50, "windows": [{"days": "sun"}]})


class Page:
    """A registry and the two recorders that write the series of one probe."""

    def __init__(self, probe: str) -> None:
        self.probe = probe
        self.registry = CollectorRegistry()
        metrics = Metrics(self.registry, "s")
        self.common = Recorder(metrics, stuck_after_s=30)
        make = {"sfu": _sfu, "reach": _reach, "reconnect": _reconnect, "ramp": _ramp}
        self.record, self.reload = make[probe](metrics)

    def fail(self) -> None:
        """Let a run end that found nothing."""
        outcome = judged(Outcome(self.probe, "", WHEN, 1.0, Reason.CONNECT_FAILED, "no route"))
        self.common.record(outcome)
        self.record(outcome)

    def verdicts(self) -> list[str]:
        """Return the verdicts that hold."""
        labels = {"server": "s", "check": self.probe, "agent_name": ""}
        value = self.registry.get_sample_value
        return [v for v in Verdict if value("voice_verdict", labels | {"verdict": v}) == 1]

    def streak(self) -> float | None:
        """Return how many runs in a row failed."""
        labels = {"server": "s", "check": self.probe, "agent_name": "", "verdict": "FAIL"}
        return self.registry.get_sample_value("voice_verdict_streak", labels)

    def attempts(self) -> float | None:
        """Return how many runs were counted."""
        labels = {"server": "s", "probe": self.probe, "agent_name": ""}
        return self.registry.get_sample_value("voice_probe_attempts_total", labels)


Parts = tuple[Callable[[Outcome], None], Callable[[bool], None]]


def _sfu(metrics: Metrics) -> Parts:
    recorder = SfuRecorder(metrics, SfuConfig(), "v")
    return recorder.record, lambda on: recorder.reconfigure(SfuConfig(enabled=on), "v")


def _reach(metrics: Metrics) -> Parts:
    recorder = ReachRecorder(metrics, ReachConfig(), "v")
    return recorder.record, lambda on: recorder.reconfigure(ReachConfig(enabled=on), "v")


def _reconnect(metrics: Metrics) -> Parts:
    recorder = ReconnectRecorder(metrics, ReconnectConfig(), "v")
    return recorder.record, lambda on: recorder.reconfigure(ReconnectConfig(enabled=on), "v")


def _ramp(metrics: Metrics) -> Parts:
    recorder = RampRecorder(metrics, ON.at("v"), "v")
    return recorder.record, lambda on: recorder.reconfigure(
        (ON if on else RampConfig()).at("v"), "v"
    )


@pytest.fixture(name="page", params=["sfu", "reach", "reconnect", "ramp"])
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
    text = generate_latest(page.registry).decode()
    assert not [line for line in text.splitlines() if f'"{page.probe}"' in line or '"v"' in line]
    page.reload(True)
    assert page.verdicts() == ["UNKNOWN"]
    assert page.streak() == 0
    assert page.attempts() == 0
    page.fail()
    assert page.streak() == 1
