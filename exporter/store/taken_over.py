"""What memory has of the store: read when it was opened, and written back where data were lost."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from exporter.store.held import Held, Write
from exporter.store.opened import OpenedStore, StoreWatch
from exporter.store.records import OpenRun
from exporter.store.sqlite import SqliteStore
from exporter.store.waiting import WaitingWrites

log = logging.getLogger(__name__)

REFRESH_S = 10.0
"""How old may be what is known here of a store that others write to as well; by the same time this
exporter is heard of there, and comes back after an outage."""
_DAYS_TAKEN_OVER = 2
"""A day of any time zone that is not over began at most so long ago."""


class TakenOver:
    """Keeps memory in step with the store.

    Args:
        memory: What is kept of the store in this process.
        store: Read, and written back to.
        watch: Shows that data were lost.
        on_left_open: As for `BufferedStore`.
        shared: As for `BufferedStore`.
        clock: The wall clock.
    """

    def __init__(
        self,
        memory: SqliteStore,
        store: OpenedStore,
        watch: StoreWatch,
        *,
        on_left_open: Callable[[Sequence[OpenRun]], None],
        shared: bool,
        clock: Callable[[], datetime],
    ) -> None:
        self._memory = memory
        self._store = store
        self._watch = watch
        self._on_left_open = on_left_open
        self._shared = shared
        self._clock = clock
        self._read_at: float | None = None
        """When it was read last, on the loop's clock; None: not since it was opened."""
        self._identity: str | None = None
        """Of the data that were last seen in the store; None: none yet."""
        self.begun: set[str] = set()
        """Runs that this exporter has under way; memory knows those of others as well."""
        self.latest: dict[tuple[str, str], Write] = {}
        """The last write of what is only ever replaced, by operation and subject."""

    def expire(self) -> None:
        """Read it anew next time: the store failed."""
        self._read_at = None

    async def update(self, waiting: WaitingWrites) -> None:
        """Read what the store knew before this process, once after each time it was opened.

        One that is shared is read every `REFRESH_S`.

        Args:
            waiting: Writes that the store does not know yet.

        Raises:
            StoreError: It cannot be read.
        """
        now = asyncio.get_running_loop().time()
        if self._read_at is not None and not (self._shared and now - self._read_at >= REFRESH_S):
            return
        since = self._since
        left, open_runs, spent, identity = await self._store.ask(
            lambda store: (
                store.left_open(),
                store.open_runs(),
                store.spent(since),
                store.identity(),  # last: what was read before it is of these data, or lost
            )
        )
        self._report_left_open(left, waiting)
        if self._identity not in (None, identity):
            await self._mend_loss()
            self._identity = identity
            return  # read again next time: others write back as well
        self._identity = identity
        if waiting:
            return  # runs have begun or ended meanwhile: when these are written
        self._memory.restore(open_runs, spent, instead=self._shared)
        self._read_at = now

    def _report_left_open(self, left: Sequence[OpenRun], waiting: WaitingWrites) -> None:
        if not self._shared:
            known = {run.run_id for run in self._memory.open_runs()}
            left = tuple(run for run in left if run.run_id not in known)
        if left and (self._shared or not waiting):  # a shared store gives each only once
            self._on_left_open(left)

    @property
    def _since(self) -> str:
        """The first day that is taken over."""
        return f"{self._clock() - timedelta(days=_DAYS_TAKEN_OVER):%Y-%m-%d}"

    async def _mend_loss(self) -> None:
        """Write back what memory holds; other exporters do the same with what they hold."""
        held = Held.of(self._memory, self.begun, self._since, tuple(self.latest.values()))
        await self._store.ask(held.write)
        self._watch.failed("lost")
        log.error(
            "store lost its data; wrote back what this exporter has in memory, the rest of the "
            "history is lost",
            extra={"runs": len(held.runs), "budgets": len(held.spent)},
        )
