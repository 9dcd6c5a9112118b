"""What the clients of the web server that is tested have in common."""

import httpx

from exporter.web.server import Limits
from tests import plain_http
from tests.integration.from_elsewhere import TOKEN
from tests.integration.serving import Serving

QUICK = Limits(connections=8, request_s=0.6, response_s=0.6, handshake_s=0.6, keep_alive_s=2)
"""The limits of seconds in tenths, so that the test of each is short."""
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def is_served(serving: Serving) -> bool:
    """Return whether an honest client is."""
    try:
        return plain_http.get(serving.url("/-/healthy")).status_code == 200
    except httpx.HTTPError:
        return False
