"""Trouble is noticed, said once, and forgotten when it is over."""

import asyncio
import logging
import threading
import time

import pytest

from exporter.health import WEDGED_AFTER_S, Health, LoopGuard


def test_health_has_what_the_checks_said_last(caplog: pytest.LogCaptureFixture) -> None:
    """1. All is well. 2. Two checks find something. 3. It is over: each change is one line."""
    caplog.set_level(logging.INFO, "exporter.health")
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

    assert asyncio.run(story()) == "a health check failed: OSError; also this"


def test_loop_that_stands_still_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    """The loop blocks: a line that says where, then the guard acts."""
    wedged = threading.Event()

    async def stand_still() -> None:
        with LoopGuard(asyncio.get_running_loop(), on_wedged=wedged.set, step_s=0.01):
            await asyncio.sleep(0.1)
            assert not wedged.is_set()
            wedged.wait(10)

    asyncio.run(stand_still())

    assert wedged.is_set()
    first, second = caplog.records
    assert first.getMessage() == "the event loop stands still"
    assert "stand_still" in vars(first)["at"]
    assert second.levelno == logging.CRITICAL


def test_loop_that_runs_is_left_alone() -> None:
    """A loop that is only a little late, many times: the guard does nothing."""
    wedged = threading.Event()

    async def stutter() -> None:
        step_s = 0.01
        with LoopGuard(asyncio.get_running_loop(), on_wedged=wedged.set, step_s=step_s):
            for _ in range(5):
                time.sleep(step_s * WEDGED_AFTER_S / 5)  # noqa: ASYNC251 - the stutter
                await asyncio.sleep(3 * step_s)

    asyncio.run(stutter())

    assert not wedged.is_set()
