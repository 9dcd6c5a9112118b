"""The server's clock, known from the dates of its answers."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from exporter.server_api.clock import ServerClock


def _date(timestamp: float) -> str:
    return format_datetime(datetime.fromtimestamp(int(timestamp), UTC), usegmt=True)


@pytest.mark.parametrize("skew", [-3600.0, -60.5, 5.25, 86400.0])
def test_a_skewed_clock_is_corrected_to_a_second(skew: float) -> None:
    """However far apart the clocks are, the server's time is known to a second."""
    ours = 1_700_000_000.0
    clock = ServerClock(lambda: ours)
    for step in range(10):
        ours += 0.37 * step
        clock.note(_date(ours + skew))
    assert clock.now() == pytest.approx(ours + skew, abs=1)


def test_many_answers_narrow_the_difference() -> None:
    """Dates at other fractions of a second leave less room: here a tenth."""
    ours = 1_700_000_000.0
    clock = ServerClock(lambda: ours)
    for _ in range(20):
        ours += 0.95
        clock.note(_date(ours + 7.5))
    assert clock.now() == pytest.approx(ours + 7.5, abs=0.1)


def test_clocks_that_agree_are_left_alone() -> None:
    """Within the second that a date cannot tell, our own clock is exact."""
    ours = 1_700_000_000.7
    clock = ServerClock(lambda: ours)
    clock.note(_date(ours))
    assert clock.now() == ours


@pytest.mark.parametrize("date", [None, "", "soon", "Fri, 99 Nov 2026 99:99:99 GMT"])
def test_what_is_no_date_changes_nothing(date: str | None) -> None:
    """A proxy that sends none, or nonsense, leaves our own clock."""
    clock = ServerClock(lambda: 1000.0)
    clock.note(date)
    assert clock.now() == 1000.0
