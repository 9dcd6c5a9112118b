"""Writes that are acknowledged once they are done, and shared by what comes at nearly one time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable

PACE_S = 0.02
"""From the beginning of a write to the next, once several have shared one: a write costs more than
what is written, and those of a busy time share it. What comes alone, or from somebody who waits for
each answer, is written when it comes."""


class SharedWrites:
    """One write at a time, of all that has changed until it begins. Of one event loop."""

    def __init__(self, write: Callable[[frozenset[str]], Awaitable[None]]) -> None:
        """Set up.

        Args:
            write: Writes what has these ids.
        """
        self._write = write
        self._changed: set[str] = set()
        self._sharing = 0
        """How many wait for the next write to begin."""
        self._last: asyncio.Task[None] | None = None
        """The last write; until it begins it takes what has changed."""
        self._has_begun = False
        self._next_at = 0.0
        """When a write may begin, by the clock of the event loop."""

    async def keep(self, ids: Iterable[str]) -> None:
        """Write what has these ids; returns once that is done, and all that was asked for before.

        Args:
            ids: Of what has changed; none only to wait.
        """
        self._changed.update(ids)
        if self._changed:
            self._sharing += 1
            if self._last is None or self._has_begun:
                self._has_begun = False
                self._last = asyncio.create_task(self._write_after(self._last))
        if self._last is not None:
            await asyncio.shield(self._last)

    async def _write_after(self, before: asyncio.Task[None] | None) -> None:
        if before is not None and not before.done():
            await asyncio.wait((before,))
        clock = asyncio.get_running_loop().time
        if (wait_s := self._next_at - clock()) > 0:
            await asyncio.sleep(wait_s)
        self._has_begun = True
        self._next_at = clock() + PACE_S if self._sharing > 1 else 0.0
        self._sharing = 0
        changed, self._changed = self._changed, set()
        try:
            await self._write(frozenset(changed))
        except BaseException:
            self._changed |= changed  # whatever is to be kept next, takes them with it
            raise
