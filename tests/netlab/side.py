"""One side of the link: a network namespace, and how to do things in it."""

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.netlab.forwarder import CLONE_NEWNET


@dataclass(frozen=True, slots=True)
class Side:
    """A network namespace whose only way out is the link."""

    address: str
    """Its IPv4 address."""
    namespace: Path
    """The file that stands for it, as long as the laboratory is open."""

    @property
    def entrance(self) -> tuple[str, ...]:
        """What to put before a command to run it here; it dies with the thread that started it."""
        enter = ("nsenter", f"--net={self.namespace}", "--")
        return ("setpriv", "--pdeathsig", "KILL", "--", *enter)

    def run(
        self,
        argv: Sequence[str | Path],
        *,
        limit_s: float = 60.0,
        environ: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command here to its end and return what it said.

        Args:
            argv: Program and arguments; no shell is involved.
            limit_s: It is killed after so many seconds.
            environ: Its whole environment; ours if not given.

        Raises:
            subprocess.TimeoutExpired: It did not end in time.
        """
        return subprocess.run(
            [*self.entrance, *(str(part) for part in argv)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit_s,
            env=None if environ is None else dict(environ),
            check=False,
        )

    def start(
        self, argv: Sequence[str | Path], *, environ: Mapping[str, str], errors: IO[str]
    ) -> "subprocess.Popen[str]":
        """Start a command here, with pipes to its input and output.

        Args:
            argv: Program and arguments; no shell is involved.
            environ: Its whole environment.
            errors: Takes what it says on standard error.
        """
        return subprocess.Popen(
            [*self.entrance, *(str(part) for part in argv)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=dict(environ),
        )

    def make_socket(self, kind: socket.SocketKind) -> socket.socket:
        """Return an IPv4 socket that lives here; this process itself stays where it is."""
        made: list[socket.socket] = []
        failed: list[OSError] = []

        def make() -> None:
            # A namespace belongs to a thread, a socket to the namespace that it was made in.
            try:
                self._enter()
                made.append(socket.socket(socket.AF_INET, kind))
            except OSError as error:
                failed.append(error)

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        return made[0]

    def connect(self, address: tuple[str, int], timeout_s: float) -> socket.socket:
        """Return a TCP connection from here to an address.

        Raises:
            OSError: It cannot be made in time.
        """
        connection = self.make_socket(socket.SOCK_STREAM)
        connection.settimeout(timeout_s)
        try:
            connection.connect(address)
        except OSError:
            connection.close()
            raise
        return connection

    def _enter(self) -> None:
        descriptor = os.open(self.namespace, os.O_RDONLY)
        try:
            if ctypes.CDLL(None, use_errno=True).setns(descriptor, CLONE_NEWNET):
                code = ctypes.get_errno()
                raise OSError(code, f"setns: {os.strerror(code)}")
        finally:
            os.close(descriptor)
