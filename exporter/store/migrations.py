"""The schema of the SQLite store, as the steps that led to it.

A step is never changed once it was released: a file of any version becomes one of the newest by
the steps that it lacks. `PRAGMA user_version` counts the steps that a file has.
"""

import sqlite3

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
