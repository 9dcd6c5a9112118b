"""What becomes of broken connections on the /metrics page."""

import pytest
from prometheus_client import CollectorRegistry

from exporter.metrics.reconnect import KINDS, ReconnectRecorder
from exporter.metrics.registry import Metrics
from exporter.outcome import Outcome, Reason, Reconnect, SfuReconnects, Verdict
from exporter.probes.reconnect.measure import SCENARIOS
from exporter.probes.reconnect.spec import ReconnectConfig
from tests.unit.calls import WHEN, judged

BACK = Reconnect("signal", resume_s=3.0, media_gap_s=0.02)
SILENT = Reconnect("full", resume_s=0.4, media_gap_s=8.0)
LOST = Reconnect("migration", reason=Reason.CONNECT_FAILED, detail="not connected again")


def outcome(*found: Reconnect, reason: Reason | None = None) -> Outcome:
    """Return a round with these breaks."""
    return judged(Outcome("reconnect", "", WHEN, 9.0, reason, "why", SfuReconnects(found)))


class Page:
    """A registry that is written by a ReconnectRecorder."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.recorder = ReconnectRecorder(Metrics(self.registry, "s"), ReconnectConfig(), "here")

    def value(self, name: str, **labels: str) -> float | None:
        """Return a sample's value, None if it is absent."""
        return self.registry.get_sample_value(name, {"server": "s", "vantage": "here", **labels})

    def verdict(self) -> list[str]:
        """Return the verdicts that hold."""
        labels = {"server": "s", "check": "reconnect", "agent_name": ""}
        get = self.registry.get_sample_value
        return [v for v in Verdict if get("voice_verdict", labels | {"verdict": v}) == 1]


def test_every_kind_that_is_measured_has_its_series() -> None:
    """What the probe breaks and what the page shows are the same."""
    assert tuple(SCENARIOS) == KINDS
    page = Page()
    for kind in KINDS:
        assert page.value("voice_reconnect_seconds_count", kind=kind) == 0
        labels = {"kind": kind, "reason": "connect_failed"}
        assert page.value("voice_reconnect_failures_total", **labels) == 0


def test_a_connection_that_came_back_and_one_that_did_not() -> None:
    """Times are of those that came back; the others are counted with their reason."""
    page = Page()
    page.recorder.record(outcome(BACK, LOST, reason=Reason.CONNECT_FAILED))
    assert page.value("voice_reconnect_seconds_sum", kind="signal") == 3.0
    assert page.value("voice_media_gap_seconds_sum", kind="signal") == 0.02
    assert page.value("voice_reconnect_seconds_count", kind="migration") == 0
    labels = {"kind": "migration", "reason": "connect_failed"}
    assert page.value("voice_reconnect_failures_total", **labels) == 1


@pytest.mark.parametrize(
    ("found", "reason", "verdict"),
    [
        ((BACK,), None, "PASS"),
        ((BACK, SILENT), None, "SLOW"),
        ((SILENT, LOST), Reason.CONNECT_FAILED, "FAIL"),
    ],
)
def test_verdict(found: tuple[Reconnect, ...], reason: Reason | None, verdict: str) -> None:
    """Silence above the limit is SLOW; what does not come back is FAIL."""
    page = Page()
    page.recorder.record(outcome(*found, reason=reason))
    assert page.verdict() == [verdict]
