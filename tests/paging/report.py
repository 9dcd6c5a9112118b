"""Put what was timed at the end of a run, also of one in several processes."""

from typing import Any

import pytest

TIMING = "cause to page"
"""The property of a test's report that holds a line."""


class Timings:
    """A plugin of pytest."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the lines of a test that has ended."""
        if report.when == "call":
            self._lines += [str(value) for name, value in report.user_properties if name == TIMING]

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Print them."""
        if self._lines:
            terminalreporter.section("from cause to page")
            for line in self._lines:
                terminalreporter.line(line)
