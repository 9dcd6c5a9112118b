"""The worker: its state, read from its `AgentServer` or its HTTP page, and what it uses.

Nothing here imports livekit-agents or calls into it.
"""

import json
import math
import os
import secrets
import socket
import ssl
import sys
import time
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import httpx
import psutil

_LOAD_THRESHOLD = 0.7
"""The default of livekit-agents in production, where the worker's own threshold is unknown."""
_PAGE_TIMEOUT_S = 1.0
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Pages are plain HTTP: the system's certificates would cost 40 ms of the worker's CPU to read."""
_MOST_PORTS = 16
_MOST_PAGE_BYTES = 16 * 1024
_MOST_ADDRESSES = 15


@dataclass(frozen=True, slots=True)
class WorkerState:
    """The state of a worker at one moment; the exporter calls the same a heartbeat."""

    worker_id: str
    agent_name: str
    status: Literal["idle", "busy", "full", "draining", "offline"]
    active_jobs: int | None
    load: float | None
    sdk_version: str
    http_port: int | None


@dataclass(frozen=True, slots=True)
class Cohort:
    """Which workers this one is compared with; "" is unknown."""

    version: str = ""
    """Of the user's agent."""
    region: str = ""


class Source(Protocol):
    """Where the state is read."""

    def state(self) -> WorkerState | None:
        """Return the present state; None as long as the worker takes no jobs yet. May raise."""


class ServerSource:
    """Reads an `AgentServer`. Its attributes change between releases: a missing one is unknown."""

    def __init__(self, agent_name: str, server: Any) -> None:
        self._agent_name = agent_name
        self._server = server

    def state(self) -> WorkerState | None:
        """Return the state of the server; None until LiveKit has registered it."""
        worker_id = getattr(self._server, "id", None)
        if not isinstance(worker_id, str) or worker_id in ("", "unregistered"):
            return None
        # A list that the worker's own thread changes: its length is one step.
        jobs = len(self._server.active_jobs)
        load = self._load()
        full = load is not None and load >= self._threshold()
        port = getattr(getattr(self._server, "worker_info", None), "http_port", None)
        return WorkerState(
            worker_id=worker_id,
            agent_name=self._agent_name,
            status="draining" if getattr(self._server, "draining", False) else _status(jobs, full),
            active_jobs=jobs,
            load=load,
            sdk_version=str(getattr(sys.modules.get("livekit.agents"), "__version__", "")),
            http_port=port or None,
        )

    def _load(self) -> float | None:
        load = getattr(self._server, "worker_load", getattr(self._server, "_worker_load", None))
        return float(load) if isinstance(load, int | float) and math.isfinite(load) else None

    def _threshold(self) -> float:
        """Return the load from which it takes no more jobs, which depends on how it was started."""
        threshold = getattr(self._server, "_load_threshold", _LOAD_THRESHOLD)
        if not isinstance(threshold, int | float):
            mode = "dev_default" if getattr(self._server, "_devmode", False) else "prod_default"
            threshold = getattr(threshold, mode, _LOAD_THRESHOLD)
        return float(threshold)


class PageSource:
    """Looks for the worker's HTTP page among the ports of this process, and reads it."""

    def __init__(self, agent_name: str) -> None:
        self._agent_name = agent_name
        host = "".join(char if char.isalnum() or char in ".-" else "-" for char in _host())
        # A generated id: the page does not contain LiveKit's worker id.
        self._worker_id = f"{host[:80]}-{os.getpid()}-{secrets.token_hex(4)}"
        self._address: tuple[str, int] | None = None

    def state(self) -> WorkerState | None:
        """Return the state that the page shows; None if there is no page."""
        for host, port in [self._address] if self._address else _listening():
            page = _read(host, port)
            if page is not None and str(page.get("agent_name", "")) == self._agent_name:
                self._address = host, port
                return self._state(page, port)
        self._address = None
        return None

    def _state(self, page: dict[str, object], port: int) -> WorkerState:
        jobs, load = round(_number(page, "active_jobs")), _number(page, "worker_load")
        return WorkerState(
            worker_id=self._worker_id,
            agent_name=self._agent_name,
            status=_status(jobs, load >= _LOAD_THRESHOLD),
            active_jobs=jobs,
            load=load,
            sdk_version=str(page.get("sdk_version", "")),
            http_port=port,
        )


