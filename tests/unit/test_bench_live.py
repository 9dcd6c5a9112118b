"""How bench/live_turns.py times what its callers hear, and when it has had turns enough."""

import math

import pytest

from bench.live_caller import CLOCK_PIECES, RECENT_PIECES, PieceClock
from bench.live_turns import MOST_TRIES, Estimated, Turns


def clock(*began_s: float) -> PieceClock:
    """Return a clock that has taken these."""
    found = PieceClock()
    for each in began_s:
        found.take(each)
    return found


def test_single_late_pieces_move_no_clock() -> None:
    """The stream began when the piece that was least late says so."""
    found = clock(5.0, 5.04, 5.2, *[5.001] * RECENT_PIECES)
    assert found.began_s == 5.0
    assert found.slipped_s == pytest.approx(0.001)


def test_a_stream_that_is_late_as_a_whole_has_slipped() -> None:
    """By how much, until the pieces before are forgotten."""
    found = clock(5.0, *[5.04] * RECENT_PIECES)
    assert found.slipped_s == pytest.approx(0.04)
    later = clock(5.0, *[5.04] * CLOCK_PIECES)
    assert (later.began_s, later.slipped_s) == (5.04, 0.0)


def test_after_a_gap_nothing_is_known() -> None:
    """No time is said to be past."""
    found = clock(5.0)
    found.restart()
    assert math.isinf(found.began_s)


def test_turns_without_a_truth_are_replaced_but_not_for_ever() -> None:
    """Each that is left out is one that was tried."""
    found = [Estimated("a", is_first=True, truth_s=1.0, estimate_s=1.03)]
    turns = Turns(2, found, [0.05], unanswered=1)
    assert (turns.tried, turns.is_over) == (3, False)
    turns.mixed = 2 * MOST_TRIES - 3
    assert turns.is_over
    assert turns.found[0].error_ms == pytest.approx(30.0)
