"""A store in a thread of its own: opened when it is asked, and anew after each failure."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from exporter.errors import StoreError
from exporter.store.protocol import Store

log = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_RETRY_S = 1.0
"""Time after a failure to the first new try; it doubles from then on."""


class StoreWatch(Protocol):
    """Shows the store's state: metrics."""

    def up(self, works: bool) -> None:
        """Note whether the store can be written."""

    def failed(self, operation: str) -> None:
        """Count an operation that failed."""


class OpenedStore:
    """Asks the store, and knows whether it works.

    Args:
        open_store: Opens the store, in the thread; None: there is none, and nobody asks.
        watch: Shows failures.
        first_retry_s: As `FIRST_RETRY_S`.
        last_retry_s: The longest time between two tries.
    """

    def __init__(
        self,
        open_store: Callable[[], Store] | None,
        watch: StoreWatch,
        first_retry_s: float,
        last_retry_s: float,
    ) -> None:
        self._open = open_store
        self._watch = watch
        self._retries_s = (first_retry_s, last_retry_s)
        self._retry_s = first_retry_s
        self._store: Store | None = None
        self._thread = ThreadPoolExecutor(1, "store")
        self.problem = ""
        """Why the last try failed, "" when it did not."""

    @property
    def is_configured(self) -> bool:
        """Whether there is a store to be opened."""
        return self._open is not None

    @property
    def is_open(self) -> bool:
        """Whether it may be read at once."""
        return self._store is not None and not self.problem

    async def ask(self, question: Callable[[Store], T]) -> T:
        """Call the store, opened if it is not.

        Raises:
            StoreError: It cannot be opened, read or written.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: question(self._opened()))

    async def wait_to_retry(self) -> None:
        """Wait, twice as long as the last time, before what failed is tried again."""
        await asyncio.sleep(self._retry_s)
        self._retry_s = min(self._retries_s[1], self._retry_s * 2)

    def failed(self, operation: str, error: StoreError) -> None:
        """Note a failure, and begin with a fresh store next time."""
        self._watch.failed(operation)
        self._watch.up(False)
        if str(error) != self.problem:
            fields = {"operation": operation, "error": str(error)}
            log.error("store failed; continuing in memory", extra=fields)
        self.problem = str(error)
        self._thread.submit(self._close)

    def works(self) -> None:
        """Note that all was written."""
        self._retry_s = self._retries_s[0]
        self._watch.up(True)
        if self.problem:
            log.info("store works again")
        self.problem = ""

    async def aclose(self, grace: float) -> None:
        """Close it, within so many seconds: a disk may not answer."""
        closing = asyncio.get_running_loop().run_in_executor(self._thread, self._close)
        await asyncio.wait([closing], timeout=grace)
        self._thread.shutdown(wait=False)

    def _opened(self) -> Store:
        """Return the store, opened if it is not; in the thread."""
        if self._store is None:
            assert self._open is not None  # noqa: S101 - nothing is written without
            self._store = self._open()
        return self._store

    def _close(self) -> None:
        store, self._store = self._store, None
        if store is not None:
            store.close()
