"""What every store can do. All of it is synchronous: `BufferedStore` calls it from a thread.

A write that has returned is kept, whatever becomes of the process or the machine after it. Every
write may be repeated without harm: one that failed may have been done all the same.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from exporter.roster.types import Worker
from exporter.store.records import (
    NO_BUDGET_LIMITS,
    BudgetLimits,
    CalibrationRecord,
    EvidencePlace,
    OpenRun,
    Retention,
    RunQuery,
    RunRecord,
    Spending,
)


class Store(Protocol):
    """A ledger of runs. Every method may raise `StoreError`."""

    def identity(self) -> str:
        """Return what names its data: another name than before means that they were lost."""

    def begin(self, run: OpenRun, limits: BudgetLimits = NO_BUDGET_LIMITS) -> bool:
        """Open a run and reserve its plan, in one step.

        Args:
            run: Reserved on its own target and day.
            limits: Of that target and day.

        Returns:
            Whether it was opened: with the plan the limits hold, or it was open already.
        """

    def end(self, record: RunRecord, spent: Spending | None = None) -> None:
        """Close a run, put it into the history and settle its reservation, in one step.

        Args:
            record: The run; one that was never opened is only put into the history.
            spent: What it really cost, in place of its plan; None: all of its plan.
        """

    def cancel(self, run_id: str) -> None:
        """Forget an open run that never started, and give its reservation back."""

    def open_runs(self) -> tuple[OpenRun, ...]:
        """Return the runs that were opened and have not ended, the oldest first."""

    def left_open(self) -> tuple[OpenRun, ...]:
        """Take over the open runs whose exporter has died; each is given to one caller.

        A store of one exporter gives all that are open: whoever opens it knows its own.
        """

    def spent(self, since_day: str) -> Mapping[tuple[str, str], Spending]:
        """Return what was spent or is reserved, by target and day, from that day on."""

    def restore(
        self, open_runs: Sequence[OpenRun], spent: Mapping[tuple[str, str], Spending]
    ) -> None:
        """Take over what another store knows: its open runs, and sums that hold their plans.

        Of two sums for one day the larger is true: each store may lack what was spent while it
        could not be written, or before it was made.
        """

    def runs(self, query: RunQuery) -> tuple[RunRecord, ...]:
        """Return ended runs, the newest first."""

    def run(self, run_id: str) -> RunRecord | None:
        """Return one ended run."""

    def add_calibration(self, calibration: CalibrationRecord) -> None:
        """Keep a calibration; one that began at the same moment is replaced."""

    def calibrations(self, limit: int) -> tuple[CalibrationRecord, ...]:
        """Return calibrations, the newest first."""

    def save_evidence(
        self, place: EvidencePlace, run_ids: Collection[str], gone: Collection[str] = ()
    ) -> None:
        """Note which exporter keeps calls to be seen and heard, for the others."""

    def evidence(self, run_id: str) -> EvidencePlace | None:
        """Return which exporter keeps a call; None: none that shares this store."""

    def save_workers(self, workers: Sequence[Worker]) -> None:
        """Keep the roster as it is now, in place of the one before."""

    def workers(self) -> tuple[Worker, ...]:
        """Return the roster that was last kept."""

    def save_ramp(self, vantage: str, document: str) -> None:
        """Keep the last ramp of a vantage, in place of the one before.

        Args:
            vantage: From where.
            document: What is kept of it, as JSON.
        """

    def forget_ramp(self, vantage: str) -> None:
        """Keep no ramp of a vantage any longer."""

    def ramps(self) -> tuple[str, ...]:
        """Return the last ramp of each vantage, as JSON."""

    def save_calls(self, documents: Mapping[str, str]) -> None:
        """Keep real calls, each in place of what was kept of it.

        Args:
            documents: What is known of each, as JSON, by the id of its room's session.
        """

    def forget_calls(self, room_sids: Sequence[str]) -> None:
        """Keep these calls no longer."""

    def calls(self) -> Mapping[str, str]:
        """Return the real calls that are kept by this exporter, or by one that has died."""

    def prune(self, now: datetime, retention: Retention) -> int:
        """Delete some of what is older than it is kept, in a bounded time.

        Returns:
            How many records went; 0 when there is nothing left to delete.
        """

    def close(self) -> None:
        """Let go of it; nothing may be called after."""
