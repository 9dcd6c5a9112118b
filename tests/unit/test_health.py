"""Trouble is noticed, said once, and forgotten when it is over."""

import asyncio
import logging
import threading

import pytest

from exporter.daemon.health import WARNED_AFTER_S, WEDGED_AFTER_S, Health, LoopGuard
from tests.patience import WAIT_S


def test_health_has_what_the_checks_said_last(caplog: pytest.LogCaptureFixture) -> None:
    """1. All is well. 2. Two checks find something. 3. It is over: each change is one line."""
    caplog.set_level(logging.INFO, "exporter.daemon.health")
    found = ["", ""]

    async def first() -> str:
        return found[0]

    async def second() -> str:
        return found[1]

    async def story() -> None:
        health = Health((first, second))
        await health.check()
        assert health.problem == ""
        found[:] = ["no scheduler", "no pool"]
        await health.check()
        await health.check()
        assert health.problem == "no scheduler; no pool"
        found[:] = ["", ""]
        await health.check()
        assert health.problem == ""

    asyncio.run(story())

    assert [record.getMessage() for record in caplog.records] == ["not healthy", "healthy again"]


def test_check_that_raises_is_a_problem() -> None:
    """A check fails itself: that is said, and the others are asked all the same."""

    async def broken() -> str:
        raise OSError("secret detail")

    async def fine() -> str:
        return "also this"

    async def story() -> str:
        health = Health((broken, fine))
        await health.check()
        return health.problem

    assert asyncio.run(story()) == "health check failed: OSError; also this"


class Steps(threading.Event):
    """The guard's seconds: they pass when the test says so, whatever the machine is busy with."""

    def __init__(self) -> None:
        super().__init__()
        self._to_do = threading.Semaphore(0)
        self._done = threading.Semaphore(0)
        self._waiting = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for a second of the test, not for one of the clock."""
        if self._waiting:
            self._done.release()  # what followed from the step before has been done
        self._waiting = True
        assert self._to_do.acquire(timeout=WAIT_S)
        return self.is_set()

    def pass_by(self, seconds: int) -> None:
        """Let as many seconds pass, and return when the guard has drawn its conclusions."""
        for _ in range(seconds):
            self._to_do.release()
            assert self._done.acquire(timeout=WAIT_S)

    def set(self) -> None:
        """End the guard."""
        super().set()
        self._to_do.release()


def test_loop_that_stands_still_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    """The loop blocks: a line that says where, then the guard acts, once."""
    wedged: list[str] = []

    async def stand_still() -> None:
        steps = Steps()
        loop = asyncio.get_running_loop()
        with LoopGuard(loop, on_wedged=lambda: wedged.append("wedged"), end=steps):
            steps.pass_by(1)
            await asyncio.sleep(0)  # the last that the loop does
            steps.pass_by(1 + WARNED_AFTER_S - 1)
            assert caplog.records == []
            steps.pass_by(1)
            assert len(caplog.records) == 1
            steps.pass_by(WEDGED_AFTER_S - WARNED_AFTER_S - 1)
            assert wedged == []
            steps.pass_by(10)

    asyncio.run(stand_still())

    assert wedged == ["wedged"]
    first, second = caplog.records
    assert first.getMessage() == "event loop is blocked"
    assert "stand_still" in vars(first)["at"]
    assert second.levelno == logging.CRITICAL


def test_loop_that_runs_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """A loop that is nearly too late, many times: the guard does nothing."""
    wedged = threading.Event()

    async def stutter() -> None:
        steps = Steps()
        with LoopGuard(asyncio.get_running_loop(), on_wedged=wedged.set, end=steps):
            for _ in range(3 * WEDGED_AFTER_S):
                steps.pass_by(WARNED_AFTER_S)
                await asyncio.sleep(0)

    asyncio.run(stutter())

    assert not wedged.is_set()
    assert caplog.records == []


def test_a_real_guard_waits_for_its_seconds() -> None:
    """With a clock of its own it acts on a loop that stands still, too."""
    wedged = threading.Event()

    async def stand_still() -> None:
        with LoopGuard(asyncio.get_running_loop(), on_wedged=wedged.set, step_s=0.001):
            assert wedged.wait(WAIT_S)

    asyncio.run(stand_still())
