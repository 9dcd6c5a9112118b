"""A process at the near end of the link that answers each line by a line.

A namespace belongs to a process from its start, so what is to run there is one of its own; and as
the SDK takes seconds to import, one process serves many questions.
"""

import os
import select
import sys
import tempfile
from contextlib import suppress
from typing import Self

from exporter.server_api import Server
from tests.netlab.lab import NetLab
from tests.netlab.livekit import credentials


class Inside:
    """The process, from its start to the end of a `with` block."""

    def __init__(self, lab: NetLab, server: Server, module: str) -> None:
        """Prepare it; nothing runs yet.

        Args:
            lab: An open laboratory, at whose far end the server runs.
            server: Where it is; the process finds it by the environment.
            module: What runs, as `python -m` has it.
        """
        self._lab = lab
        self._server = server
        self._module = module

    def __enter__(self) -> Self:
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8")
        self._process = self._lab.client.start(
            [sys.executable, "-m", self._module],
            environ=os.environ | credentials(self._server),
            errors=self._errors,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._errors.close()

    def ask(self, question: str, limit_s: float) -> str:
        """Send a line and return the one that answers it.

        Raises:
            RuntimeError: The process has ended, or does not answer in time.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):  # its missing answer says so, too
            self._process.stdin.write(question + "\n")
            self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], limit_s)
        if not (line := self._process.stdout.readline() if ready else ""):
            self._process.kill()
            status = self._process.wait()
            self._errors.seek(0)
            said = self._errors.read()
            raise RuntimeError(f"{self._module} ended with status {status}:\n{said}")
        return line
