"""A ramp loads what calls measure: neither begins while the other is under way."""

import asyncio
from typing import cast

import pytest

from exporter.probes import PROBES
from exporter.run.lane import Lane, LaneState
from exporter.run.pool import Slot
from tests import virtual_time
from tests.virtual_time import Clock


def a_lane(slots: int = 2) -> Lane:
    """Return a lane whose slots have no processes."""
    return Lane("call", lambda: cast("Slot", object()), slots)


async def hold(lane: Lane, log: list[str], name: str, seconds: float, *, alone: bool) -> None:
    """Take a slot for some time, and note when that begins and ends."""
    slot = await lane.take(alone=alone)
    log.append(f"{name} begins")
    await asyncio.sleep(seconds)
    log.append(f"{name} ends")
    lane.give_back(slot)


def test_who_runs_alone_waits_for_others_and_others_for_it() -> None:
    """1. A call. 2. A ramp, twice. 3. Another call, with a slot free. Result: one at a time."""
    log: list[str] = []

    async def story(_clock: Clock) -> None:
        lane = a_lane()
        async with asyncio.TaskGroup() as group:
            for name in ("call", "ramp", "ramp", "call"):
                group.create_task(hold(lane, log, name, 5, alone=name == "ramp"))
                await asyncio.sleep(1)
        assert lane.state.busy == 0

    virtual_time.run(story)

    assert len(log) == 8
    begins, ends = log[::2], log[1::2]
    assert [each.removesuffix(" begins") for each in begins] == [
        each.removesuffix(" ends") for each in ends
    ]


def test_calls_still_run_side_by_side() -> None:
    """Calls of different targets do not disturb one another."""
    log: list[str] = []

    async def story(_clock: Clock) -> None:
        lane = a_lane()
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(hold(lane, log, "call", 5, alone=False))

    virtual_time.run(story)

    assert log == ["call begins"] * 2 + ["call ends"] * 2


def test_a_wait_that_is_given_up_keeps_no_slot() -> None:
    """1. A ramp waits for both slots. 2. It is cancelled. Result: the run behind it begins."""

    async def story(_clock: Clock) -> LaneState:
        lane = a_lane()
        busy = await lane.take()
        waiting = asyncio.create_task(lane.take(alone=True))
        await asyncio.sleep(1)
        behind = asyncio.create_task(lane.take())
        await asyncio.sleep(1)
        assert (lane.state.busy, lane.state.waiting) == (1, 2)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        lane.give_back(await behind)
        lane.give_back(busy)
        return lane.state

    assert virtual_time.run(story) == LaneState("call", slots=2, busy=0, waiting=0)


def test_only_loads_run_alone() -> None:
    """They share their lane with all that they would disturb."""
    assert [name for name, row in PROBES.items() if row.alone] == ["ramp", "agent_load"]
    assert {PROBES[name].lane for name in ("ramp", "agent_load")} == {PROBES["latency"].lane}
