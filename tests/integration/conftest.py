"""What several files of integration tests need."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.exporters import Start, exporters


@pytest.fixture(name="start")
def _start(tmp_path: Path) -> Iterator[Start]:
    """Start exporters by the arguments of `python -m`; none is left after the test."""
    with exporters(tmp_path) as start:
        yield start
