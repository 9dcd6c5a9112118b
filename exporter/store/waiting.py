"""The writes that wait for a store, in their order."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from exporter.errors import StoreError
from exporter.store.protocol import Store

MAX_WAITING = 10_000
"""Writes that wait for a store that fails; the oldest go first."""


@dataclass(slots=True, eq=False)
class WaitingWrite:
    """One write, and who waits for it."""

    operation: str
    first: Callable[[Store], bool | None]
    again: Callable[[Store], bool | None]
    """The same without limits: after a failure nobody waits for the answer."""
    answer: asyncio.Future[bool | None]
    """None: the store did not answer."""
    subject: str = ""
    """What is written, where a later write of it takes the place of this one."""

    def settle(self, answer: bool | None) -> None:
        """Answer who waits, if somebody still does."""
        if not self.answer.done():
            self.answer.set_result(answer)


class WaitingWrites:
    """A queue that forgets its oldest writes when it is full.

    Args:
        on_lost: Called with the operation of a write that is forgotten.
    """

    def __init__(self, on_lost: Callable[[str], None]) -> None:
        self._on_lost = on_lost
        self._writes: deque[WaitingWrite] = deque()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """How many wait."""
        return len(self._writes)

    @property
    def operation(self) -> str | None:
        """Of the write whose turn it is; None where none waits."""
        return self._writes[0].operation if self._writes else None

    def add(self, write: WaitingWrite) -> None:
        """Put a write at the end."""
        self._writes.append(write)
        if len(self._writes) > MAX_WAITING:
            self._on_lost(self._writes.popleft().operation)
        self._changed.set()

    def forget(self, operation: str, subject: str) -> None:
        """Forget the writes whose place a later one takes."""
        self._writes = deque(
            each for each in self._writes if (each.operation, each.subject) != (operation, subject)
        )

    async def wait(self, timeout_s: float) -> None:
        """Wait for a write, or for `give_up`, no longer than that."""
        self._changed.clear()
        # Not `wait_for`, which in Python 3.11 may swallow the cancelling at the end.
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()

    def give_up(self) -> None:
        """Let nobody wait for the store any longer: it fails."""
        self._changed.set()
        for item in self._writes:
            item.first = item.again
            item.settle(None)

    async def write_all(
        self, write: Callable[[Callable[[Store], bool | None]], Awaitable[bool | None]]
    ) -> None:
        """Write what waits, in its order.

        Raises:
            StoreError: The first write that failed; it waits on.
        """
        while self._writes:
            item = self._writes[0]
            try:
                answer = await write(item.first)
            except (StoreError, asyncio.CancelledError):
                raise
            except Exception:
                self._drop(item)  # or it would fail for ever
                item.settle(None)
                raise
            self._drop(item)
            item.settle(answer)

    def _drop(self, item: WaitingWrite) -> None:
        """Let a write wait no more; others may have come or gone while it was done."""
        if self._writes and self._writes[0] is item:
            self._writes.popleft()
