"""Where alerts and dashboards find the exporter's pages."""

import socket

import pytest

from exporter.web.server import pages_url
from exporter.web.settings import WebSettings


@pytest.mark.parametrize(
    ("host", "web", "has_tls", "expected"),
    [
        ("127.0.0.1", {}, False, "http://127.0.0.1:{port}"),
        ("127.0.0.1", {}, True, "https://127.0.0.1:{port}"),
        ("127.0.0.1", {"route_prefix": "/voice"}, False, "http://127.0.0.1:{port}/voice"),
        ("0.0.0.0", {}, False, f"http://{socket.gethostname()}:{{port}}"),  # noqa: S104 - the case
        ("127.0.0.1", {"external_url": "https://v.example/x/"}, False, "https://v.example/x"),
    ],
)
def test_the_address_is_one_that_a_browser_can_open(
    host: str, web: dict[str, str], has_tls: bool, expected: str
) -> None:
    """external_url where there is one; the host's name where it listens on every address."""
    with socket.create_server((host, 0)) as listener:
        port = listener.getsockname()[1]
        url = pages_url(listener, WebSettings.model_validate(web), has_tls=has_tls)
    assert url == expected.format(port=port)
