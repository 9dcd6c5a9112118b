"""The store's file: damage, other versions, other exporters, full disks and kills."""

import logging
import os
import random
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import psutil
import pytest

from exporter.errors import StoreError, StoreInUse
from exporter.outcome import (
    Calibration,
    CallerToken,
    Expectation,
    ExpectationOutcome,
    Finding,
    ModelUsage,
    Reason,
    Sending,
    SpeechSeconds,
    TokenDanger,
    Verdict,
)
from exporter.roster.types import Worker, WorkerStatus
from exporter.store.protocol import Store
from exporter.store.records import RunQuery, Spending
from exporter.store.schema import NEWEST
from exporter.store.sqlite import open_sqlite
from exporter.store.sqlite_file import FILE_NAME, LOCK_NAME
from tests.patience import until
from tests.unit.store.mounts import fill, remount, tiny_filesystem
from tests.unit.store.records import DAY, PLAN, ended, open_run

VERSIONS = Path(__file__).parent / "versions"


def schema_of(file: Path) -> list[str]:
    """Return every statement that the file's schema is made of."""
    with closing(sqlite3.connect(file)) as connection:
        rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
        return sorted(" ".join(text.split()) for (text,) in rows)


def test_content_outlives_the_store(tmp_path: Path) -> None:
    """What one process wrote, the next one reads."""
    with closing(open_sqlite(tmp_path / "new" / "folder")) as store:
        store.begin(open_run())
        store.end(ended("b"))
    with closing(open_sqlite(tmp_path / "new" / "folder")) as store:
        assert store.open_runs() == (open_run(),)
        assert store.runs(RunQuery()) == (ended("b"),)
        assert dict(store.spent("")) == {("t", DAY): PLAN}


def write_for_ever(store: Store) -> None:
    """Write until it fails: what SQLite has in its file already is used first."""
    for number in count():
        store.end(ended(str(number)))


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    """Names of agents and details of failures are the operator's."""
    with closing(open_sqlite(tmp_path / "state")) as store:
        store.end(ended())
        for path in ((tmp_path / "state"), *(tmp_path / "state").iterdir()):
            assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("version", range(NEWEST + 1))
def test_file_of_an_older_version_is_brought_up_to_date(tmp_path: Path, version: int) -> None:
    """Its rows stay, and its schema becomes that of a new file."""
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as connection:
        if version:
            script = (VERSIONS / f"v{version}.sql").read_text(encoding="utf-8")
            connection.executescript(script)

    with closing(open_sqlite(tmp_path)) as store:
        if version:
            (run,) = store.runs(RunQuery())
            assert (run.run_id, run.reason, run.turns[0].reason) == ("old", *[Reason.NO_REPLY] * 2)
            assert run.log == (("0.1 in room r",) if version >= 3 else ())
            assert run.loop_lag_s == (0.25 if version >= 6 else None)
            assert run.speech_s == (SpeechSeconds(2.5, 4.0) if version >= 7 else None)
            assert run.usage == ((ModelUsage("m", llm_input=9),) if version >= 8 else ())
            spent = store.spent_on("t", "2026-11-21")
            assert spent == Spending(4, 180.0, 9 if version >= 8 else 0)
            told = Expectation(1, "tool", ExpectationOutcome.MET)
            assert run.expectations == ((told,) if version >= 9 else ())
            token = CallerToken(0.25, (TokenDanger.NO_ROOM,))
            assert run.token == (token if version >= 12 else None)
            why = Finding(Verdict.FAIL, "no_reply: nothing came")
            assert run.findings == ((why,) if version >= 14 else ())
            assert run.sending == (Sending("babble", 10.0) if version >= 15 else None)
            assert [each.run_id for each in store.open_runs()] == ["open"]
            assert store.calibrations(1)[0].result == Calibration(0.094, 0.01, 10)
        known = (Worker("AW_1", "demo", WorkerStatus.IDLE),) if version >= 2 else ()
        assert store.workers() == known
        assert store.ramps() == (("{}",) if version >= 4 else ())
        assert store.calls() == ({"RM_1": "{}"} if version >= 11 else {})
        store.save_workers([])
    with closing(open_sqlite(tmp_path / "fresh")):
        pass
    assert schema_of(tmp_path / FILE_NAME) == schema_of(tmp_path / "fresh" / FILE_NAME)


def test_file_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    """One clear line; not a byte of the file is changed; the folder is free afterwards."""
    file = tmp_path / FILE_NAME
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE future (wonder)")
        connection.execute(f"PRAGMA user_version = {NEWEST + 1}")
    before = file.read_bytes()

    for _ in range(2):
        with pytest.raises(StoreError) as caught:
            open_sqlite(tmp_path)
        assert str(caught.value) == (
            f"{file} has version {NEWEST + 1}, written by a newer voice-exporter; "
            f"expected at most {NEWEST}"
        )
    assert file.read_bytes() == before


