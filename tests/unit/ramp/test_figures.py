"""Ramps that were made elsewhere, or before a restart: what is kept of them and shown."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from exporter.daemon import ramps as daemon_ramps
from exporter.daemon.ramps import Ramps
from exporter.probes.ramp.figures import RampFigures
from exporter.probes.ramp.spec import RampConfig, figures_of
from exporter.store.records import Retention
from exporter.store.sqlite import SqliteStore
from tests.unit.calls import WHEN
from tests.unit.ramp.test_ramp_report import CONFIG, FOUND
from tests.unit.ramp.tiers import ramp, tier
from tests.unit.recording import Page

ALL_HELD = ramp(tier(2), tier(10, 30))
SCHEDULED = RampConfig.model_validate(
    {"enabled": True, "vantage": "here", "max_clients": 50, "windows": [{"days": "sun"}]}
)
DAY = timedelta(days=1)


class Kept(SqliteStore):
    """A ledger in memory, asked as the daemon asks."""

    retention = Retention()

    def ramps_now(self) -> list[RampFigures]:
        """Return what is kept."""
        return [RampFigures.model_validate_json(each) for each in super().ramps()]

    async def ramps(self) -> tuple[str, ...]:  # type: ignore[override] # the daemon's waits
        """Return the last ramp of each vantage."""
        return super().ramps()


def figures(vantage: str = "there", **changes: Any) -> RampFigures:
    """Return what is kept of a ramp with a knee of 10 clients."""
    found = figures_of(RampConfig(vantage=vantage), FOUND)
    assert found is not None
    return found.model_copy(update=changes)


def kept_by(
    ledger: Kept, page: Page, config: RampConfig = CONFIG, now: datetime = WHEN + DAY
) -> Ramps:
    """Return what keeps and shows ramps, a day after those of the tests unless told otherwise."""
    return Ramps(ledger, page.recorder.show, lambda: config, lambda: now)


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
    before = kept_by(ledger, first)
    first.recorder.record(FOUND)
    before.record(FOUND)
    before.take(figures("there"))
    ledger.save_ramp("torn", "{")
    asyncio.run(kept_by(ledger, second).restore())
    assert (knee(second, "here"), knee(second, "there")) == (10, 10)
    assert second.value("voice_probe_success", probe="ramp", agent_name="") == 0


def test_the_oldest_vantage_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has series of its own. That of the schedule here stays, however old it is."""
    monkeypatch.setattr(daemon_ramps, "MOST_VANTAGES", 2)
    ledger, page = Kept(), Page(ramp=SCHEDULED)
    kept = kept_by(ledger, page, SCHEDULED)
    page.recorder.record(FOUND)
    kept.record(FOUND)
    for hours, vantage in enumerate(("first", "second", "third"), 1):
        assert kept.take(figures(vantage, started_at=WHEN + timedelta(hours=hours))) == ""
    vantages = ("here", "first", "second", "third")
    assert [knee(page, each) for each in vantages] == [10, None, None, 10]
    assert 'vantage="second"' not in page.text()
    asyncio.run(kept_by(ledger, again := Page(ramp=SCHEDULED), SCHEDULED).restore())
    assert [knee(again, each) for each in vantages] == [10, None, None, 10]


def test_a_ramp_from_elsewhere_does_not_replace_the_knee_of_the_schedule() -> None:
    """Both have the vantage `here`, such as the default; without a schedule it is taken."""
    sent = figures("here", knee_clients=2)
    ledger, page = Kept(), Page(ramp=SCHEDULED)
    kept = kept_by(ledger, page, SCHEDULED)
    page.recorder.record(FOUND)
    kept.record(FOUND)
    assert "on a schedule" in kept.take(sent)
    assert knee(page, "here") == 10
    assert ledger.ramps_now() == [figures("here")]
    assert kept_by(ledger, page).take(sent) == ""
    assert knee(page, "here") == 2


@pytest.mark.parametrize(
    ("started_at", "words"),
    [
        (WHEN, ""),  # the same again
        (WHEN + DAY + timedelta(seconds=30), ""),
        (WHEN - timedelta(seconds=1), "a later ramp"),
        (WHEN + DAY + timedelta(seconds=90), "in the future"),
        (WHEN - 40 * DAY, "longer ago"),
    ],
)
def test_only_a_later_ramp_replaces_one(started_at: datetime, words: str) -> None:
    """One that comes late or again does not; nor does one whose clock is wrong."""
    page = Page()
    kept = kept_by(Kept(), page)
    assert kept.take(figures()) == ""
    refusal = kept.take(figures(started_at=started_at, knee_clients=2))
    assert (words in refusal, refusal == "") == (True, words == "")
    assert knee(page, "there") == (10 if words else 2)
    assert (
        page.value("voice_ramp_timestamp_seconds", vantage="there")
        == (WHEN if words else started_at).timestamp()
    )


def test_a_later_ramp_counts_after_a_restart() -> None:
    """1. A ramp is kept. 2. Another exporter starts. 3. One of before is sent. Result: refused."""
    ledger, page = Kept(), Page()
    kept_by(ledger, Page()).take(figures())
    after = kept_by(ledger, page)
    asyncio.run(after.restore())
    assert "a later ramp" in after.take(figures(started_at=WHEN - timedelta(hours=1)))


def test_a_ramp_of_a_clock_that_was_wrong_hinders_no_later_one() -> None:
    """1. One is kept while the clock is a year ahead. 2. It is put right. Result: one is taken."""
    ledger, page = Kept(), Page()
    year = 365 * DAY
    ahead = kept_by(ledger, page, now=WHEN + year)
    assert ahead.take(figures(started_at=WHEN + year)) == ""
    right = kept_by(ledger, page)
    asyncio.run(right.restore())
    assert right.take(figures()) == ""


def test_an_old_knee_is_shown_no_more() -> None:
    """A ramp that is older than the ledger keeps is neither shown after a restart nor kept."""
    ledger, page = Kept(), Page()
    kept_by(ledger, Page()).take(figures())
    asyncio.run(kept_by(ledger, page, now=WHEN + 31 * DAY).restore())
    assert (knee(page, "there"), ledger.ramps_now()) == (None, [])


@pytest.mark.parametrize(
    "change",
    [
        {"knee": "none_within"},
        {"knee_clients": None},
        {"knee_clients": 7},
        {"knee_clients": 25},  # broke
    ],
)
def test_a_ramp_that_contradicts_itself_is_refused(change: dict[str, object]) -> None:
    """A knee is the clients of a tier that held, or there is none."""
    whole = figures().model_dump(mode="json")
    assert RampFigures.model_validate_json(json.dumps(whole)) == figures()
    with pytest.raises(ValidationError, match="knee_clients: expected"):
        RampFigures.model_validate_json(json.dumps(whole | change))
