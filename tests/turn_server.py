"""A real TURN server, coturn, on free ports of this host."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.demo.livekit_server import free_ports
from tests.certificates import Certificates
from tests.patience import START_S, until

PROGRAM = "turnserver"
HOST, USER, PASSWORD = "127.0.0.1", "caller", "of-tests"


def require_turn() -> None:
    """Skip where this machine lacks coturn; under CI that is a failure."""
    if shutil.which(PROGRAM) is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("coturn is not installed")


@dataclass(frozen=True, slots=True)
class TurnServer:
    """Where it is, and what it writes."""

    udp_port: int
    tls_port: int
    log: Path

    @property
    def offered(self) -> list[dict[str, object]]:
        """How a livekit-server offers it to clients: `rtc.turn_servers` of its configuration."""
        ports = {"udp": self.udp_port, "tls": self.tls_port}
        known = {"host": HOST, "username": USER, "credential": PASSWORD}
        return [{**known, "port": port, "protocol": name} for name, port in ports.items()]


@contextmanager
def turn_server(folder: Path, certificates: Certificates) -> Iterator[TurnServer]:
    """Run one that relays to this host, by UDP and TLS, until the block ends."""
    cert, key = certificates.issue("turn", f"IP:{HOST}")
    ports = free_ports()
    server = TurnServer(ports.rtc_udp, ports.rtc_tcp, folder / "turn.log")
    argv = [PROGRAM, "-n", "--no-cli", "--no-dtls", "--lt-cred-mech", "--allow-loopback-peers"]
    argv += [f"--listening-ip={HOST}", f"--relay-ip={HOST}", "--realm=tests", "--log-file=stdout"]
    argv += [f"--listening-port={server.udp_port}", f"--tls-listening-port={server.tls_port}"]
    argv += [f"--user={USER}:{PASSWORD}", f"--cert={cert}", f"--pkey={key}", "--verbose"]
    argv += [f"--pidfile={folder / 'turn.pid'}", f"--userdb={folder / 'turn.db'}"]
    with server.log.open("wb") as log, subprocess.Popen(argv, stdout=log, stderr=log) as process:
        try:
            until(lambda: _listens(server.tls_port), START_S, PROGRAM)
            yield server
        finally:
            process.kill()


def _listens(port: int) -> bool:
    with socket.socket() as dialled:
        return dialled.connect_ex((HOST, port)) == 0