def test_step_that_fails_leaves_the_version_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1. A step breaks half way. 2. The program is corrected. Result: the step is done anew."""
    import exporter.store.schema as module  # noqa: PLC0415 - patched here only

    good = module.MIGRATIONS
    broken = (*good[:-1], (*good[-1], "CREATE NONSENSE"))
    monkeypatch.setattr(module, "MIGRATIONS", broken)
    with pytest.raises(StoreError):
        open_sqlite(tmp_path)
    monkeypatch.setattr(module, "MIGRATIONS", good)

    with closing(open_sqlite(tmp_path)) as store:
        store.save_workers([])


@pytest.mark.parametrize("damage", ["text", "cut", "page"])
def test_damaged_file_is_moved_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    """One log line says so; nothing is deleted; the new file works."""
    with closing(open_sqlite(tmp_path)) as store:
        for number in range(200):
            store.end(ended(str(number)))
    file = tmp_path / FILE_NAME
    content = file.read_bytes()
    damaged = {
        "text": b"this is no database\n" * 500,
        "cut": content[: len(content) // 2],
        "page": content[:8192] + os.urandom(8192) + content[16384:],
    }[damage]
    file.write_bytes(damaged)

    with caplog.at_level(logging.INFO), closing(open_sqlite(tmp_path)) as store:
        assert store.runs(RunQuery()) == ()
        store.end(ended("new"))

    assert [record.message for record in caplog.records] == ["store is damaged; starting a new one"]
    (aside,) = tmp_path.glob(f"{FILE_NAME}.corrupt-*")
    assert aside.read_bytes() == damaged
    with closing(open_sqlite(tmp_path)) as store:
        assert store.runs(RunQuery()) == (ended("new"),)


def test_folder_belongs_to_one_exporter(tmp_path: Path) -> None:
    """The second gets one line with the process that has it; when that ends it is free."""
    with closing(open_sqlite(tmp_path)), pytest.raises(StoreInUse) as caught:
        open_sqlite(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} is used by another voice-exporter (process {os.getpid()})"
    )
    open_sqlite(tmp_path).close()
    assert (tmp_path / LOCK_NAME).exists()


def test_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    """A file stands where the folder should be."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"^cannot write .*/file: "):
        open_sqlite(tmp_path / "file")


def test_full_disk_is_one_line_and_passes(tmp_path: Path) -> None:
    """1. The disk is full. 2. There is room again. Result: the same store goes on."""
    with tiny_filesystem(tmp_path / "disk") as disk, closing(open_sqlite(disk)) as store:
        store.end(ended("before"))
        filler = fill(disk)
        with pytest.raises(StoreError) as caught:
            write_for_ever(store)
        assert str(caught.value) == f"cannot write {disk / FILE_NAME}: No space left on device"
        assert store.run("before") == ended("before")
        filler.unlink()
        store.end(ended("after"))
        assert store.run("after") == ended("after")


def test_read_only_disk_is_one_line(tmp_path: Path) -> None:
    """A store that is open is closed without harm; it cannot be opened either."""
    with tiny_filesystem(tmp_path / "disk") as disk:
        open_sqlite(disk).close()
        remount(disk, "ro")
        with pytest.raises(StoreError) as caught:
            open_sqlite(disk)
        assert str(caught.value) == f"cannot write {disk}: Read-only file system"
        remount(disk, "rw")
        open_sqlite(disk).close()


def has_text(file: Path) -> bool:
    """Return whether anything was written to a file."""
    return file.stat().st_size > 0


def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path) -> None:
    """Twenty writers, each killed at a random moment: what they said was kept is kept.

    The sum that was spent agrees with the runs: 1 turn for each that ended, 4 for each that
    did not.
    """
    chance = random.Random(7)
    acknowledged: set[str] = set()
    begun: set[str] = set()
    argv = [sys.executable, "-m", "tests.unit.store.writer", str(tmp_path)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(argv, **pipes) as writers:
        assert writers.stdin
        assert writers.stdout
        outs = [tmp_path / f"{kill}.txt" for kill in range(20)]
        for out in outs:
            out.touch()
            writers.stdin.write(f"{out}\n")
            writers.stdin.flush()
            writer = psutil.Process(int(writers.stdout.readline()))
            until(partial(has_text, out), every_s=0.002)
            time.sleep(chance.uniform(0, 0.05))  # the moment of the kill
            writer.kill()
        writers.stdin.close()
    for out in outs:
        words = [line.split() for line in out.read_text().splitlines(keepends=False)]
        acknowledged |= {name for word, name in words if word == "ended"}
        begun |= {name for word, name in words if word == "begun"}

    with closing(open_sqlite(tmp_path)) as store:
        kept = {record.run_id for record in store.runs(RunQuery(limit=1_000_000))}
        left_open = {run.run_id for run in store.open_runs()}
        total = store.spent("")["t", DAY]

    assert len(acknowledged) >= 20
    assert acknowledged <= kept
    assert begun <= kept | left_open
    assert len(left_open) <= 20
    assert total.turns == len(kept) + len(left_open) * PLAN.turns
    assert total == Spending(total.turns, len(kept) * 10 + len(left_open) * PLAN.call_seconds)
