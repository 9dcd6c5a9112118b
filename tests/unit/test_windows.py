"""When calls may start: hours, days, cron, time zones and the two nights when clocks change."""

import asyncio
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from freezegun import freeze_time

from exporter.config.schedule import WindowConfig
from exporter.daemon.plan import call_work
from exporter.probes.agents.spec import AgentsConfig
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.scheduler import Work
from exporter.run.windows import WindowGate, is_open

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = WindowConfig(hours="08:00-20:00", days="mon-fri", time_zone="Europe/Berlin")
NIGHT = WindowConfig(hours="22:00-06:00", days="fri", time_zone="Europe/Berlin")


def at(text: str, zone: ZoneInfo = BERLIN, fold: int = 0) -> datetime:
    """Return a moment that a clock on a wall shows."""
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


@pytest.mark.parametrize(
    ("window", "when", "expected"),
    [
        # 2026-11-20 is a Friday.
        (OFFICE, "2026-11-20T08:00:00", True),
        (OFFICE, "2026-11-20T07:59:59", False),
        (OFFICE, "2026-11-20T19:59:59", True),
        (OFFICE, "2026-11-20T20:00:00", False),
        (OFFICE, "2026-11-21T12:00:00", False),
        (NIGHT, "2026-11-20T22:00:00", True),
        (NIGHT, "2026-11-21T05:59:59", True),
        (NIGHT, "2026-11-21T06:00:00", False),
        (NIGHT, "2026-11-20T05:00:00", False),
        (NIGHT, "2026-11-21T23:00:00", False),
        (WindowConfig(hours="18:00-24:00", time_zone="Europe/Berlin"), "2026-11-21T23:59:59", True),
        (
            WindowConfig(hours="18:00-24:00", time_zone="Europe/Berlin"),
            "2026-11-22T00:00:00",
            False,
        ),
        (WindowConfig(days="sat-mon", time_zone="Europe/Berlin"), "2026-11-23T12:00:00", True),
        (WindowConfig(days="sat-mon", time_zone="Europe/Berlin"), "2026-11-24T12:00:00", False),
        (
            WindowConfig(cron="*/5 8-19 * * mon-fri", time_zone="Europe/Berlin"),
            "2026-11-20T19:55:59",
            True,
        ),
        (
            WindowConfig(cron="*/5 8-19 * * mon-fri", time_zone="Europe/Berlin"),
            "2026-11-20T19:56:00",
            False,
        ),
        (
            WindowConfig(cron="* 8-19 * * mon-fri", time_zone="Europe/Berlin"),
            "2026-11-22T12:00:00",
            False,
        ),
        (WindowConfig(cron="* * 1 * *", time_zone="Europe/Berlin"), "2026-12-01T00:00:30", True),
    ],
)
def test_window(window: WindowConfig, when: str, expected: bool) -> None:
    """The first minute is inside, the end is outside; the day is that of the beginning."""
    assert is_open((window,), at(when).astimezone(UTC)) is expected


def test_hours_are_those_of_the_time_zone() -> None:
    """08:00 in Berlin is 07:00 UTC in winter and 06:00 UTC in summer."""
    utc = ZoneInfo("UTC")
    assert not is_open((OFFICE,), at("2026-11-20T06:30:00", utc))
    assert is_open((OFFICE,), at("2026-07-17T06:30:00", utc))


def test_any_window_opens_and_none_means_always() -> None:
    """Several windows add up."""
    friday_night = at("2026-11-20T23:00:00")
    assert not is_open((OFFICE,), friday_night)
    assert is_open((OFFICE, NIGHT), friday_night)
    assert is_open((), friday_night)


@pytest.mark.parametrize(
    "window",
    [
        WindowConfig(hours="02:00-03:00", time_zone="Europe/Berlin"),
        WindowConfig(cron="* 2 * * *", time_zone="Europe/Berlin"),
    ],
)
def test_nights_when_clocks_change(window: WindowConfig) -> None:
    """In spring the hour is left out; in autumn it comes twice, and is open twice."""

    def minutes_open(midnight: datetime) -> int:
        start = midnight.astimezone(UTC)
        return sum(is_open((window,), start + timedelta(minutes=n)) for n in range(8 * 60))

    assert minutes_open(at("2026-03-29T00:00:00")) == 0
    assert minutes_open(at("2026-10-25T00:00:00")) == 120
    assert minutes_open(at("2026-11-20T00:00:00")) == 60


def test_gate_refuses_calls_outside_of_their_windows() -> None:
    """Calls have windows; a listing has none."""
    gate = WindowGate()
    call = call_work(LatencyConfig(agent_name="demo", windows=(OFFICE,)))
    listing = Work("agents", "agents", "", AgentsConfig(), 15)

    with freeze_time("2026-11-20 12:00:00"):
        assert asyncio.run(gate(call, "run")) == ""
    with freeze_time("2026-11-20 21:00:00"):
        assert asyncio.run(gate(call, "run")) == "window"
        assert asyncio.run(gate(listing, "run")) == ""
