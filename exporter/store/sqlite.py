"""A store in SQLite: in one file, what a single exporter keeps over restarts, kills and power cuts.

Every write is a transaction of its own, in WAL mode with `synchronous=FULL`: what has returned is
on the disk. The same tables in the process's memory serve where there is no file.
"""

import json
import sqlite3
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import astuple
from datetime import datetime, timedelta
from pathlib import Path

from filelock import FileLock

from exporter.errors import StoreError
from exporter.outcome import Calibration
from exporter.roster.types import Worker
from exporter.store.records import (
    NO_BUDGET_LIMITS,
    SPENDING_KEPT_DAYS,
    BudgetLimits,
    CalibrationRecord,
    EvidencePlace,
    OpenRun,
    Retention,
    RunQuery,
    RunRecord,
    Spending,
)
from exporter.store.schema import (
    INSERT_OPEN_RUN,
    INSERT_RUN,
    NEWEST,
    OPEN_COLUMNS,
    RUN_COLUMNS,
    Row,
    from_open_run,
    from_record,
    from_worker,
    migrate,
    to_open_run,
    to_record,
    to_time,
    to_worker,
    version_of,
)
from exporter.store.sqlite_file import (
    BUSY_TIMEOUT_S,
    FILE_NAME,
    connect,
    lock_folder,
    opened,
    translated,
)

_IN_MEMORY = Path(":memory:")
_PRUNED_AT_ONCE = 500
_INSERT_SPENT = (
    "INSERT INTO spent (target, day, turns, call_seconds, tokens) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (target, day) DO UPDATE SET"
)


def open_sqlite(folder: Path) -> "SqliteStore":
    """Open the store of a folder, made if it is not there.

    A file that is damaged is moved aside, and a new one begun.

    Raises:
        StoreInUse: Another exporter uses the folder.
        StoreError: It cannot be opened, or is of a newer program.
    """
    file = folder / FILE_NAME
    lock = lock_folder(folder)
    try:
        with translated(file):
            connection = connect(file)
    except BaseException:
        lock.release()
        raise
    return SqliteStore(connection, file, lock)


def read_sqlite(folder: Path) -> "SqliteStore":
    """Open the store of a folder to read it, while an exporter may be using it.

    Raises:
        StoreError: There is none, it cannot be read, or it is of another version of the program.
    """
    file = folder / FILE_NAME
    if not file.is_file():
        raise StoreError(f"there is no ledger in {folder}")
    with translated(file, "read"):
        address = f"{file.absolute().as_uri()}?mode=ro"
        connection = sqlite3.connect(address, uri=True, timeout=BUSY_TIMEOUT_S)
        if (version := version_of(connection)) != NEWEST:
            raise StoreError(f"{file} has version {version}; this program reads version {NEWEST}")
    return SqliteStore(connection, file)


