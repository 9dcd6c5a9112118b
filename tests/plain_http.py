"""Ask servers of this machine by plain HTTP.

A client that could speak TLS reads the system's certificates first: 40 ms of CPU, which a loop that
waits for a server would take from that server again and again.
"""

import ssl
from typing import Any

import httpx

from tests import patience

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Trusts nobody: for clients that speak plain HTTP only."""


def get(url: str, timeout_s: float = patience.WAIT_S, **more: Any) -> httpx.Response:
    """Send a GET request over a connection of its own."""
    return httpx.get(url, timeout=timeout_s, verify=NO_TLS, trust_env=False, **more)


def post(url: str, timeout_s: float = patience.WAIT_S, **more: Any) -> httpx.Response:
    """Send a POST request over a connection of its own."""
    return httpx.post(url, timeout=timeout_s, verify=NO_TLS, trust_env=False, **more)
