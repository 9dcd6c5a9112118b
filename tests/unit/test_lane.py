"""The queue in front of the processes: who gets the next one, and how many there are."""

import asyncio
from dataclasses import dataclass, field
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from exporter.run.lane import Lane, LaneState, PoolWatch
from exporter.run.pool import Slot
from tests import virtual_time
from tests.virtual_time import Clock


class FakeSlot:
    """A slot without a process."""

    def __init__(self) -> None:
        self.in_use = False
        self.is_closed = False

    async def aclose(self) -> None:
        """Note that it is closed."""
        assert not self.in_use
        self.is_closed = True


@dataclass(slots=True)
class Watched(PoolWatch):
    """What a lane has said of itself."""

    states: list[LaneState] = field(default_factory=list)
    waits_s: list[float] = field(default_factory=list)

    def changed(self, state: LaneState) -> None:
        """Keep it."""
        self.states.append(state)

    def waited(self, lane: str, seconds: float) -> None:
        """Keep it."""
        assert lane == "call"
        self.waits_s.append(seconds)

    def crashed(self, lane: str) -> None:
        """Never called by a lane."""
        raise AssertionError(lane)


@dataclass(frozen=True, slots=True)
class Wish:
    """A run that someone wants."""

    at_s: int
    length_s: int
    soon: bool
    alone: bool
    patience_s: int | None
    """It is given up after this; None: it waits for ever."""


@dataclass(slots=True)
class Fate:
    """What became of a run."""

    wish: Wish
    ahead: int = 0
    """How many waited before it in its own queue."""
    overtaken: int = 0
    """How many got a slot while it waited."""
    began: bool = False


@dataclass(slots=True)
class Load:
    """Runs that come to a lane, and what is true of it at any time."""

    lane: Lane
    waiting: list[Fate] = field(default_factory=list)
    running: list[Fate] = field(default_factory=list)

    async def bring(self, wish: Wish) -> Fate:
        """Let a run come at its time, wait, and end after its length."""
        await asyncio.sleep(wish.at_s)
        for _ in range(3):  # who was given a slot in this moment is to know of it
            await asyncio.sleep(0)
        fate = Fate(wish, sum(each.wish.soon is wish.soon for each in self.waiting))
        self.waiting.append(fate)
        try:
            async with asyncio.timeout(wish.patience_s) as limit:
                slot = cast("FakeSlot", await self.lane.take(alone=wish.alone, soon=wish.soon))
                limit.reschedule(None)
        except TimeoutError:
            self.waiting.remove(fate)
            return fate
        self._begin(fate, slot)
        await asyncio.sleep(wish.length_s)
        self.running.remove(fate)
        slot.in_use = False
        self.lane.give_back(cast("Slot", slot))
        return fate

    def _begin(self, fate: Fate, slot: FakeSlot) -> None:
        assert not slot.in_use
        assert not slot.is_closed
        slot.in_use = fate.began = True
        self.waiting.remove(fate)
        self.running.append(fate)
        for each in self.waiting:
            each.overtaken += 1
        assert len(self.running) == 1 or not any(each.wish.alone for each in self.running)

    async def watch(self, until_s: int) -> None:
        """See that no slot idles while someone waits, unless a run wants the lane alone."""
        await asyncio.sleep(0.5)  # between the moments in which something happens
        for _ in range(until_s):
            await asyncio.sleep(1)
            everyone = (*self.running, *self.waiting)
            if self.waiting and not any(each.wish.alone for each in everyone):
                assert self.lane.state.busy == self.lane.state.slots


WISHES = st.builds(
    Wish,
    at_s=st.integers(0, 120),
    length_s=st.integers(1, 90),
    soon=st.booleans(),
    alone=st.sampled_from((False,) * 9 + (True,)),
    patience_s=st.none() | st.integers(1, 60),
)


