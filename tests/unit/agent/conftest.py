"""What the tests of this folder share."""

import threading
from collections.abc import Iterator

import pytest

from tests.patience import until
from tests.unit.agent.collector import Collector, collecting


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A running collector."""
    with collecting() as running:
        yield running


@pytest.fixture(autouse=True)
def _none_left() -> Iterator[None]:
    """Wait for the threads of a test, which would write into the log of the next one."""
    yield
    until(lambda: all(each.name != "voice-exporter" for each in threading.enumerate()))
