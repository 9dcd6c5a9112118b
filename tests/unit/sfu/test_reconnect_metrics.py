"""What becomes of broken connections on the /metrics page."""

import pytest

from exporter.outcome import Outcome, Reason, Reconnect, SfuReconnects
from exporter.probes.reconnect.measure import SCENARIOS, worst_of
from exporter.probes.reconnect.spec import ReconnectConfig
from tests.unit.calls import WHEN, judged
from tests.unit.recording import VANTAGE, Page

BACK = Reconnect("signal", resume_s=3.0, media_gap_s=0.02)
SILENT = Reconnect("full", resume_s=0.4, media_gap_s=8.0)
LOST = Reconnect("migration", reason=Reason.CONNECT_FAILED, detail="not connected again")
SPOILED = Reconnect("full", reason=Reason.VOID, detail="the prober: it stood still")


def outcome(*found: Reconnect, reason: Reason | None = None) -> Outcome:
    """Return a round with these breaks."""
    return judged(Outcome("reconnect", "", WHEN, 9.0, reason, "why", SfuReconnects(found)))


def page_of() -> Page:
    """Return a page of the probe reconnect."""
    return Page(reconnect=ReconnectConfig())


def test_every_kind_that_is_measured_has_its_series() -> None:
    """What the probe breaks and what the page shows are the same."""
    page = page_of()
    for kind in SCENARIOS:
        assert page.value("voice_reconnect_seconds_count", vantage=VANTAGE, kind=kind) == 0
        labels = {"kind": kind, "reason": "connect_failed"}
        assert page.value("voice_reconnect_failures_total", vantage=VANTAGE, **labels) == 0


def test_a_connection_that_came_back_and_one_that_did_not() -> None:
    """Times are of those that came back; the others are counted with their reason."""
    page = page_of()
    page.recorder.record(outcome(BACK, LOST, reason=Reason.CONNECT_FAILED))
    assert page.value("voice_reconnect_seconds_sum", vantage=VANTAGE, kind="signal") == 3.0
    assert page.value("voice_media_gap_seconds_sum", vantage=VANTAGE, kind="signal") == 0.02
    assert page.value("voice_reconnect_seconds_count", vantage=VANTAGE, kind="migration") == 0
    labels = {"kind": "migration", "reason": "connect_failed"}
    assert page.value("voice_reconnect_failures_total", vantage=VANTAGE, **labels) == 1


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
    page = page_of()
    page.recorder.record(outcome(*found, reason=reason))
    assert page.verdict("reconnect") == [verdict]


def test_a_break_that_the_prober_spoiled_is_no_failure() -> None:
    """It is in no series, and UNKNOWN where nothing else is wrong."""
    page = page_of()
    assert worst_of((BACK, SPOILED)) is SPOILED
    page.recorder.record(outcome(BACK, SPOILED, reason=Reason.VOID))
    assert page.verdict("reconnect") == ["UNKNOWN"]
    assert page.value("voice_reconnect_seconds_count", vantage=VANTAGE, kind="full") == 0
    for reason in ("connect_failed", "void"):
        labels = {"kind": "full", "reason": reason}
        assert not page.value("voice_reconnect_failures_total", vantage=VANTAGE, **labels)


def test_a_break_that_failed_says_more_than_one_that_was_spoiled() -> None:
    """Whatever their order."""
    assert worst_of((SPOILED, LOST)) is LOST
    assert worst_of((LOST, SPOILED)) is LOST
    assert worst_of((BACK,)) is None