@given(st.lists(WISHES, max_size=25), st.integers(1, 4))
def test_nobody_starves(wishes: list[Wish], slots: int) -> None:
    """Whatever comes, a run waits for twice the runs before it in its own queue, and one, at most.

    However many of the other queue come, and however long they take.
    """

    async def story(_clock: Clock) -> list[Fate]:
        load = Load(Lane("call", lambda: cast("Slot", FakeSlot()), slots))
        watching = asyncio.create_task(load.watch(240))
        fates = await asyncio.gather(*map(load.bring, wishes))
        await watching
        assert load.lane.state == LaneState("call", slots, busy=0, waiting=0)
        return fates

    for fate in virtual_time.run(story):
        assert fate.began or fate.wish.patience_s is not None
        assert fate.overtaken <= 2 * fate.ahead + 1, fate


def test_failed_targets_and_slow_ones_go_in_turn() -> None:
    """1. Four long calls of each kind wait for one slot. Result: one of each, in turn."""

    async def story(_clock: Clock) -> list[bool]:
        lane, begun = Lane("call", lambda: cast("Slot", FakeSlot()), 1), []

        async def hold(soon: bool) -> None:
            slot = await lane.take(soon=soon)
            begun.append(soon)
            await asyncio.sleep(60)
            lane.give_back(slot)

        async with asyncio.TaskGroup() as group:
            for soon in (False,) * 5 + (True,) * 4:
                group.create_task(hold(soon))
        return begun

    assert virtual_time.run(story) == [False, *(True, False) * 4]


def test_a_lane_says_how_long_runs_waited_and_how_many_do() -> None:
    """1. Three calls of 30 s want one slot. Result: waits of 0, 30 and 60 s; two waited."""
    watched = Watched()

    async def story(_clock: Clock) -> None:
        lane = Lane("call", lambda: cast("Slot", FakeSlot()), 1, watched)

        async def hold() -> None:
            slot = await lane.take()
            await asyncio.sleep(30)
            lane.give_back(slot)

        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(hold())

    virtual_time.run(story)

    assert watched.waits_s == [0, 30, 60]
    assert max(state.waiting for state in watched.states) == 2
    assert watched.states[0] == watched.states[-1] == LaneState("call", 1, busy=0, waiting=0)


def test_a_lane_grows_at_once_and_shrinks_as_runs_end() -> None:
    """1. Two wait. 2. It grows: they begin. 3. It shrinks: nothing is ended that is in use."""
    made: list[FakeSlot] = []

    def make() -> Slot:
        made.append(FakeSlot())
        return cast("Slot", made[-1])

    async def story(_clock: Clock) -> None:
        lane = Lane("call", make, 1)
        taken = [asyncio.create_task(lane.take()) for _ in range(3)]
        await asyncio.sleep(1)
        assert lane.state == LaneState("call", 1, busy=1, waiting=2)
        lane.resize(4)
        slots = [await each for each in taken]
        assert lane.state == LaneState("call", 4, busy=3, waiting=0)
        lane.resize(1)
        await asyncio.sleep(1)
        assert lane.state == LaneState("call", 3, busy=3, waiting=0)
        assert [each.is_closed for each in made].count(True) == 1
        for slot in slots:
            lane.give_back(slot)
        await lane.aclose()
        assert lane.state == LaneState("call", 1, busy=0, waiting=0)
        assert all(each.is_closed for each in made)

    virtual_time.run(story)


def test_a_slot_that_comes_as_its_run_is_given_up_is_not_lost() -> None:
    """1. A slot is given to who waits. 2. Who waits is cancelled before it knows. Result: free."""

    async def story(_clock: Clock) -> LaneState:
        lane = Lane("call", lambda: cast("Slot", FakeSlot()), 1)
        slot = await lane.take()
        waiting = asyncio.create_task(lane.take())
        await asyncio.sleep(1)
        lane.give_back(slot)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return lane.state

    assert virtual_time.run(story) == LaneState("call", 1, busy=0, waiting=0)
