"""The failure of a test shows what servers logged, and no secret."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.leaks import MADE_UP, Leaks
from tests.server_logs import LINES, MOST_LOGS, ServerLogs, last_lines, latest_logs

_TOKEN = ("eyJhbGciOiJI", "eyJpc3MiOiJB", "c2lnbmF0dXJl")
_TESTS = f"""
import os, subprocess, sys
from pathlib import Path
import pytest

SECRET = {MADE_UP[0][:4]!r} + {MADE_UP[0][4:]!r}
TOKEN = ".".join({_TOKEN!r})

@pytest.fixture(scope="session")
def server(tmp_path_factory):
    log = tmp_path_factory.mktemp("server") / "livekit.log"
    with log.open("w") as out:
        program = "print('silent ever since', flush=True); input()"
        child = subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=out, text=True
        )
    while not log.read_text():
        pass
    with child:
        yield child
        child.communicate("\\n")

def test_that_passes(server, tmp_path):
    log = tmp_path / "other.log"
    log.write_text("of another test")
    os.utime(log, (1, 1))  # which was long ago

def test_that_fails(server, tmp_path):
    lines = [f"line {{number}}" for number in range(1, 31)]
    (tmp_path / "worker.log").write_text("\\n".join(lines))
    refused = f"invalid token: {{TOKEN}}, error: signature is invalid"
    (tmp_path / "livekit.log").write_text(f"secret={{SECRET}}\\n{{refused}}\\n")
    assert False
"""


def _run(folder: Path) -> str:
    """Run the tests above, with our own plugins; return what pytest prints."""
    tests = folder / "test_inner.py"
    tests.write_text(_TESTS)
    argv = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider"]
    options = ["-c", os.devnull, "--rootdir", str(folder), "--basetemp", str(folder / "base")]
    done = subprocess.run(
        [*argv, *options, str(tests)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 1, done.stdout
    return done.stdout


def test_a_failure_shows_the_logs_of_its_servers() -> None:
    """1. A test fails beside a silent server, having started others. 2. One passed before it.

    Result: the last lines of each of its servers are shown, of no other, and no secret in them.
    """
    # Not in this run's own folder: its search would find the secret there.
    with TemporaryDirectory(prefix="server-logs-") as name:
        shown = _run(Path(name))

    failure = shown.partition("= FAILURES =")[2].partition("secrets in output")[0]
    assert "Last lines of server0/livekit.log" in failure
    assert "silent ever since" in failure
    of_worker = failure.partition("/worker.log")[2].splitlines()[1:]
    assert of_worker[: LINES + 1] == [
        "(10 lines before)",
        *(f"line {number}" for number in range(11, 31)),
    ]
    assert "secret=(redacted)" in failure
    assert "invalid token: (redacted), error" in failure
    assert "of another test" not in failure
    assert MADE_UP[0] not in shown


def test_what_was_redacted_is_searched_for_all_the_same(tmp_path: Path) -> None:
    """Redacting a log for people does not hide its secret from the search."""
    leaks = Leaks(("planted-" + "secret",))
    log = tmp_path / "run.log"
    log.write_text("key=planted-" + "secret")

    assert leaks.redacted(log.read_text()) == "key=(redacted)"
    leaks.look_at_files(tmp_path)

    log.unlink()  # or this run's own search finds it
    assert len(leaks.found) == 1


def test_of_many_logs_the_latest_are_shown(tmp_path: Path) -> None:
    """A test that starts a fleet does not fill the screen; what is empty or old is left out."""
    for number in range(MOST_LOGS + 3):
        log = tmp_path / f"{number}.log"
        log.write_text("a line")
        os.utime(log, (1000 + number, 1000 + number))
    (tmp_path / "empty.log").touch()

    found = [log.name for log in latest_logs(tmp_path, since=1000)]

    assert found == [f"{number}.log" for number in range(MOST_LOGS + 2, 2, -1)]
    assert latest_logs(tmp_path, since=2000) == []


def test_long_lines_are_cut() -> None:
    """One line of a megabyte is none that anybody reads."""
    assert len(last_lines("x" * 1_000_000)) < 1000


def test_it_is_on(request: pytest.FixtureRequest) -> None:
    """This run itself shows logs."""
    assert isinstance(request.config.pluginmanager.get_plugin("server_logs"), ServerLogs)
