"""What the tests of paging need."""

import pytest

from tests.monitoring.services import require_programs


@pytest.fixture(scope="session")
def prometheus_programs() -> None:
    """Skip where this machine lacks Prometheus or Alertmanager; under CI that is a failure."""
    require_programs()
