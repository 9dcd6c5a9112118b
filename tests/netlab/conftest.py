"""A laboratory for each test that asks for one."""

import os
from collections.abc import Iterator

import pytest

from tests.netlab.lab import NetLab, what_is_missing


@pytest.fixture(scope="session")
def laboratory_possible() -> None:
    """Skip where this machine cannot have a laboratory; under CI, opening it shall fail."""
    if (missing := what_is_missing()) and not os.environ.get("CI"):
        pytest.skip(missing)


@pytest.fixture
def lab(laboratory_possible: None) -> Iterator[NetLab]:
    """An open laboratory, whose link is a plain cable."""
    with NetLab(limit_s=180) as opened:
        yield opened
