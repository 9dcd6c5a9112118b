"""One Chromium for the tests of a file."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.patience import WAIT_S

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--no-sandbox",  # tests may run as root
    "--autoplay-policy=no-user-gesture-required",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium without a window; skipped where there is none, but not under CI.

    Of one file: as long as it lives, no other event loop can run in this thread.
    """
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        why = "no chromium is installed, which shows the pages"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    expect.set_options(timeout=WAIT_S * 1000)  # a machine under test may be slow
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=_FLAGS)
        yield started
        started.close()
