"""Tests that want the machine for themselves get it, though two run at a time.

A call to an agent of known latency is spoiled by a load ramp beside it: the prober says so, and the
turns are void. A test marked `whole_machine` starts when no other test runs, and no other starts
before it has ended.
"""

import fcntl
import os
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MARKER = "whole_machine"


class WholeMachine:
    """A lock of many readers and one writer between the processes of a test run.

    Whoever wants to write holds the gate while it waits, so that new readers cannot overtake it
    for ever.
    """

    def __init__(self, folder: Path, run: str) -> None:
        """Set up.

        Args:
            folder: Where the files of the locks are.
            run: Names this test run, so that two of them do not wait for each other.
        """
        self._gate = folder / f"voice-exporter-tests-{run}.gate"
        self._machine = folder / f"voice-exporter-tests-{run}.machine"

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Run a test, with the machine shared or for itself."""
        alone = item.get_closest_marker(MARKER) is not None
        mode = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        with _locked(self._gate, mode) as gate, _locked(self._machine, mode):
            if not alone:
                fcntl.flock(gate, fcntl.LOCK_UN)
            return (yield)

    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Remove the files, at the end of the whole run."""
        if not hasattr(config, "workerinput"):
            self._gate.unlink(missing_ok=True)
            self._machine.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path, mode: int) -> Iterator[int]:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, mode)
        yield file
    finally:
        os.close(file)


def of_this_run() -> WholeMachine:
    """Return the lock that all processes of this test run share."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    return WholeMachine(Path(tempfile.gettempdir()), run)
