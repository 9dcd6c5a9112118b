"""Tests that want the machine for themselves get it, though several run at a time.

A call to an agent of known latency is spoiled by a load ramp beside it: the prober says so, and the
turns are void. Tests marked `whole_machine` come last, one after another in one process. The first
starts when no other test runs any more, and no other starts before it has ended.
"""

import fcntl
import os
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from xdist.remote import Producer
    from xdist.scheduler import Scheduling

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

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Put these tests last, and together."""
        alone = [item for item in items if item.get_closest_marker(MARKER)]
        for item in alone:
            item.add_marker(pytest.mark.xdist_group(MARKER))
        items[:] = [item for item in items if item not in alone] + alone

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(
        self, config: pytest.Config, log: "Producer"
    ) -> "Scheduling | None":
        """Give every process whole files, but these tests to one of them."""
        if config.getvalue("dist") != "loadgroup":
            return None
        from xdist.scheduler import LoadGroupScheduling  # noqa: PLC0415 - not where xdist is off

        class ByFileOrGroup(LoadGroupScheduling):  # type: ignore[misc]  # has no types
            def _split_scope(self, nodeid: str) -> str:
                group = str(super()._split_scope(nodeid))
                return group if group != nodeid else nodeid.split("::", 1)[0]

        return ByFileOrGroup(config, log)

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
