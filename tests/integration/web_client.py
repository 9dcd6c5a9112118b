"""What the clients of the web server that is tested have in common."""

import socket

import httpx

from exporter.web.server import ConnectionLimits
from tests import plain_http
from tests.integration.from_elsewhere import TOKEN
from tests.integration.serving import Serving
from tests.patience import WAIT_S

QUICK = ConnectionLimits(request_s=0.3, response_s=0.3, handshake_s=0.3)
"""The limits of seconds in tenths, so that the test of each is short.

For clients that shall be cut off only: on a busy machine, an honest one may be as slow.
"""
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def ends(connection: socket.socket) -> bool:
    """Read until the server ends the connection, however long that takes; return whether it did."""
    connection.settimeout(WAIT_S)
    try:
        while connection.recv(2**16):
            pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


def is_served(serving: Serving) -> bool:
    """Return whether an honest client is."""
    try:
        return plain_http.get(serving.url("/-/healthy")).status_code == 200
    except httpx.HTTPError:
        return False
