"""Counting runs that were not well."""

import pytest

from exporter.metrics.recorder import Streak
from exporter.outcome import Verdict

LETTERS = {"P": Verdict.PASS, "S": Verdict.SLOW, "F": Verdict.FAIL, "U": Verdict.UNKNOWN}


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ("", Streak(0, 0)),
        ("P", Streak(0, 0)),
        ("S", Streak(1, 0)),
        ("F", Streak(1, 1)),
        ("FF", Streak(2, 2)),
        ("SF", Streak(2, 1)),
        ("FS", Streak(2, 0)),
        ("FFP", Streak(0, 0)),
        ("UFU", Streak(1, 1, 1)),
        ("FUF", Streak(2, 2)),
        ("UU", Streak(0, 0, 2)),
        ("PUU", Streak(0, 0, 2)),
        ("FPF", Streak(1, 1)),
        ("SUUFUF", Streak(3, 2)),
    ],
)
def test_streaks(runs: str, expected: Streak) -> None:
    """A worse verdict counts, too; UNKNOWN breaks no other row and has its own; PASS breaks all."""
    streak = Streak()
    for letter in runs:
        streak = streak.after(LETTERS[letter])

    assert streak == expected
