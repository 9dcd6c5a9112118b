"""A laboratory for each test that asks for one."""

import os
from collections.abc import Iterator

import pytest

from tests.netlab.lab import NetLab, what_is_missing


@pytest.fixture
def lab() -> Iterator[NetLab]:
    """An open laboratory, whose link is a plain cable.

    Under CI a machine that cannot have one fails; at home the tests that need it are skipped.
    """
    if (missing := what_is_missing()) and not os.environ.get("CI"):
        pytest.skip(missing)
    with NetLab(limit_s=180) as opened:
        yield opened
