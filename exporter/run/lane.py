"""The slots of one kind of runs, and the queue in front of them."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from exporter.run.pool import Slot


@dataclass(frozen=True, slots=True)
class LaneState:
    """A lane as of now."""

    lane: str
    slots: int
    busy: int
    """Slots that no other run can have: all of them, where one runs alone."""
    waiting: int
    """Runs in the queue."""


class PoolWatch:
    """Is told what happens in the lanes; does nothing unless a subclass does."""

    def changed(self, state: LaneState) -> None:
        """A lane is as this says now."""

    def waited(self, lane: str, seconds: float) -> None:
        """A run got its slot, after so long."""

    def crashed(self, lane: str) -> None:
        """A process died, or had to be killed."""


@dataclass(eq=False, slots=True)
class _Waiter:
    """A run in the queue."""

    alone: bool
    slot: asyncio.Future[Slot] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Lane:
    """Slots for runs of one kind, given in turn.

    Runs wait in two queues, each served in its order: those whose last run failed, and all others.
    While runs wait in both, slots go to them in turn. So a run waits for no more than twice the
    runs before it in its own queue, and one, however many come to the other.
    """

    def __init__(
        self,
        name: str,
        make_slot: Callable[[], Slot],
        size: int,
        watch: PoolWatch | None = None,
    ) -> None:
        """Make the slots; a process is started only once a run needs it."""
        self.name = name
        self._make_slot = make_slot
        self._size = 0
        self._slots: list[Slot] = []
        self._free: list[Slot] = []
        """Last in, first out: a process that is never needed is never started."""
        self._soon: deque[_Waiter] = deque()
        self._others: deque[_Waiter] = deque()
        self._soon_was_last = False
        self._alone: Slot | None = None
        """Of the run that is under way alone."""
        self._retiring: set[asyncio.Task[None]] = set()
        self._watch = watch or PoolWatch()
        self.resize(size)

    @property
    def state(self) -> LaneState:
        """The lane as of now."""
        slots = len(self._slots)
        busy = slots if self._alone is not None else slots - len(self._free)
        return LaneState(self.name, slots, busy, len(self._soon) + len(self._others))

    def resize(self, size: int) -> None:
        """Have so many slots, at least 1; those in use that are too many go when given back."""
        self._size = size
        while len(self._slots) < size:
            slot = self._make_slot()
            self._slots.append(slot)
            self._free.insert(0, slot)
        while len(self._slots) > size and self._free:
            self._retire(self._free.pop(0))
        self._serve()

    async def take(self, *, alone: bool = False, soon: bool = False) -> Slot:
        """Wait for a slot.

        Args:
            alone: No other run of the lane is to be under way; none begins while it waits at the
                head of its queue, and until it gives the slot back.
            soon: Wait in the queue of those whose last run failed.
        """
        waiter, queue = _Waiter(alone), self._soon if soon else self._others
        began = asyncio.get_running_loop().time()
        queue.append(waiter)
        self._serve()
        try:
            slot = await waiter.slot
        except asyncio.CancelledError:
            if waiter in queue:
                queue.remove(waiter)
                self._serve()  # it may have held others back
            elif waiter.slot.done() and not waiter.slot.cancelled():
                self.give_back(waiter.slot.result())
            raise
        self._watch.waited(self.name, asyncio.get_running_loop().time() - began)
        return slot

    def take_now(self) -> Slot | None:
        """Return a free slot; None where there is none that nobody waits for."""
        if self._alone is not None or not self._free or self._next() is not None:
            return None
        slot = self._free.pop()
        self._watch.changed(self.state)
        return slot

    def give_back(self, slot: Slot) -> None:
        """Let others have a slot that was taken."""
        if self._alone is slot:
            self._alone = None
        if len(self._slots) > self._size:
            self._retire(slot)
        else:
            self._free.append(slot)
        self._serve()

    async def aclose(self) -> None:
        """Stop every process of the lane."""
        await asyncio.gather(*(slot.aclose() for slot in self._slots), *self._retiring)

    def _serve(self) -> None:
        """Give slots to those who wait, as far as there are any."""
        while (queue := self._next()) is not None:
            waiter = queue[0]
            is_free = self._alone is None and bool(self._free)
            if not is_free or (waiter.alone and len(self._free) < len(self._slots)):
                break
            queue.popleft()
            slot = self._free.pop()
            self._alone = slot if waiter.alone else None
            self._soon_was_last = queue is self._soon
            waiter.slot.set_result(slot)
        self._watch.changed(self.state)

    def _next(self) -> deque[_Waiter] | None:
        """Return the queue whose turn it is; None where nobody waits."""
        first, second = self._soon, self._others
        if self._soon_was_last:
            first, second = second, first
        for queue in (first, second):
            while queue and queue[0].slot.done():  # cancelled in this moment
                queue.popleft()
            if queue:
                return queue
        return None

    def _retire(self, slot: Slot) -> None:
        self._slots.remove(slot)
        task = asyncio.get_running_loop().create_task(slot.aclose())
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)
