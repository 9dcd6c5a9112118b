"""Ramps that were made elsewhere, or before a restart: what is kept of them and shown."""

import asyncio

import pytest

from exporter.daemon import ramps as daemon_ramps
from exporter.daemon.ramps import Ramps
from exporter.probes.ramp.figures import RampFigures
from exporter.probes.ramp.spec import RampConfig, figures_of
from exporter.store.sqlite import SqliteStore
from tests.unit.ramp.test_ramp_report import CONFIG, FOUND
from tests.unit.ramp.tiers import ramp, tier
from tests.unit.recording import Page

ALL_HELD = ramp(tier(2), tier(10, 30))


class Kept(SqliteStore):
    """A ledger in memory, asked as the daemon asks."""

    async def ramps(self) -> tuple[str, ...]:  # type: ignore[override] # the daemon's waits
        """Return the last ramp of each vantage."""
        return super().ramps()


def figures(vantage: str = "there") -> RampFigures:
    """Return what is kept of a ramp with a knee of 10 clients."""
    found = figures_of(RampConfig(vantage=vantage), FOUND)
    assert found is not None
    return found


def shown(page: Page) -> list[str]:
    """Return the lines of ramps, and of probes."""
    lines = page.text().splitlines()
    return [line for line in lines if line.startswith(("voice_knee", "voice_ramp", "voice_probe"))]


def knee(page: Page, vantage: str) -> float | None:
    """Return the knee that is shown from a vantage."""
    return page.value("voice_knee_clients", vantage=vantage)


def test_a_ramp_from_elsewhere_shows_the_series_of_a_ramp_and_no_run() -> None:
    """The same as one of the schedule; but no probe of which the next run could be late."""
    own, page = Page(ramp=CONFIG), Page()
    own.recorder.record(FOUND)
    page.recorder.show("ramp", "here", figures("here").readings())
    assert shown(page) == [line for line in shown(own) if not line.startswith("voice_probe")]
    page.recorder.show("ramp", "here", [*figures_of(CONFIG, ALL_HELD).readings()])  # type: ignore[union-attr] # it has tiers
    assert knee(page, "here") is None
    assert page.value("voice_ramp_rtt_ms", vantage="here", clients="10") == 30
    assert page.value("voice_ramp_rtt_ms", vantage="here", clients="25") is None


def test_a_ramp_of_the_schedule_takes_the_place_of_one_from_elsewhere() -> None:
    """1. One is sent. 2. Ramps are scheduled. 3. One is made. 4. Another is sent."""
    page = Page()
    for vantage in ("here", "there"):
        page.recorder.show("ramp", vantage, figures(vantage).readings())
    page.recorder.add("ramp", CONFIG)
    assert (knee(page, "here"), knee(page, "there")) == (10, 10)
    page.recorder.record(ALL_HELD)
    assert (knee(page, "here"), knee(page, "there")) == (None, 10)
    page.recorder.show("ramp", "here", figures("here").readings())
    assert knee(page, "here") == 10
    assert page.value("voice_probe_success", probe="ramp", agent_name="") == 1
    page.recorder.remove("ramp", CONFIG)
    assert (knee(page, "here"), knee(page, "there")) == (None, 10)


def test_a_knee_survives_a_restart() -> None:
    """1. A ramp of the schedule ends, and one is sent. 2. Another exporter starts on the ledger."""
    ledger, first, second = Kept(), Page(ramp=CONFIG), Page(ramp=CONFIG)
    before = Ramps(ledger, first.recorder.show, lambda: CONFIG)
    first.recorder.record(FOUND)
    before.record(FOUND)
    before.take(figures("there"))
    ledger.save_ramp("torn", "{")
    asyncio.run(Ramps(ledger, second.recorder.show, lambda: CONFIG).restore())
    assert (knee(second, "here"), knee(second, "there")) == (10, 10)
    assert second.value("voice_probe_success", probe="ramp", agent_name="") == 0


def test_vantages_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has series of its own: one more than the most is refused, a known one is not."""
    monkeypatch.setattr(daemon_ramps, "MOST_VANTAGES", 1)
    page = Page()
    kept = Ramps(Kept(), page.recorder.show, lambda: CONFIG)
    assert kept.take(figures("there")) == kept.take(figures("there")) == ""
    assert "1 vantages" in kept.take(figures("more"))
    assert knee(page, "more") is None
