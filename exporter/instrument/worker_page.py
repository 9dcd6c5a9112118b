"""What the worker's own HTTP page tells, where nobody hands in its `AgentServer`."""

import json
import os
import secrets
import socket
import ssl
import time

import httpx
import psutil

from exporter.instrument.report import Facts, status_of

_LOAD_THRESHOLD = 0.7
"""Of livekit-agents in production; the page does not tell the worker's own."""
_TIMEOUT_S = 1.0
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Pages are plain HTTP: the system's certificates would cost 40 ms of the worker's CPU to read."""
_MOST_PORTS = 16
_MOST_BYTES = 16 * 1024


class WorkerPages:
    """Looks for the page among the ports of this process, and reads it."""

    def __init__(self, agent_name: str) -> None:
        self._agent_name = agent_name
        host = "".join(char if char.isalnum() or char in ".-" else "-" for char in _host())
        # Its own name: the page does not tell the id that LiveKit gave it.
        self._worker_id = f"{host[:80]}-{os.getpid()}-{secrets.token_hex(4)}"
        self._place: tuple[str, int] | None = None

    def facts(self) -> Facts | None:
        """Return what the page tells; None if there is none."""
        for address, port in [self._place] if self._place else _listening():
            told = _read(address, port)
            if told is not None and str(told.get("agent_name", "")) == self._agent_name:
                self._place = address, port
                return self._facts(told, port)
        self._place = None
        return None

    def _facts(self, told: dict[str, object], port: int) -> Facts:
        jobs, load = _number(told, "active_jobs"), _number(told, "worker_load")
        return Facts(
            worker_id=self._worker_id,
            agent_name=self._agent_name,
            status=status_of(round(jobs), full=load >= _LOAD_THRESHOLD),
            active_jobs=round(jobs),
            load=load,
            sdk_version=str(told.get("sdk_version", "")),
            http_port=port,
        )


def _host() -> str:
    return socket.gethostname() or "worker"


def _listening() -> list[tuple[str, int]]:
    """Return where this process listens."""
    connections = psutil.Process().net_connections(kind="tcp")
    found = [each.laddr for each in connections if each.status == psutil.CONN_LISTEN]
    places = {(_reachable(address.ip), address.port) for address in found}
    return sorted(places)[:_MOST_PORTS]


def _reachable(address: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - is compared


def _read(address: str, port: int) -> dict[str, object] | None:
    """Return what a worker's page tells; None if there is none at that place."""
    host = f"[{address}]" if ":" in address else address
    url = f"http://{host}:{port}/worker"
    try:
        with (
            httpx.Client(timeout=_TIMEOUT_S, trust_env=False, verify=_NO_TLS) as client,
            client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as response,
        ):
            told = json.loads(_body(response)) if response.status_code == httpx.codes.OK else None
    except (httpx.HTTPError, ValueError):
        return None
    return told if isinstance(told, dict) and "sdk_version" in told else None


def _body(response: httpx.Response) -> bytes:
    """Return the body, or what came of it: another page of the process may have no end."""
    until = time.monotonic() + _TIMEOUT_S
    body = bytearray()
    for part in response.iter_raw():
        body += part
        if len(body) > _MOST_BYTES or time.monotonic() > until:
            break
    return bytes(body)


def _number(told: dict[str, object], key: str) -> float:
    """Return a number of the page, which leaves zeros out."""
    value = told.get(key, 0)
    return float(value) if isinstance(value, int | float) else 0.0
