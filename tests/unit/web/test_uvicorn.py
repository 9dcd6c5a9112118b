"""What `exporter.web.server` uses of uvicorn that uvicorn promises nobody."""

import asyncio
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

OVERRIDDEN = {
    H11Protocol: (
        "__init__(self, config, server_state, app_state, _loop)",
        "connection_made(self, transport)",
        "connection_lost(self, exc)",
        "data_received(self, data)",
        "on_response_complete(self)",
        "pause_writing(self)",
        "resume_writing(self)",
        "send_400_response(self, msg)",
    ),
    uvicorn.Server: (
        "capture_signals(self)",
        "startup(self, sockets)",
        "shutdown(self, sockets)",
    ),
}
"""Methods that are overridden or called, as uvicorn defines them."""
CALLED: Mapping[Callable[..., Any], str] = {
    H11Protocol.data_received: "handle_events",
    H11Protocol.handle_events: "send_400_response",
    H11Protocol.connection_made: "connections.add",
    H11Protocol.connection_lost: "connections.discard",
    uvicorn.Server.serve: "capture_signals",
    uvicorn.Server.shutdown: "servers",
}
"""What must be used within uvicorn's own methods for ours to be called, or to have a use."""
ATTRIBUTES = ("client", "conn", "connections", "cycle", "scope", "transport")
"""Of a connection."""
WHAT_TO_DO = (
    "exporter/web/server.py overrides private parts of uvicorn, and these are not what they were: "
    "read what uvicorn has in their place, change server.py, run tests/integration/test_web_*.py, "
    "and only then raise the bound of uvicorn in pyproject.toml"
)


def test_the_private_parts_of_uvicorn_are_as_the_server_needs_them() -> None:
    """Each name that the server overrides, reads or relies on is there, with its arguments."""
    wrong = [*_other_methods(), *_other_uses(), *asyncio.run(_absent_attributes())]
    assert wrong == [], WHAT_TO_DO


def _other_methods() -> list[str]:
    return [
        f"{owner.__name__}.{expected}"
        for owner, methods in OVERRIDDEN.items()
        for expected in methods
        if _written(owner, expected.partition("(")[0]) != expected
    ]


def _written(owner: type, name: str) -> str:
    method = getattr(owner, name, None)
    return f"{name}({', '.join(inspect.signature(method).parameters)})" if method else ""


def _other_uses() -> list[str]:
    return [
        f"{method.__qualname__} uses {name}"
        for method, name in CALLED.items()
        if f"self.{name}" not in inspect.getsource(method)
    ]


async def _absent_attributes() -> list[str]:
    """Return what a connection, its request and the state of the server lack."""
    connection = H11Protocol(uvicorn.Config(lambda: None, log_config=None), ServerState(), {})
    absent = [f"H11Protocol.{name}" for name in ATTRIBUTES if not hasattr(connection, name)]
    if connection.connections is not connection.server_state.connections:
        absent.append("ServerState.connections")
    if "self.response_complete =" not in inspect.getsource(RequestResponseCycle):
        absent.append("RequestResponseCycle.response_complete")
    return absent
