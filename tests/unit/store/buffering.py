"""A buffered store that is watched, and a store that fails or is slow when it is told to."""

import threading
from collections.abc import Callable

from exporter.errors import StoreError
from exporter.store.buffered import BufferedStore
from exporter.store.protocol import Store
from exporter.store.records import NO_BUDGET_LIMITS, BudgetLimits, OpenRun, RunRecord, Spending
from exporter.store.sqlite import SqliteStore
from tests.patience import WAIT_S
from tests.unit.store.records import NOON


class Watch:
    """What was shown of the store's state."""

    def __init__(self) -> None:
        self.works: bool | None = None
        self.failures: list[str] = []

    def up(self, works: bool) -> None:
        """Note the state."""
        self.works = works

    def failed(self, operation: str) -> None:
        """Note a failure."""
        self.failures.append(operation)


class Lasting(SqliteStore):
    """A store in memory that is the same when it is opened again, as a file is."""

    def close(self) -> None:
        """Keep everything."""


class Flaky(Lasting):
    """A store that fails, or does not answer, while it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.broken = False
        self.answers = threading.Event()
        self.answers.set()

    def begin(self, run: OpenRun, limits: BudgetLimits = NO_BUDGET_LIMITS) -> bool:
        """Open a run."""
        assert self.answers.wait(WAIT_S)
        self._check()
        return super().begin(run, limits)

    def end(self, record: RunRecord, spent: Spending | None = None) -> None:
        """Close a run."""
        self._check()
        super().end(record, spent)

    def _check(self) -> None:
        if self.broken:
            raise StoreError("cannot write x: No space left on device")


def make(open_store: Callable[[], Store] | None, watch: Watch | None = None) -> BufferedStore:
    """Return a buffered store that tries again soon."""
    return BufferedStore(open_store, watch or Watch(), first_retry_s=0.02, clock=lambda: NOON)
