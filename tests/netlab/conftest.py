"""A laboratory for each test that asks for one, and a witness of the machine."""

import os
from collections.abc import Iterator

import pytest

from tests.netlab.lab import NetLab, what_is_missing
from tests.netlab.witness import Witness


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


@pytest.fixture(scope="module", name="watching")
def _watching(laboratory_possible: None) -> Iterator[Witness]:
    with Witness() as running:
        yield running


@pytest.fixture
def witness(watching: Witness) -> Witness:
    """A witness of how late the machine is; it has begun to count with this test."""
    watching.since()
    return watching
