"""The busy machine of `make test-busy` is busy while the command runs, and no longer."""

import sys
from pathlib import Path

import psutil

from tests.busy import busy, main
from tests.patience import until


def test_loops_run_until_the_block_ends() -> None:
    """Each loop uses its processor during the block, and is gone after it."""
    with busy(2) as loops:
        processes = [psutil.Process(loop.pid) for loop in loops]
        until(lambda: all(sum(each.cpu_times()[:2]) > 0.2 for each in processes))
    assert [loop.returncode for loop in loops] == [-9, -9]


def test_a_loop_ends_by_itself_at_its_limit() -> None:
    """A loop that nobody ends does not run for ever."""
    with busy(1, limit_s=0.1) as (loop,):
        assert loop.wait(60) == 0


def test_the_command_runs_and_its_status_is_returned(tmp_path: Path) -> None:
    """What the command does is done, and a failure of it is one of the whole."""
    note = tmp_path / "note"
    program = f"import sys, pathlib; pathlib.Path({str(note)!r}).touch(); sys.exit(3)"
    assert main(["--cores", "1", "--", sys.executable, "-c", program]) == 3
    assert note.exists()
