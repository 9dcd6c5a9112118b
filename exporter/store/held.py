"""What an exporter has in memory of a store: it is written back where the store lost its data."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Self

from exporter.store.protocol import Store
from exporter.store.records import CalibrationRecord, OpenRun, RunQuery, RunRecord, Spending
from exporter.store.sqlite import SqliteStore

Write = Callable[[Store], bool | None]

_MOST = 1000
"""Runs, and calibrations."""


@dataclass(frozen=True, slots=True)
class Held:
    """A snapshot of it."""

    runs: tuple[RunRecord, ...]
    """Of this process."""
    open_runs: tuple[OpenRun, ...]
    """Of this process: who made the others writes them back, or has died."""
    spent: Mapping[tuple[str, str], Spending]
    """By target and day: what all exporters had spent when that was last read, and this one
    since."""
    calibrations: tuple[CalibrationRecord, ...]
    calls: Mapping[str, str]
    latest: tuple[Write, ...]
    """The last writes of what is only ever replaced."""

    @classmethod
    def of(
        cls, memory: SqliteStore, begun: Collection[str], since: str, latest: tuple[Write, ...]
    ) -> Self:
        """Take it.

        Args:
            memory: What is kept of the store in this process.
            begun: The runs that this process has under way.
            since: The first day whose spending still counts.
            latest: As in the attribute.
        """
        return cls(
            runs=memory.runs(RunQuery(_MOST)),
            open_runs=tuple(run for run in memory.open_runs() if run.run_id in begun),
            spent=memory.spent(since),
            calibrations=memory.calibrations(_MOST),
            calls=memory.calls(),
            latest=latest,
        )

    def write(self, store: Store) -> None:
        """Write it into a store; budgets first, so that no more is spent than is left.

        Writes that still wait add nothing to it: the runs that they begin or end are in it.

        Raises:
            StoreError: Not all of it was written; it may be written again.
        """
        store.restore(self.open_runs, self.spent)
        for run in self.runs:
            store.end(run)
        for calibration in self.calibrations:
            store.add_calibration(calibration)
        if self.calls:
            store.save_calls(self.calls)
        for write in self.latest:
            write(store)
