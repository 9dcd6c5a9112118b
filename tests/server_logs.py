"""Show what servers logged under the failure of a test: a section for each log, its last lines.

These are the logs below the run's folder that were written while the test ran, and those that a
process of this run which is still alive writes to, though it may have written nothing lately.
"""

import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.leaks import LOGS, Leaks

LINES = 20
MOST_LOGS = 12
"""The latest; a test that starts more than that has its cause in one of them."""
_LINE_LENGTH = 400
_TICK_S = 0.01
"""The clock of a file system may be so much behind."""


class ServerLogs:
    """A plugin of pytest."""

    def __init__(self, leaks: Leaks) -> None:
        """Begin with no test.

        Args:
            leaks: Knows the secrets, which no section shows.
        """
        self._leaks = leaks
        self._began = time.time()

    def pytest_runtest_logstart(self) -> None:
        """Note when a test begins."""
        self._began = time.time()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add the sections to the report of what failed: set-up, test or tear-down."""
        report = yield
        if report.failed:
            report.sections += self._sections(item.config)
        return report

    def _sections(self, config: pytest.Config) -> Iterator[tuple[str, str]]:
        factory = getattr(config, "_tmp_path_factory", None)
        if factory is None:
            return
        base: Path = factory.getbasetemp()
        for log in latest_logs(base, self._began - _TICK_S):
            text = log.read_text(encoding="utf-8", errors="replace")
            yield (
                f"Last lines of {log.relative_to(base)}",
                self._leaks.redacted(last_lines(text)),
            )


def latest_logs(base: Path, since: float) -> list[Path]:
    """Return the logs below a folder that are written to, the latest first.

    Args:
        base: The folder.
        since: Unix time; older ones count if a process below this one has them as its output.
    """
    open_logs = set(_outputs())
    times = {
        log: log.stat().st_mtime
        for pattern in LOGS
        for log in base.rglob(pattern)
        if log.is_file() and log.stat().st_size
    }
    found = [log for log, at in times.items() if at >= since or log.resolve() in open_logs]
    return sorted(found, key=lambda log: times[log], reverse=True)[:MOST_LOGS]


def _outputs() -> Iterator[Path]:
    """Return the files that the processes below this one write to (where /proc says it)."""
    for process in psutil.Process().children(recursive=True):
        with suppress(OSError):
            yield Path(f"/proc/{process.pid}/fd/1").readlink()


def last_lines(text: str) -> str:
    """Return the last lines of a text; long ones are cut."""
    lines = text.splitlines()
    shown = [line[:_LINE_LENGTH] for line in lines[-LINES:]]
    left_out = [f"({len(lines) - LINES} lines before)"] if len(lines) > LINES else []
    return "\n".join(left_out + shown)
