"""Where certificates are looked for."""

import pytest

from exporter.probes.reach.measure import tls_places


@pytest.mark.parametrize(
    ("url", "ice_urls", "places"),
    [
        ("ws://h:7880", (), []),
        ("wss://h", (), [("h", 443)]),
        ("https://h:8443/", ("stun:s:3478", "turn:t:3478?transport=udp"), [("h", 8443)]),
        ("wss://h", ("turns:t:443?transport=tcp",), [("h", 443), ("t", 443)]),
        ("wss://h", ("turns:t?transport=tcp", "turns:t:5349"), [("h", 443), ("t", 5349)]),
        ("ws://h", ("turns:[2001:db8::1]:5349",), [("2001:db8::1", 5349)]),
    ],
)
def test_every_place_with_tls(
    url: str, ice_urls: tuple[str, ...], places: list[tuple[str, int]]
) -> None:
    """The server's own, and those of its TURN servers by TLS; each once."""
    assert tls_places(url, ice_urls) == places
