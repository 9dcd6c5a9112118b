"""Readiness of the demo's programs: each writes a file with its URL, and what they share."""

import os
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
RUNBOOKS = Path(__file__).parents[2] / "alerts" / "runbooks"
"""Of the source tree; an installed package has none."""


def free_socket(port: int = 0, host: str = LOOPBACK) -> socket.socket:
    """Return a socket that is bound to an address; port 0 takes a free one."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def announce(file: Path, url: str) -> None:
    """Write the URL atomically."""
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.write_text(url, encoding="utf-8")
    draft.replace(file)


def announced(file: Path) -> str | None:
    """Return the URL, or None while the program is not ready."""
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
