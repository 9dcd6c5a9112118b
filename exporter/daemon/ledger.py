"""The ledger and all that works by it: windows, budgets, and what a killed exporter has left."""

from collections.abc import Awaitable, Callable, Sequence

from exporter.metrics.ledger import BudgetSeries, StoreSeries
from exporter.metrics.registry import Metrics
from exporter.outcome import Outcome
from exporter.run.budget import Budgets
from exporter.run.leftovers import Leftovers
from exporter.run.process import ProbeTable
from exporter.run.scheduler import Gate, Work
from exporter.run.windows import WindowGate
from exporter.store.buffered import BufferedStore
from exporter.store.config import StoreConfig, folder_of
from exporter.store.records import OpenRun, Remaining
from exporter.store.sqlite import open_sqlite


class Ledger:
    """One part of the daemon: `start` before the first run, `aclose` after the last."""

    def __init__(
        self,
        config: StoreConfig,
        metrics: Metrics,
        table: ProbeTable,
        delete_rooms: Callable[[str, tuple[str, ...]], Awaitable[str]],
    ) -> None:
        """Put the parts together; nothing is opened before `start`.

        Args:
            config: Where the ledger is.
            metrics: What is written to.
            table: The probes.
            delete_rooms: As for `Leftovers`.
        """
        folder = folder_of(config)
        self.store = BufferedStore(
            (lambda: open_sqlite(folder)) if config.enabled else None,
            StoreSeries(metrics),
            retention=config.retention,
            on_left_open=self._on_left_open,
        )
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
        await self.store.start()

    async def aclose(self) -> None:
        """Write what waits; a call that is open now is ended by the next start."""
        self._budgets.stop()
        await self._leftovers.aclose()
        await self.store.aclose()

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
