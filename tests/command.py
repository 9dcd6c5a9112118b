"""Run a command: in this process, as most tests do, or as a process of its own.

`run_here` calls `exporter.cli.main`, so a test pays for the command and not for an interpreter and
its imports. It differs from a real process in this:

- stdout and stderr are two files of this test, not pipes: their order within each is kept, and
  neither is a terminal, as with pipes. The files stand at descriptors 1 and 2, so that probe
  processes write there too.
- The exit status is what `main` returns, or what it gives to `sys.exit`; how the interpreter ends
  (a broken pipe, threads that are left, a signal that arrives late) is not seen.
- An error that the command does not handle is raised, not printed.
- Signals reach the whole of pytest: what they do is for `start`.
- A warning is an error, as in every test.
- Modules are imported once in a run, so nothing can be said about how long a start takes.
"""

import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

from exporter.server_api import Server
from tests import patience

_SETTINGS = ("VOICE_EXPORTER_", "LIVEKIT_")
_STDOUT, _STDERR = 1, 2
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def environment(server: Server | None, env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a command: no settings from outside, the server's credentials."""
    outside = {name: text for name, text in os.environ.items() if not name.startswith(_SETTINGS)}
    return outside | (credentials(server) if server else {}) | dict(env or {})


def credentials(server: Server) -> dict[str, str]:
    """Return the variables from which a command takes its server."""
    return {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }


def start(server: Server, *arguments: str) -> subprocess.Popen[str]:
    """Start a command as a process of its own, in a group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "exporter", *arguments],
        env=environment(server),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(server: Server, *arguments: str) -> tuple[int, str, list[str]]:
    """Run a command as a process to its end; return exit status, stdout and lines of stderr."""
    with start(server, *arguments) as process:
        try:
            out, err = process.communicate(timeout=patience.START_S)
        finally:
            process.kill()  # nothing if it has ended
    return process.returncode, out, err.splitlines()


def run_here(
    server: Server | None, *arguments: str, env: Mapping[str, str] | None = None
) -> tuple[int, str, list[str]]:
    """Run a command in this process; return exit status, stdout and the lines of stderr.

    Not inside an event loop: like a real process the command starts its own. It leaves this
    process as it was, and fails if the command leaves a child.

    Args:
        server: Whose credentials are in the environment; None for none.
        arguments: The command and its arguments.
        env: Further variables of the environment.
    """
    from exporter.cli import main  # noqa: PLC0415 - as late as a process does

    before = _children()
    with ExitStack() as stack:
        out, err = (stack.enter_context(_redirected(number)) for number in (_STDOUT, _STDERR))
        stack.enter_context(_environ(environment(server, env)))
        stack.enter_context(_process_state())
        try:
            status = main(arguments)
        except SystemExit as leaving:
            status = _status(leaving, err.stream)
        texts = out.written(), err.written()
    for stream, text in zip((sys.stdout, sys.stderr), texts, strict=True):
        stream.write(text)  # of the test: shown if it fails, and searched for secrets
    left = _children() - before
    assert not left, f"{arguments} left {left}"
    return status, texts[0], texts[1].splitlines()


@dataclass(frozen=True, slots=True)
class _Redirected:
    """A standard stream that goes to a file."""

    stream: IO[str]
    file: IO[bytes]

    def written(self) -> str:
        """Return what this process and its children have written."""
        self.stream.flush()
        self.file.seek(0)
        return self.file.read().decode(errors="replace")


@contextmanager
def _redirected(number: int) -> Iterator[_Redirected]:
    """Let a standard stream, and its descriptor for child processes, go to a file of its own."""
    name = {_STDOUT: "stdout", _STDERR: "stderr"}[number]
    before, kept = getattr(sys, name), os.dup(number)
    before.flush()
    buffering = 1 if number == _STDERR else -1  # as the interpreter has them without a terminal
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), number)
        try:
            with open(number, "w", buffering, encoding="utf-8", closefd=False) as stream:
                setattr(sys, name, stream)
                yield _Redirected(stream, file)
        finally:
            setattr(sys, name, before)
            os.dup2(kept, number)
            os.close(kept)


@contextmanager
def _environ(environ: Mapping[str, str]) -> Iterator[None]:
    """Have this environment and no other variable, also in processes that are started within."""
    before = dict(os.environ)
    _set_environ(environ)
    try:
        yield
    finally:
        _set_environ(before)


def _set_environ(environ: Mapping[str, str]) -> None:
    for name in os.environ.keys() - environ.keys():
        del os.environ[name]
    os.environ.update(environ)


@contextmanager
def _process_state() -> Iterator[None]:
    """Put back signal handlers and the set-up of logs; stdin is empty, as for a cron job."""
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    stdin = sys.stdin
    with _logging_of_a_process(), Path(os.devnull).open(encoding="utf-8") as nothing:
        sys.stdin = nothing
        try:
            yield
        finally:
            sys.stdin = stdin
            for number, handler in handlers.items():
                signal.signal(number, handler)


@contextmanager
def _logging_of_a_process() -> Iterator[None]:
    """Begin without handlers: those of pytest write where a command does not."""
    before = {each: (each.level, each.handlers[:], each.filters[:]) for each in _loggers()}
    root = logging.getLogger()
    root.handlers[:] = []
    root.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for each in _loggers():
            level, handlers, filters = before.get(each, (logging.NOTSET, [], []))
            each.setLevel(level)
            each.handlers[:], each.filters[:] = handlers, filters


def _loggers() -> list[logging.Logger]:
    named = logging.root.manager.loggerDict.values()
    return [logging.root, *(each for each in named if isinstance(each, logging.Logger))]


def _status(leaving: SystemExit, stderr: IO[str]) -> int:
    """Return the exit status as the interpreter does, which writes a message that is none."""
    if leaving.code is None:
        return 0
    if isinstance(leaving.code, int):
        return leaving.code
    stderr.write(f"{leaving.code}\n")
    return 1


def _children() -> set[psutil.Process]:
    """Return our own child processes, not those of servers that a fixture has started.

    The tracker of resources stays as long as the interpreter.
    """
    trackers = "multiprocessing.resource_tracker"
    found = set()
    for child in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):
            if not any(trackers in word for word in child.cmdline()):
                found.add(child)
    return found
