"""Run a private livekit-server on free ports, with generated keys."""

import http.client
import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import yaml

from exporter.demo.livekit_binary import IMAGE, ServerProgram
from exporter.demo.processes import Child
from exporter.errors import ExporterError
from exporter.server_api import Server

_HOST = "127.0.0.1"
_ATTEMPTS = 3
READY_WITHIN_S = 30.0
_POLL_S = 0.05


class ServerStartError(ExporterError):
    """The livekit-server ended at once or did not answer in time; the message has its log."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one server."""

    signal: int
    """TCP: HTTP, WebSocket and the server API."""
    rtc_tcp: int
    """TCP: media where UDP is blocked."""
    rtc_udp: int
    """UDP: all media."""


def _dial(address: tuple[str, int], timeout_s: float) -> socket.socket:
    return socket.create_connection(address, timeout_s)


@dataclass(frozen=True, slots=True)
class Place:
    """The address of a server: by default this machine's loopback interface."""

    address: str = _HOST
    """The only address that it listens on and announces to clients."""
    entrance: tuple[str, ...] = ()
    """What to put before its command, to run it in a network namespace of its own."""
    dial: Callable[[tuple[str, int], float], socket.socket] = _dial
    """Connects to it from here: takes address and port, and a time limit in seconds."""


class LiveKitServer:
    """A livekit-server that runs from `start` to `stop`, or inside a `with` block.

    It keeps its ports and its keys over `stop` and `start`, so that clients can come back.
    """

    def __init__(
        self,
        program: ServerProgram,
        folder: Path,
        *,
        name: str = "livekit",
        place: Place | None = None,
        webhooks: str = "",
    ) -> None:
        """Prepare a server; nothing runs yet.

        Args:
            program: What to run, from `livekit_binary.find_server`.
            folder: Takes its configuration (readable only by us) and its log; must exist.
            name: Names these files, and the server in labels.
            place: Where it runs; on the loopback interface if not given.
            webhooks: URL that it sends its webhooks to; "" for none.
        """
        self._program = program
        self._webhooks = webhooks
        self._folder = folder
        self._name = name
        self._place = place or Place()
        self._key = f"API{secrets.token_hex(8)}"
        self._secret = secrets.token_urlsafe(36)
        self._ports: Ports | None = None
        self._child: Child | None = None

    @property
    def server(self) -> Server:
        """Where it is and the credentials for it."""
        if self._ports is None:
            raise RuntimeError("the server has not been started")
        url = f"ws://{self._place.address}:{self._ports.signal}"
        return Server(url=url, api_key=self._key, api_secret=self._secret, name=self._name)

    @property
    def child(self) -> Child:
        """Its process."""
        if self._child is None:
            raise RuntimeError("the server has not been started")
        return self._child

    @property
    def log(self) -> Path:
        """The file with its output."""
        return self._folder / f"{self._name}.log"

    def start(self) -> Server:
        """Start it and wait until it answers.

        Raises:
            ServerStartError: It ended or did not answer in time; the message has its last lines.
        """
        if self._ports is not None:
            self._launch(self._ports)
            return self.server
        for attempt in range(_ATTEMPTS):
            # Between asking for a free port and using it, someone else may take it: try again.
            ports = free_ports()
            try:
                self._launch(ports)
                break
            except ServerStartError:
                if attempt == _ATTEMPTS - 1:
                    raise
        return self.server

    def stop(self) -> None:
        """End it; a server that does not go in time is killed.

        It waits for its participants and five seconds for its HTTP side, but holds nothing that
        would be lost: one second is enough.
        """
        if self._child is not None:
            self._child.stop(grace_s=1.0)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _launch(self, ports: Ports) -> None:
        self._ports = ports
        config = self._configuration(ports)
        environ = {**os.environ}
        if self._program.path is None:
            environ["LIVEKIT_CONFIG"] = config
            argv = docker_command(ports, container=f"voice-exporter-{secrets.token_hex(4)}")
        else:
            file = self._folder / f"{self._name}.yaml"
            _write_private(file, config)
            argv = [*self._place.entrance, str(self._program.path), "--config", str(file)]
        self._child = Child("livekit-server", argv, log=self.log, environ=environ)
        try:
            self._wait_ready(ports.signal)
        except BaseException:
            self.stop()
            raise

    def _configuration(self, ports: Ports) -> str:
        """Return the YAML: everything on one address, no host outside is asked."""
        host = self._place.address
        rtc: dict[str, object] = {
            "tcp_port": ports.rtc_tcp,
            "udp_port": ports.rtc_udp,
            "node_ip": host,
            "use_external_ip": False,
            # Without its own, it makes every client ask public STUN servers. Nothing
            # answers there: asked at its media port, it would take no media from that client.
            "stun_servers": [f"{host}:{ports.rtc_tcp}"],
        }
        config: dict[str, object] = {
            "port": ports.signal,
            "rtc": rtc,
            "keys": {self._key: self._secret},
            "logging": {"level": "info", "json": False},
        }
        if self._webhooks:
            config["webhook"] = {"api_key": self._key, "urls": [self._webhooks]}
        if self._program.path is not None:
            config["bind_addresses"] = [host]
            rtc["enable_loopback_candidate"] = True
            rtc["ips"] = {"includes": [f"{host}/32"]}
        return yaml.safe_dump(config)

    def _wait_ready(self, port: int) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < deadline:
            if self.child.exit_code is not None:
                raise ServerStartError(self.child.obituary())
            if self._answers(port):
                return
            time.sleep(_POLL_S)
        raise ServerStartError(
            f"livekit-server did not answer on port {port} within {READY_WITHIN_S:g} s; its last "
            f"lines:\n{self.child.tail()}"
        )

    def _answers(self, port: int) -> bool:
        # http.client: what the environment says of proxies is not for this address.
        connection = http.client.HTTPConnection(self._place.address, port, timeout=1.0)
        try:
            connection.sock = self._place.dial((self._place.address, port), 1.0)
            connection.request("GET", "/")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def free_ports() -> Ports:
    """Return three ports of 127.0.0.1 that no one uses at this moment."""
    kinds = (socket.SOCK_STREAM, socket.SOCK_STREAM, socket.SOCK_DGRAM)
    sockets = [socket.socket(socket.AF_INET, kind) for kind in kinds]
    try:
        for each in sockets:
            each.bind((_HOST, 0))
        return Ports(*(int(each.getsockname()[1]) for each in sockets))
    finally:
        for each in sockets:
            each.close()


def docker_command(ports: Ports, *, container: str) -> list[str]:
    """Return the command that runs the server in docker; its configuration comes by variable."""
    published = [
        f"{_HOST}:{ports.signal}:{ports.signal}",
        f"{_HOST}:{ports.rtc_tcp}:{ports.rtc_tcp}",
        f"{_HOST}:{ports.rtc_udp}:{ports.rtc_udp}/udp",
    ]
    options = [part for each in published for part in ("--publish", each)]
    return [
        *("docker", "run", "--rm", "--name", container, "--env", "LIVEKIT_CONFIG"),
        *options,
        IMAGE,
    ]


def _write_private(file: Path, text: str) -> None:
    """Write a file that no one else may read, also not for a moment."""
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        out.write(text)
