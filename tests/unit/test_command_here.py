"""A command run in the test's own process gives what a process gives, and leaves nothing."""

import logging
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence

import click
import pytest
from rich.console import Console

import exporter.cli
from exporter.commands import once
from exporter.logs import LogSetup, configure
from exporter.server_api import Server
from tests.command import credentials, environment, run_here

SERVER = Server("ws://127.0.0.1:1", "key", "a-secret-that-must-appear-in-no-message")
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(name="command")
def _command() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Make a function the command `made-up`."""

    def become(function: Callable[[], object]) -> None:
        exporter.cli.cli.add_command(click.Command("made-up", callback=function))

    yield become
    exporter.cli.cli.commands.pop("made-up", None)


def in_a_process(*arguments: str) -> tuple[int, str, list[str]]:
    """Run a command in a process of its own, on no server."""
    done = subprocess.run(
        [sys.executable, "-m", "exporter", *arguments],
        capture_output=True,
        text=True,
        env=environment(None),
        timeout=180,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr.splitlines()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["--help"],
        [],
        ["agents", "--wrong"],
        ["agents"],
        ["config", "schema"],
    ],
    ids=" ".join,
)
def test_it_gives_what_a_process_gives(arguments: Sequence[str]) -> None:
    """Exit status, stdout and stderr are those of an interpreter of its own, to the letter."""
    assert run_here(None, *arguments) == in_a_process(*arguments)


def test_the_environment_is_the_servers(
    command: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings from outside are not seen, the server's and those given are, and all goes back."""
    monkeypatch.setenv("VOICE_EXPORTER_TOKEN", "outside")
    monkeypatch.setenv("LIVEKIT_API_KEY_FILE", "outside")
    before, seen = dict(os.environ), dict[str, str]()

    def look() -> None:
        os.environ["LEFT_BEHIND"] = "yes"
        seen.update(os.environ)

    command(look)
    assert run_here(SERVER, "made-up", env={"VOICE_EXPORTER_LOG__LEVEL": "debug"})[0] == 0
    settings = {k: v for k, v in seen.items() if k.startswith(("VOICE_EXPORTER_", "LIVEKIT_"))}
    assert settings == credentials(SERVER) | {"VOICE_EXPORTER_LOG__LEVEL": "debug"}
    assert dict(os.environ) == before


def test_both_streams_are_the_commands(command: Callable[..., None]) -> None:
    """Prints, rich, logs and children land where they do in a process; no stream is a terminal."""

    def write() -> None:
        click.echo("by click")
        Console(width=40).print("by rich")
        sys.stdout.flush()
        subprocess.run(["sh", "-c", "echo by a child; echo child >&2"], check=True)
        logging.getLogger("exporter.made_up").warning("logged")
        assert not sys.stdout.isatty()
        assert not sys.stderr.isatty()
        assert sys.stdin.read() == ""

    command(write)
    expected = (0, "by click\nby rich\nby a child\n", ["child", "logged"])
    assert run_here(SERVER, "made-up") == expected


@pytest.mark.parametrize(
    ("code", "status", "err"), [(None, 0, []), (143, 143, []), ("so sorry", 1, ["so sorry"])]
)
def test_exit_status(
    command: Callable[..., None], code: str | int | None, status: int, err: list[str]
) -> None:
    """What is given to `sys.exit` has the effect that the interpreter gives it."""
    command(lambda: sys.exit(code))
    assert run_here(SERVER, "made-up") == (status, "", err)


def test_it_leaves_nothing(command: Callable[..., None]) -> None:
    """Logging, signal handlers, streams and descriptors are as before, also after a failure."""

    async def work() -> None:
        raise OSError("broken")

    def fail() -> None:
        configure(LogSetup(level="debug"))
        logging.getLogger("exporter").addHandler(logging.NullHandler())
        once.run(work())

    def state() -> tuple[object, ...]:
        loggers = [logging.getLogger(name) for name in ("", "exporter", "livekit", "uvicorn")]
        logs = [(each.level, tuple(each.handlers), tuple(each.filters)) for each in loggers]
        files = [os.fstat(number).st_ino for number in (1, 2)]
        streams = sys.stdin, sys.stdout, sys.stderr
        return logs, [signal.getsignal(number) for number in NUMBERS], streams, files

    command(fail)
    before, descriptors = state(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - no folder
    with pytest.raises(OSError, match="broken"):
        run_here(SERVER, "made-up")
    assert state() == before
    assert len(os.listdir("/proc/self/fd")) == descriptors  # noqa: PTH208 - no folder


def test_a_child_that_is_left_is_a_failure(command: Callable[..., None]) -> None:
    """A command that ends before its children fails the test."""
    children: list[subprocess.Popen[bytes]] = []
    command(lambda: children.append(subprocess.Popen(["sleep", "600"])))
    with pytest.raises(AssertionError, match="left"):
        run_here(SERVER, "made-up")
    children[0].kill()
    children[0].wait()


def test_a_warning_is_an_error(command: Callable[..., None]) -> None:
    """As in every test: what warns does not pass unseen."""
    command(lambda: warnings.warn("old", DeprecationWarning, stacklevel=1))
    with pytest.raises(DeprecationWarning):
        run_here(SERVER, "made-up")
