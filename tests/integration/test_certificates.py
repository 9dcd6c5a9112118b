"""Certificates on the way to the SFU, read from a real TLS server."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta

import pytest

from exporter.outcome import Certificate
from exporter.probes.reach.measure import read_certificate
from tests.certificates import Certificates
from tests.patience import WAIT_S

pytestmark = pytest.mark.integration


@pytest.fixture(name="context")
def _context(certificates: Certificates) -> ssl.SSLContext:
    """What a server of `localhost` presents: two days of an authority of our own."""
    certificate, key = certificates.issue("localhost", "DNS:localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def read(context: ssl.SSLContext, host: str = "localhost") -> Certificate:
    """Serve with that certificate and read it as a round does."""

    async def serve_and_read() -> Certificate:
        server = await asyncio.start_server(lambda _, out: out.close(), "127.0.0.1", ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return await read_certificate(host, port, timeout_s=WAIT_S)

    return asyncio.run(serve_and_read())


def test_its_end_is_read(
    context: ssl.SSLContext, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a certificate that this host trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))
    found = read(context)
    assert found.fault == ""
    assert found.expires_at is not None
    assert timedelta(days=1) < found.expires_at - datetime.now(UTC) <= timedelta(days=2)


def test_one_that_is_not_trusted_is_told(context: ssl.SSLContext) -> None:
    """No end is read then: calls from here fail whenever it ends."""
    found = read(context)
    assert found.expires_at is None
    assert "certificate" in found.fault


def test_one_of_another_host_is_told(
    context: ssl.SSLContext, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trusted certificate that names somebody else is as good as none."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca))
    found = read(context, host="127.0.0.1")
    assert found.expires_at is None
    assert "IP address mismatch" in found.fault


def test_a_place_without_tls_is_told() -> None:
    """Nobody listens there."""
    found = asyncio.run(read_certificate("127.0.0.1", 1, timeout_s=WAIT_S))
    assert (found.place, found.expires_at) == ("127.0.0.1:1", None)
    assert "ConnectionRefusedError" in found.fault
