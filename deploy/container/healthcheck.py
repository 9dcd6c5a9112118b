#!/opt/voice-exporter/bin/python -I
"""Exit with 0 if a page of this container answers with 200: the image's health check.

    voice-exporter-healthcheck [URL]

URL is the exporter's /-/healthy if not given. A certificate is not checked, since the page is on
this host. A password that the web configuration file asks for is no trouble: to be asked for one
is an answer as well, and says that the exporter lives.
"""

import http.client
import ssl
import sys
from urllib.parse import urlsplit

_HEALTHY = "http://127.0.0.1:9465/-/healthy"
_TIMEOUT_S = 4.0
_ALIVE = (http.HTTPStatus.OK, http.HTTPStatus.UNAUTHORIZED)


def main(url: str = _HEALTHY) -> int:
    """Return the exit status; what is wrong goes to stdout, where engines keep it."""
    parts = urlsplit(url)
    host, path = parts.netloc, parts.path or "/"
    # http.client: what the environment says of proxies is not for this address.
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        unchecked = ssl._create_unverified_context()  # noqa: S323, SLF001 - the page is our own
        connection = http.client.HTTPSConnection(host, timeout=_TIMEOUT_S, context=unchecked)
    else:
        connection = http.client.HTTPConnection(host, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read(1000).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        print(f"{url}: {error}")  # noqa: T201
        return 1
    print(f"{answer.status} {text}")  # noqa: T201
    return 0 if answer.status in _ALIVE else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
