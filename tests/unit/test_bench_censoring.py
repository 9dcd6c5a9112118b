"""What bench/censoring.py prints of the calls that it placed."""

import io

import pytest
from rich.console import Console

from bench.calls import Call
from bench.censoring import QUICK_S, SLOW_S, interval, tell
from bench.report import Report
from exporter.outcome import Turn
from tests.unit.calls import failed, replied, void

MORE_OFTEN = "void more often after the longer wait"


def told(*calls: Call) -> tuple[list[list[str]], bool]:
    """Return the cells of each row that is printed, and whether the bound held."""
    out = io.StringIO()
    report = Report(Console(file=out, width=110))
    tell(report, calls)
    lines = out.getvalue().splitlines()
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if "│" in line]
    return rows, report.held


def test_voids_of_both_kinds_as_often_change_no_share() -> None:
    """Half of what was measured is quick, as the agent was told: the bound holds."""
    quick: tuple[Turn, ...] = (replied(0.9),) * 108 + (void(),) * 12
    slow: tuple[Turn, ...] = (replied(4.1),) * 108 + (void(),) * 12

    rows, held = told(Call(QUICK_S, quick), Call(SLOW_S, slow))

    assert held
    assert rows == [
        ["turns", "240", "", "", ""],
        ["void, of those after 0.8 s", "120", "12: 10% (6% to 17%)", "", ""],
        ["void, of those after 4 s", "120", "12: 10% (6% to 17%)", "", ""],
        [MORE_OFTEN, "240", "-8 to +8 points", "within 15 points", "yes"],
        ["failed", "240", "0", "", ""],
        ["within 1.5 s, as the agent was told", "240", "50%", "", ""],
        ["within 1.5 s, as measured", "216", "50% (43% to 57%)", "holds the told share", "yes"],
    ]


@pytest.mark.parametrize(
    ("quick_voids", "slow_voids", "n"),
    [
        pytest.param(0, 8, 20, id="none of the quick ones, two in five of the slow ones"),
        pytest.param(3, 10, 20, id="15 and 50 %"),
        pytest.param(2, 2, 20, id="too few turns to tell"),
        pytest.param(0, 0, 200, id="nothing was hindered"),
    ],
)
def test_what_shows_nothing_does_not_hold(quick_voids: int, slow_voids: int, n: int) -> None:
    """Few turns are no evidence, whatever they look like."""
    quick = (replied(0.9),) * (n - quick_voids) + (void(),) * quick_voids
    slow = (replied(4.1),) * (n - slow_voids) + (void(),) * slow_voids

    rows, held = told(Call(QUICK_S, quick), Call(SLOW_S, slow))

    assert not held
    assert rows[3][-1] == "NO"


def test_slow_turns_that_are_void_more_often_break_the_bound() -> None:
    """The agent would be read as quicker than it is; a turn that failed is told apart."""
    quick: tuple[Turn, ...] = (replied(0.9),) * 40
    slow: tuple[Turn, ...] = (replied(4.1),) * 15 + (void(),) * 24 + (failed(),)

    rows, held = told(Call(QUICK_S, quick), Call(SLOW_S, slow))

    assert not held
    assert rows[2][:3] == ["void, of those after 4 s", "40", "24: 60% (45% to 74%)"]
    assert rows[4][:3] == ["failed", "80", "1"]
    assert rows[6][-1] == "NO"


def test_nothing_measured_holds_no_bound() -> None:
    """Calls that came to nothing are no evidence."""
    rows, held = told(Call(QUICK_S, (), "no_worker: nobody"))

    assert not held
    assert rows[6][1:3] == ["0", "none (0% to 100%)"]


@pytest.mark.parametrize(
    ("hits", "n", "expected"),
    [(0, 10, (0.0, 0.278)), (5, 10, (0.237, 0.763)), (10, 10, (0.722, 1.0))],
)
def test_interval(hits: int, n: int, expected: tuple[float, float]) -> None:
    """The published values of Wilson's interval."""
    assert interval(hits, n) == pytest.approx(expected, abs=0.0005)
