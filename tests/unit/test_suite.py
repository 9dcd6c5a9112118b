"""The suite itself: what its lists name is there."""

from pathlib import Path

from tests.conftest import LONGEST_FIRST


def test_the_longest_files_exist() -> None:
    """A file that is renamed keeps its place in the order."""
    tests = Path(__file__).parents[1]
    assert [file for file in LONGEST_FIRST if not (tests / file).is_file()] == []
