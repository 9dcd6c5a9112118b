"""Start a program, keep its output in a file, and end it for certain.

Every program gets a process group of its own: a Ctrl-C at the terminal reaches only us, and what
a program leaves behind can be ended with it.
"""

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path


class Child:
    """A child program, started by the constructor."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        log: Path,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Start the program.

        Args:
            name: For people, in messages.
            argv: Program and arguments; no shell is involved.
            log: File that takes its output and its errors; appended to.
            environ: Its whole environment; ours if not given.

        Raises:
            OSError: The program cannot be started.
        """
        self.name = name
        self.log = log
        self._gone = False
        with log.open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - the callers name the programs
                [str(part) for part in argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if environ is None else dict(environ),
                process_group=0,
            )

    @property
    def pid(self) -> int:
        """Its process id, which is also the id of its process group."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Its exit status, minus the signal's number if one ended it; None while it runs."""
        return self._process.poll()

    def wait(self, seconds: float) -> bool:
        """Wait at most so long for its end and return whether it has ended."""
        try:
            self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return False
        return True

    def terminate(self) -> None:
        """Ask it to end (SIGTERM); does not wait."""
        if self.exit_code is None:
            self._process.terminate()

    def stop(self, grace_s: float = 10.0) -> None:
        """Ask it to end, wait for at most `grace_s`, then kill it and all it has started."""
        self.terminate()
        self.wait(grace_s)
        self.kill()

    def kill(self) -> None:
        """Kill it and all it has started at once, as a crash would."""
        if self._gone:
            return  # its id may be another's by now
        with suppress(ProcessLookupError, PermissionError):
            # The group, not the process: a program that died may have left children.
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._gone = True

    def tail(self, lines: int = 15) -> str:
        """Return the last lines of its output, for a message about its failure."""
        text = self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def obituary(self) -> str:
        """Say that it ended, how, and with what last words."""
        return f"{self.name} ended with {describe_exit(self.exit_code)}; its last lines:\n" + (
            self.tail() or "(no output)"
        )


def describe_exit(code: int | None) -> str:
    """Word an exit status for people."""
    if code is None:
        return "no exit status (it still runs)"
    if code >= 0:
        return f"exit status {code}"
    with suppress(ValueError):
        return f"signal {signal.Signals(-code).name}"
    return f"signal {-code}"


def stop_all(children: Sequence[Child], grace_s: float = 10.0) -> None:
    """Stop several programs at once: all are asked first, and they share one time limit."""
    deadline = time.monotonic() + grace_s
    for child in children:
        child.terminate()
    for child in children:
        child.wait(deadline - time.monotonic())
    for child in children:
        child.stop(grace_s=0.0)
