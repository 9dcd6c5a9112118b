"""A store in the process's own memory: where none is wanted, and where the file cannot be had."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice

from exporter.roster.types import Worker
from exporter.store.records import (
    NO_LIMITS,
    SPENDING_KEPT_DAYS,
    CalibrationRecord,
    Limits,
    OpenRun,
    Retention,
    RunQuery,
    RunRecord,
    Spending,
)

_PRUNED_AT_ONCE = 500


class MemoryStore:
    """A store that ends with the process."""

    def __init__(self) -> None:
        self._open: dict[str, OpenRun] = {}
        self._runs: dict[str, RunRecord] = {}
        self._spent: dict[tuple[str, str], Spending] = {}
        self._calibrations: dict[datetime, CalibrationRecord] = {}
        self._workers: tuple[Worker, ...] = ()

    def begin(self, run: OpenRun, limits: Limits = NO_LIMITS) -> bool:
        """Open a run, unless its plan is more than is left."""
        if run.run_id in self._open:
            return True
        if not limits.allow(self.spent_on(run.target, run.day) + run.plan):
            return False
        self._open[run.run_id] = run
        self._charge(run, run.plan)
        return True

    def end(self, record: RunRecord, spent: Spending | None = None) -> None:
        """Close a run and keep it."""
        run = self._open.pop(record.run_id, None)
        if run is not None and spent is not None:
            self._charge(run, spent - run.plan)
        self._runs[record.run_id] = record

    def cancel(self, run_id: str) -> None:
        """Forget a run that never started."""
        run = self._open.pop(run_id, None)
        if run is not None:
            self._charge(run, Spending() - run.plan)

    def open_runs(self) -> tuple[OpenRun, ...]:
        """Return the open runs, the oldest first."""
        return tuple(sorted(self._open.values(), key=lambda run: (run.started_at, run.run_id)))

    def spent(self, since_day: str) -> Mapping[tuple[str, str], Spending]:
        """Return what was spent from that day on."""
        return {key: spent for key, spent in self._spent.items() if key[1] >= since_day}

    def spent_on(self, target: str, day: str) -> Spending:
        """Return what was spent or is reserved on one target and day."""
        return self._spent.get((target, day), Spending())

    def restore(
        self, open_runs: Sequence[OpenRun], spent: Mapping[tuple[str, str], Spending]
    ) -> None:
        """Take over what another store knows: its open runs, and sums that hold their plans.

        Of two sums for one day the larger is true: each store may lack what was spent while it
        could not be written, or before it was made.
        """
        self._open.update((run.run_id, run) for run in open_runs)
        for key, other in spent.items():
            own = self._spent.get(key, Spending())
            seconds = max(own.call_seconds, other.call_seconds)
            self._spent[key] = Spending(max(own.turns, other.turns), seconds)

    def runs(self, query: RunQuery) -> tuple[RunRecord, ...]:
        """Return ended runs, the newest first."""
        fitting = (record for record in self._runs.values() if _fits(record, query))
        ordered = sorted(fitting, key=lambda each: (each.started_at, each.run_id), reverse=True)
        return tuple(islice(ordered, query.limit))

    def run(self, run_id: str) -> RunRecord | None:
        """Return one ended run."""
        return self._runs.get(run_id)

    def add_calibration(self, calibration: CalibrationRecord) -> None:
        """Keep a calibration."""
        self._calibrations[calibration.at] = calibration

    def calibrations(self, limit: int) -> tuple[CalibrationRecord, ...]:
        """Return calibrations, the newest first."""
        return tuple(self._calibrations[at] for at in sorted(self._calibrations)[::-1][:limit])

    def save_workers(self, workers: Sequence[Worker]) -> None:
        """Keep the roster."""
        self._workers = tuple(sorted(workers, key=lambda worker: worker.worker_id))

    def workers(self) -> tuple[Worker, ...]:
        """Return the roster."""
        return self._workers

    def prune(self, now: datetime, retention: Retention) -> int:
        """Delete some of what is older than it is kept."""
        gone = self._expired(now, retention)[:_PRUNED_AT_ONCE]
        for run_id in gone:
            del self._runs[run_id]
        since = now - timedelta(seconds=retention.failures_s)
        old = [at for at in self._calibrations if at < since][:_PRUNED_AT_ONCE]
        for at in old:
            del self._calibrations[at]
        first_day = f"{now - timedelta(days=SPENDING_KEPT_DAYS):%Y-%m-%d}"
        self._spent = {key: spent for key, spent in self._spent.items() if key[1] >= first_day}
        return len(gone) + len(old)

    def close(self) -> None:
        """Nothing is held."""

    def _charge(self, run: OpenRun, amount: Spending) -> None:
        if run.target:
            key = run.target, run.day
            self._spent[key] = self.spent_on(*key) + amount

    def _expired(self, now: datetime, retention: Retention) -> list[str]:
        """Return the runs that are too old, then those that are too many: successes first."""
        success_since = now - timedelta(seconds=retention.successes_s)
        failure_since = now - timedelta(seconds=retention.failures_s)
        expired: list[str] = []
        kept: list[str] = []
        for run_id, record in self._runs.items():
            since = success_since if record.reason is None else failure_since
            (expired if record.started_at < since else kept).append(run_id)
        many = len(kept) - retention.max_runs
        if many > 0:
            runs = self._runs
            kept.sort(key=lambda each: (runs[each].reason is not None, runs[each].started_at))
            expired += kept[:many]
        return expired


def _fits(record: RunRecord, query: RunQuery) -> bool:
    return (
        query.agent_name in (None, record.agent_name)
        and query.probe in (None, record.probe)
        and query.failed in (None, record.reason is not None)
        and (query.before is None or record.started_at < query.before)
    )
