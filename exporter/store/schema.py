"""The tables of the SQLite store, and records as their rows.

The schema is the steps that led to it. A step is never changed once it was released: a file of any
version becomes one of the newest by the steps that it lacks. `PRAGMA user_version` counts the
steps that a file has.
"""

import sqlite3
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from exporter.outcome import (
    Backchannel,
    CallerToken,
    CallReconnect,
    Expectation,
    Finding,
    InnerPause,
    Interruption,
    LineCounts,
    Media,
    ModelUsage,
    Reason,
    Sending,
    SpeechSeconds,
    Turn,
    Verdict,
)
from exporter.roster.types import Worker
from exporter.store.records import OpenRun, RunRecord, Spending

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        # `seconds` are Unix time: they sort, and they have no time zone.
        """
        CREATE TABLE runs (
            run_id TEXT PRIMARY KEY,
            probe TEXT NOT NULL,
            agent_name TEXT NOT NULL,
            call_type TEXT NOT NULL,
            scenario TEXT NOT NULL,
            started_at_seconds REAL NOT NULL,
            duration_s REAL NOT NULL,
            reason TEXT,
            detail TEXT NOT NULL,
            verdict TEXT NOT NULL,
            turns TEXT NOT NULL,
            time_to_agent_s REAL,
            time_to_greeting_s REAL,
            split_absent TEXT NOT NULL
        )
        """,
        "CREATE INDEX runs_by_start ON runs (started_at_seconds)",
        "CREATE INDEX runs_by_end ON runs ((reason IS NOT NULL), started_at_seconds)",
        "CREATE INDEX runs_by_agent ON runs (agent_name, started_at_seconds)",
        """
        CREATE TABLE open_runs (
            run_id TEXT PRIMARY KEY,
            probe TEXT NOT NULL,
            agent_name TEXT NOT NULL,
            call_type TEXT NOT NULL,
            scenario TEXT NOT NULL,
            started_at_seconds REAL NOT NULL,
            target TEXT NOT NULL,
            day TEXT NOT NULL,
            turns INTEGER NOT NULL,
            call_seconds REAL NOT NULL,
            room_name TEXT
        )
        """,
        """
        CREATE TABLE spent (
            target TEXT NOT NULL,
            day TEXT NOT NULL,
            turns INTEGER NOT NULL,
            call_seconds REAL NOT NULL,
            PRIMARY KEY (target, day)
        ) WITHOUT ROWID
        """,
        """
        CREATE TABLE calibrations (
            started_at_seconds REAL PRIMARY KEY,
            floor_s REAL NOT NULL,
            spread_s REAL NOT NULL,
            n INTEGER NOT NULL,
            voids INTEGER NOT NULL
        )
        """,
    ),
    ("CREATE TABLE workers (worker_id TEXT PRIMARY KEY, document TEXT NOT NULL)",),
    ("ALTER TABLE runs ADD COLUMN log TEXT NOT NULL DEFAULT '[]'",),
    ("CREATE TABLE ramps (vantage TEXT PRIMARY KEY, document TEXT NOT NULL)",),
    ("ALTER TABLE runs ADD COLUMN agents INTEGER NOT NULL DEFAULT 1",),
    ("ALTER TABLE runs ADD COLUMN loop_lag_s REAL",),
    (
        "ALTER TABLE runs ADD COLUMN speech_s TEXT NOT NULL DEFAULT 'null'",
        "ALTER TABLE runs ADD COLUMN overlap_s REAL",
        "ALTER TABLE runs ADD COLUMN media TEXT NOT NULL DEFAULT 'null'",
    ),
    (
        "ALTER TABLE runs ADD COLUMN usage TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE spent ADD COLUMN tokens INTEGER NOT NULL DEFAULT 0",
    ),
    ("ALTER TABLE runs ADD COLUMN expectations TEXT NOT NULL DEFAULT '[]'",),
    (
        "ALTER TABLE runs ADD COLUMN line TEXT NOT NULL DEFAULT 'null'",
        "ALTER TABLE runs ADD COLUMN reconnects TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE runs ADD COLUMN interruptions TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE runs ADD COLUMN backchannels TEXT NOT NULL DEFAULT '[]'",
        "ALTER TABLE runs ADD COLUMN pauses TEXT NOT NULL DEFAULT '[]'",
    ),
    ("CREATE TABLE calls (room_sid TEXT PRIMARY KEY, document TEXT NOT NULL)",),
    ("ALTER TABLE runs ADD COLUMN token TEXT NOT NULL DEFAULT 'null'",),
    ("ALTER TABLE runs ADD COLUMN fence INTEGER",),
    ("ALTER TABLE runs ADD COLUMN findings TEXT NOT NULL DEFAULT '[]'",),
    ("ALTER TABLE runs ADD COLUMN sending TEXT NOT NULL DEFAULT 'null'",),
)