class Usage:
    """Memory and processor time of this process and its children, the jobs."""

    def __init__(self) -> None:
        self._own = psutil.Process()
        self._spent: dict[int, float] = {}
        self._at = time.monotonic()

    def measure(self) -> tuple[int | None, float | None]:
        """Return resident bytes, and the cores used on average since the previous call.

        None is unknown: the first call has nothing to compare with, and a sandbox may hide both.
        """
        memory, spent = 0, {}
        for process in self._processes():
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    memory += process.memory_info().rss
                    spent[process.pid] = times.user + times.system
            except (psutil.Error, OSError):
                continue  # it has just ended, or is hidden
        before, self._spent = self._spent, spent
        since, self._at = self._at, time.monotonic()
        if not before or not spent or self._at <= since:
            return memory or None, None
        # A new process spent all of its time since; what an ended one spent last is lost.
        used = sum(seconds - before.get(pid, 0.0) for pid, seconds in spent.items())
        return memory, max(0.0, used) / (self._at - since)

    def _processes(self) -> list[psutil.Process]:
        try:
            return [self._own, *self._own.children(recursive=True)]
        except (psutil.Error, OSError):
            return [self._own]


def addresses() -> list[str]:
    """Return the addresses by which other hosts reach this one; none where they are hidden."""
    try:
        interfaces = psutil.net_if_addrs().values()
    except OSError:  # without netlink, as in a service that may use IP only
        return []
    found = {
        each.address: None  # a dict keeps the order of the interfaces
        for interface in interfaces
        for each in interface
        if each.family in (socket.AF_INET, socket.AF_INET6)
        and not each.address.startswith(("127.", "fe80:", "::1"))
    }
    return list(found)[:_MOST_ADDRESSES]


def _status(active_jobs: int, full: bool) -> Literal["idle", "busy", "full"]:
    if full:
        return "full"
    return "busy" if active_jobs else "idle"


def _host() -> str:
    return socket.gethostname() or "worker"


def _listening() -> list[tuple[str, int]]:
    """Return the addresses on which this process listens, as it can reach them itself."""
    connections = psutil.Process().net_connections(kind="tcp")
    found = [each.laddr for each in connections if each.status == psutil.CONN_LISTEN]
    every_interface = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - is compared
    return sorted({(every_interface.get(at.ip, at.ip), at.port) for at in found})[:_MOST_PORTS]


def _read(host: str, port: int) -> dict[str, object] | None:
    """Return a worker's page; None if there is none at that address."""
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}/worker"
    try:
        with (
            httpx.Client(timeout=_PAGE_TIMEOUT_S, trust_env=False, verify=_NO_TLS) as client,
            client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response,
        ):
            page = json.loads(_body(response)) if response.status_code == httpx.codes.OK else None
    except (httpx.HTTPError, ValueError):
        return None
    return page if isinstance(page, dict) and "sdk_version" in page else None


def _body(response: httpx.Response) -> bytes:
    """Return the body, or its beginning: another page of the process may have no end."""
    until = time.monotonic() + _PAGE_TIMEOUT_S
    body = bytearray()
    for part in response.iter_raw():
        body += part
        if len(body) > _MOST_PAGE_BYTES or time.monotonic() > until:
            break
    return bytes(body)


def _number(page: dict[str, object], key: str) -> float:
    """Return a number of the page, which leaves zeros out."""
    value = page.get(key, 0)
    return float(value) if isinstance(value, int | float) else 0.0