class SqliteStore:
    """A store in a file, or in memory. Used by one thread at a time."""

    def __init__(
        self,
        connection: sqlite3.Connection | None = None,
        file: Path = _IN_MEMORY,
        lock: FileLock | None = None,
    ) -> None:
        """Take over what `open_sqlite` made; without arguments it is new, and in memory."""
        if connection is None:
            connection = opened(file)
            weakref.finalize(self, connection.close)  # nobody has to close it
            migrate(connection)
        self._connection = connection
        self._file = file
        self._lock = lock

    def identity(self) -> str:
        """Return that its data are always the same: a file loses nothing while it is open."""
        return ""

    def begin(self, run: OpenRun, limits: BudgetLimits = NO_BUDGET_LIMITS) -> bool:
        """Open a run, unless its plan is more than is left."""
        with self._writing() as sql:
            known = "SELECT 1 FROM open_runs WHERE run_id = ?"
            if sql.execute(known, (run.run_id,)).fetchone():
                return True
            if not limits.allow(self.spent_on(run.target, run.day) + run.plan):
                return False
            sql.execute(INSERT_OPEN_RUN, from_open_run(run))
            _charge(sql, run, run.plan)
            return True

    def end(self, record: RunRecord, spent: Spending | None = None) -> None:
        """Close a run and keep it."""
        with self._writing() as sql:
            run = _close(sql, record.run_id)
            if run is not None and spent is not None:
                _charge(sql, run, spent - run.plan)
            sql.execute(INSERT_RUN, from_record(record))

    def cancel(self, run_id: str) -> None:
        """Forget a run that never started."""
        with self._writing() as sql:
            run = _close(sql, run_id)
            if run is not None:
                _charge(sql, run, Spending() - run.plan)

    def open_runs(self) -> tuple[OpenRun, ...]:
        """Return the open runs, the oldest first."""
        query = f"SELECT {OPEN_COLUMNS} FROM open_runs ORDER BY started_at_seconds, run_id"  # noqa: S608
        return tuple(to_open_run(row) for row in self._read(query))

    def left_open(self) -> tuple[OpenRun, ...]:
        """Return the open runs: the file is of one exporter."""
        return self.open_runs()

    def spent(self, since_day: str) -> Mapping[tuple[str, str], Spending]:
        """Return what was spent from that day on."""
        query = "SELECT target, day, turns, call_seconds, tokens FROM spent WHERE day >= ?"
        rows = self._read(query, since_day)
        return {(target, day): Spending(*amounts) for target, day, *amounts in rows}

    def spent_on(self, target: str, day: str) -> Spending:
        """Return what was spent or is reserved on one target and day."""
        query = "SELECT turns, call_seconds, tokens FROM spent WHERE target = ? AND day = ?"
        rows = self._read(query, target, day)
        return Spending(*rows[0]) if rows else Spending()

    def restore(
        self,
        open_runs: Sequence[OpenRun],
        spent: Mapping[tuple[str, str], Spending],
        *,
        instead: bool = False,
    ) -> None:
        """Take over what another store knows; `instead` of what is known here."""
        sums = [(*key, *astuple(each)) for key, each in spent.items()]
        with self._writing() as sql:
            if instead:
                sql.execute("DELETE FROM open_runs")
                sql.execute("DELETE FROM spent")
            sql.executemany(INSERT_OPEN_RUN, map(from_open_run, open_runs))
            sql.executemany(
                f"{_INSERT_SPENT} turns = max(turns, excluded.turns), "
                "call_seconds = max(call_seconds, excluded.call_seconds), "
                "tokens = max(tokens, excluded.tokens)",
                sums,
            )

    def runs(self, query: RunQuery) -> tuple[RunRecord, ...]:
        """Return ended runs, the newest first."""
        before = (query.before.timestamp(), query.before_id) if query.before else (None, "")
        conditions: dict[str, tuple[object, ...]] = {
            "agent_name = ?": (query.agent_name,),
            "(reason IS NOT NULL) = ?": (query.failed,),
            "(started_at_seconds, run_id) < (?, ?)": before,
            "probe = ?": (query.probe,),
            "call_type = ?": (query.call_type,),
            "scenario = ?": (query.scenario,),
            # As JSON: how many there are is no part of the statement.
            "verdict IN (SELECT value FROM json_each(?))": (
                None if query.verdicts is None else json.dumps(query.verdicts),
            ),
        }
        used = {text: values for text, values in conditions.items() if values[0] is not None}
        where = " AND ".join(used) or "1"
        values = [value for each in used.values() for value in each]
        text = (
            f"SELECT {RUN_COLUMNS} FROM runs WHERE {where} "  # noqa: S608 - the conditions are ours
            "ORDER BY started_at_seconds DESC, run_id DESC LIMIT ?"
        )
        return tuple(to_record(row) for row in self._read(text, *values, query.limit))

    def run(self, run_id: str) -> RunRecord | None:
        """Return one ended run."""
        rows = self._read(f"SELECT {RUN_COLUMNS} FROM runs WHERE run_id = ?", run_id)  # noqa: S608
        return to_record(rows[0]) if rows else None

    def add_calibration(self, calibration: CalibrationRecord) -> None:
        """Keep a calibration."""
        result = calibration.result
        values = (result.floor_s, result.spread_s, result.n, result.voids)
        with self._writing() as sql:
            sql.execute(
                "INSERT OR REPLACE INTO calibrations VALUES (?, ?, ?, ?, ?)",
                (calibration.at.timestamp(), *values),
            )

    def calibrations(self, limit: int) -> tuple[CalibrationRecord, ...]:
        """Return calibrations, the newest first."""
        rows = self._read(
            "SELECT started_at_seconds, floor_s, spread_s, n, voids FROM calibrations "
            "ORDER BY started_at_seconds DESC LIMIT ?",
            limit,
        )
        return tuple(CalibrationRecord(to_time(at), Calibration(*rest)) for at, *rest in rows)

    def save_evidence(
        self, place: EvidencePlace, run_ids: Collection[str], gone: Collection[str] = ()
    ) -> None:
        """Do nothing: no other exporter would ask."""

    def evidence(self, run_id: str) -> EvidencePlace | None:
        """Return that no other exporter keeps it: the file is of one."""

    def save_workers(self, workers: Sequence[Worker]) -> None:
        """Keep the roster."""
        rows = [from_worker(each) for each in workers]
        with self._writing() as sql:
            sql.execute("DELETE FROM workers")
            sql.executemany("INSERT INTO workers VALUES (?, ?)", rows)

    def workers(self) -> tuple[Worker, ...]:
        """Return the roster."""
        rows = self._read("SELECT document FROM workers ORDER BY worker_id")
        return tuple(to_worker(document) for (document,) in rows)

    def save_ramp(self, vantage: str, document: str) -> None:
        """Keep the last ramp of a vantage."""
        with self._writing() as sql:
            sql.execute("INSERT OR REPLACE INTO ramps VALUES (?, ?)", (vantage, document))

    def forget_ramp(self, vantage: str) -> None:
        """Forget the ramp of a vantage."""
        with self._writing() as sql:
            sql.execute("DELETE FROM ramps WHERE vantage = ?", (vantage,))

    def ramps(self) -> tuple[str, ...]:
        """Return the last ramp of each vantage."""
        rows = self._read("SELECT document FROM ramps ORDER BY vantage")
        return tuple(document for (document,) in rows)

    def save_calls(self, documents: Mapping[str, str]) -> None:
        """Keep real calls."""
        # One statement, which is a transaction of its own: SQLite lets go of Python's lock in each,
        # and while the event loop is busy a thread waits for milliseconds until it has it again.
        with translated(self._file):
            self._connection.execute(
                "INSERT OR REPLACE INTO calls SELECT key, value FROM json_each(?)",
                (json.dumps(dict(documents)),),
            )

    def forget_calls(self, room_sids: Sequence[str]) -> None:
        """Forget real calls."""
        with self._writing() as sql:
            sql.executemany("DELETE FROM calls WHERE room_sid = ?", ((sid,) for sid in room_sids))

    def calls(self) -> Mapping[str, str]:
        """Return the real calls that are kept."""
        rows = self._read("SELECT room_sid, document FROM calls ORDER BY rowid")
        return dict(rows)

    def prune(self, now: datetime, retention: Retention) -> int:
        """Delete some of what is older than it is kept."""
        success_since = now.timestamp() - retention.successes_s
        failure_since = now.timestamp() - retention.failures_s
        first_day = f"{now - timedelta(days=SPENDING_KEPT_DAYS):%Y-%m-%d}"
        with self._writing() as sql:
            left = _PRUNED_AT_ONCE
            for failed, since in ((0, success_since), (1, failure_since)):
                left -= _delete_runs(sql, failed, left, since)
            (count,) = sql.execute("SELECT count(*) FROM runs").fetchone()
            for failed in (0, 1):
                gone = _delete_runs(sql, failed, min(left, count - retention.max_runs))
                left, count = left - gone, count - gone
            old = sql.execute(
                "DELETE FROM calibrations WHERE started_at_seconds < ?", (failure_since,)
            )
            sql.execute("DELETE FROM spent WHERE day < ?", (first_day,))
            return _PRUNED_AT_ONCE - left + old.rowcount

    def close(self) -> None:
        """Close it and let another exporter have the file."""
        try:
            with suppress(sqlite3.Error):
                self._connection.close()
        finally:
            if self._lock is not None:
                self._lock.release()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Do what is within in one transaction.

        Raises:
            StoreError: It was not done, or only the answer failed.
        """
        with translated(self._file):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _read(self, query: str, *values: object) -> list[Row]:
        with translated(self._file), closing(self._connection.execute(query, values)) as rows:
            return rows.fetchall()


def _charge(sql: sqlite3.Connection, run: OpenRun, amount: Spending) -> None:
    if run.target:
        sql.execute(
            f"{_INSERT_SPENT} turns = turns + excluded.turns, "
            "call_seconds = call_seconds + excluded.call_seconds, "
            "tokens = tokens + excluded.tokens",
            (run.target, run.day, *astuple(amount)),
        )


def _close(sql: sqlite3.Connection, run_id: str) -> OpenRun | None:
    """Take a run off the open ones and return it."""
    query = f"DELETE FROM open_runs WHERE run_id = ? RETURNING {OPEN_COLUMNS}"  # noqa: S608
    rows = sql.execute(query, (run_id,)).fetchall()
    return to_open_run(rows[0]) if rows else None


def _delete_runs(
    sql: sqlite3.Connection, failed: int, limit: int, since: float | None = None
) -> int:
    """Delete the oldest runs of a kind, those before a moment if one is given."""
    if limit <= 0:
        return 0
    older = "AND started_at_seconds < ?" if since is not None else ""
    values = (failed, limit) if since is None else (failed, since, limit)
    return sql.execute(
        "DELETE FROM runs WHERE rowid IN (SELECT rowid FROM runs "  # noqa: S608
        f"WHERE (reason IS NOT NULL) = ? {older} ORDER BY started_at_seconds LIMIT ?)",
        values,
    ).rowcount