NEWEST = len(MIGRATIONS)


def version_of(connection: sqlite3.Connection) -> int:
    """Return how many steps a file has."""
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file up to date; each step is done in full or not at all.

    Args:
        connection: In autocommit mode, to a file that is not newer than this program.
    """
    for number in range(version_of(connection), NEWEST):
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in MIGRATIONS[number]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number + 1}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


Row = tuple[Any, ...]

RUN_COLUMNS = ", ".join(
    each.name.replace("started_at", "started_at_seconds") for each in fields(RunRecord)
)
OPEN_COLUMNS = (
    "run_id, probe, agent_name, call_type, scenario, started_at_seconds, target, day, turns, "
    "call_seconds, room_name"
)


def _insert(table: str, columns: str) -> str:
    marks = ", ".join("?" * len(columns.split(",")))
    return f"INSERT OR REPLACE INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - our names


INSERT_RUN = _insert("runs", RUN_COLUMNS)
INSERT_OPEN_RUN = _insert("open_runs", OPEN_COLUMNS)
_DOCUMENTS: dict[str, TypeAdapter[Any]] = {
    "turns": TypeAdapter(tuple[Turn, ...]),
    "log": TypeAdapter(tuple[str, ...]),
    "expectations": TypeAdapter(tuple[Expectation, ...]),
    "speech_s": TypeAdapter(SpeechSeconds | None),
    "media": TypeAdapter(Media | None),
    "sending": TypeAdapter(Sending | None),
    "line": TypeAdapter(LineCounts | None),
    "reconnects": TypeAdapter(tuple[CallReconnect, ...]),
    "usage": TypeAdapter(tuple[ModelUsage, ...]),
    "interruptions": TypeAdapter(tuple[Interruption, ...]),
    "backchannels": TypeAdapter(tuple[Backchannel, ...]),
    "pauses": TypeAdapter(tuple[InnerPause, ...]),
    "token": TypeAdapter(CallerToken | None),
    "findings": TypeAdapter(tuple[Finding, ...]),
}
"""The columns of a run that hold JSON."""
_WORKER = TypeAdapter(Worker)


def from_record(record: RunRecord) -> Row:
    """Return the values of `RUN_COLUMNS`."""
    values = {each.name: getattr(record, each.name) for each in fields(record)}
    values["started_at"] = record.started_at.timestamp()
    for column, document in _DOCUMENTS.items():
        values[column] = document.dump_json(values[column]).decode()
    return tuple(values.values())


def to_record(row: Row) -> RunRecord:
    """Return the run of a row of `RUN_COLUMNS`."""
    values = dict(zip((each.name for each in fields(RunRecord)), row, strict=True))
    values["started_at"] = to_time(values["started_at"])
    values["reason"] = Reason(values["reason"]) if values["reason"] else None
    values["verdict"] = Verdict(values["verdict"])
    for column, document in _DOCUMENTS.items():
        values[column] = document.validate_json(values[column])
    return RunRecord(**values)


def from_open_run(run: OpenRun) -> Row:
    """Return the values of `OPEN_COLUMNS`."""
    return (
        run.run_id,
        run.probe,
        run.agent_name,
        run.call_type,
        run.scenario,
        run.started_at.timestamp(),
        run.target,
        run.day,
        run.plan.turns,
        run.plan.call_seconds,
        run.room_name,
    )


def to_open_run(row: Row) -> OpenRun:
    """Return the run of a row of `OPEN_COLUMNS`."""
    run_id, probe, agent, call_type, scenario, started_at, target, day, turns, seconds, room = row
    return OpenRun(
        run_id=run_id,
        probe=probe,
        agent_name=agent,
        call_type=call_type,
        scenario=scenario,
        started_at=to_time(started_at),
        target=target,
        day=day,
        plan=Spending(turns, seconds),
        room_name=room,
    )


def from_worker(worker: Worker) -> Row:
    """Return the id of a worker and the document with all that is known of it."""
    return worker.worker_id, _WORKER.dump_json(worker).decode()


def to_worker(document: str) -> Worker:
    """Return the worker of a document."""
    return _WORKER.validate_json(document)


def to_time(seconds: float) -> datetime:
    """Return a moment, UTC."""
    return datetime.fromtimestamp(seconds, UTC)
