"""The ledger and all that works by it: windows, budgets, and what a killed exporter has left."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from filelock import FileLock

from exporter.errors import StoreError, StoreInUse
from exporter.metrics.ledger import BudgetSeries, StoreSeries
from exporter.metrics.registry import Metrics
from exporter.outcome import Outcome
from exporter.run.budget import Budgets
from exporter.run.leftovers import Leftovers
from exporter.run.process import ProbeTable
from exporter.run.scheduler import Gate, Work
from exporter.run.windows import WindowGate
from exporter.settings.redis import StoreSettings
from exporter.store.buffered import BufferedStore, in_use
from exporter.store.config import StoreConfig, folder_of
from exporter.store.protocol import Store
from exporter.store.records import OpenRun, Remaining
from exporter.store.sqlite import open_sqlite
from exporter.store.sqlite_file import lock_folder

log = logging.getLogger(__name__)


class Ledger:
    """One part of the daemon: `start` before the first run, `aclose` after the last."""

    def __init__(
        self,
        config: StoreSettings,
        metrics: Metrics,
        table: ProbeTable,
        delete_rooms: Callable[[str, tuple[str, ...]], Awaitable[str]],
    ) -> None:
        """Put the parts together; nothing is opened before `start`.

        Args:
            config: Where the ledger is: in Redis, or in a file.
            metrics: What is written to.
            table: The probes.
            delete_rooms: As for `Leftovers`.
        """
        self._folder = folder_of(config)
        self.store = BufferedStore(
            _opener(config),
            StoreSeries(metrics, "redis" if config.is_shared else "sqlite"),
            retention=config.retention,
            on_left_open=self._on_left_open,
            shared=config.is_shared,
        )
        self._lock: FileLock | None = None
        self._budgets = Budgets(self.store, BudgetSeries(metrics), table)
        self._leftovers = Leftovers(delete_rooms, self.store, self._budgets.forfeit)
        self.gates: tuple[Gate, ...] = (WindowGate(),)
        self.reserve: tuple[Gate, ...] = (self._budgets.admit,)

    @property
    def problem(self) -> str:
        """Why it is not on the disk, "" when it is."""
        return self.store.problem

    async def start(self) -> None:
        """Open the store, and end what an exporter before this one has left.

        Raises:
            ConfigError: Another exporter uses the folder.
        """
        if self.store.shared:
            self._lock_folder()
        await self.store.start()

    async def aclose(self) -> None:
        """Write what waits; a call that is open now is ended by the next start."""
        self._budgets.stop()
        await self._leftovers.aclose()
        await self.store.aclose()
        if self._lock is not None:
            self._lock.release()

    def reconfigure(self, config: StoreConfig) -> None:
        """Keep runs as long as a new configuration says."""
        self.store.retention = config.retention

    def add(self, work: Work) -> None:
        """Know work that will ask the gates."""
        self._budgets.add(work)

    def remove(self, work: Work) -> None:
        """Forget it."""
        self._budgets.remove(work)

    def remaining(self, work_id: str) -> Remaining:
        """Return what is left of a work's budget today."""
        return self._budgets.remaining(work_id)

    def record(self, outcome: Outcome) -> None:
        """Put a finished run into the history, and look what a listing shows: the listener."""
        self._budgets.record(outcome)
        self._leftovers.record(outcome)

    def _on_left_open(self, runs: Sequence[OpenRun]) -> None:
        self._leftovers.take(runs)

    def _lock_folder(self) -> None:
        """Keep other exporters off the folder, in which calls are kept to be seen and heard.

        Raises:
            ConfigError: Another exporter uses it.
        """
        try:
            self._lock = lock_folder(self._folder)
        except StoreInUse as error:
            raise in_use(error) from None
        except StoreError as error:  # the ledger needs no disk; what keeps calls says so itself
            log.warning("folder is not used", extra={"error": str(error)})


def _opener(config: StoreSettings) -> Callable[[], Store] | None:
    """Return what opens the store; None where it is in memory only."""
    if not config.enabled:
        return None
    if config.is_shared:
        return config.redis.opener()
    folder = folder_of(config)
    return lambda: open_sqlite(folder)
