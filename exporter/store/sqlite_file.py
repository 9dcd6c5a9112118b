"""The file of a store in SQLite: its lock, its version, damage, and errors that name it."""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from exporter.errors import StoreError, StoreInUse
from exporter.store.schema import NEWEST, migrate, version_of

log = logging.getLogger(__name__)

FILE_NAME = "ledger.db"
LOCK_NAME = "ledger.lock"
BUSY_TIMEOUT_S = 5.0
"""For another program that reads the file, such as a backup."""
_CORRUPT = frozenset({"SQLITE_CORRUPT", "SQLITE_NOTADB"})
_WORDS = {
    "SQLITE_FULL": "No space left on device",
    "SQLITE_READONLY": "Read-only file system or no permission",
    "SQLITE_CANTOPEN": "Cannot be opened",
    "SQLITE_IOERR": "Input/output error",
}
"""By the first two parts of SQLite's name of the error: what the system would say."""


def lock_folder(folder: Path) -> FileLock:
    """Take the lock of a folder, made if it is not there; it is held until its process ends.

    Raises:
        StoreInUse: Another exporter has it.
        StoreError: The folder or the file of the lock cannot be made.
    """
    with translated(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return _lock(folder)


def _lock(folder: Path) -> FileLock:
    file = folder / LOCK_NAME
    lock = FileLock(file, timeout=0, mode=0o600, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        owner = file.read_text(errors="replace").strip() or "unknown"
        raise StoreInUse(f"{folder} is used by another voice-exporter (process {owner})") from None
    with suppress(OSError):  # a full disk: only the owner's number is lost
        file.write_text(f"{os.getpid()}\n")
    return lock


def connect(file: Path) -> sqlite3.Connection:
    """Open a file that is sound, at the newest version."""
    try:
        return _prepared(file)
    except sqlite3.DatabaseError as error:
        if _name(error) not in _CORRUPT:
            raise
        _move_aside(file, str(error))
    return _prepared(file)


def _prepared(file: Path) -> sqlite3.Connection:
    file.touch(mode=0o600)  # SQLite would let everyone read what agents are called
    connection = opened(file)
    try:
        _refuse_newer(connection, file)  # before anything is written: it stays as it is
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        _check(connection)
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def opened(file: Path) -> sqlite3.Connection:
    """Open a file as it is; every statement is a transaction of its own."""
    return sqlite3.connect(
        file, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )


def _refuse_newer(connection: sqlite3.Connection, file: Path) -> None:
    if (version := version_of(connection)) > NEWEST:
        raise StoreError(
            f"{file} has version {version}, written by a newer voice-exporter; expected at most "
            f"{NEWEST}"
        )


def _check(connection: sqlite3.Connection) -> None:
    """Read the whole file for damage.

    Raises:
        sqlite3.DatabaseError: There is some.
    """
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        error = sqlite3.DatabaseError(found.splitlines()[-1])
        error.sqlite_errorname = "SQLITE_CORRUPT"
        raise error


def _move_aside(file: Path, why: str) -> None:
    aside = file.with_name(f"{file.name}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    for suffix in ("", "-wal", "-shm"):
        part = file.with_name(file.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    fields = {"file": str(file), "moved_to": str(aside), "error": why}
    log.error("store is damaged; starting a new one", extra=fields)


@contextmanager
def translated(file: Path, verb: str = "write") -> Iterator[None]:
    """Turn what SQLite and the system raise into a StoreError that names the file."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"cannot {verb} {file}: {_why(error)}") from error


def _why(error: Exception) -> str:
    kind = "_".join(_name(error).split("_")[:2])
    return _WORDS.get(kind) or getattr(error, "strerror", "") or str(error)


def _name(error: Exception) -> str:
    return str(getattr(error, "sqlite_errorname", ""))
