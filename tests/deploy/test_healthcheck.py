"""The program behind the image's health check, against real servers."""

import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from tests.certificates import Certificates
from tests.deploy.compose import ROOT

SCRIPT = ROOT / "deploy" / "container" / "healthcheck.py"


@contextmanager
def server(status: int, text: str = "", tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Answer every request in the same way; yields HOST:PORT."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as listening:
        if tls is not None:
            listening.socket = tls.wrap_socket(listening.socket, server_side=True)
        Thread(target=listening.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{listening.server_port}"
        finally:
            listening.shutdown()


def check(url: str) -> tuple[int, str]:
    """Run it as the image does, with a proxy in the environment that leads nowhere."""
    environ = {"http_proxy": "http://127.0.0.1:1", "https_proxy": "http://127.0.0.1:1"}
    done = subprocess.run(
        [sys.executable, "-I", SCRIPT, url],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environ,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.strip()


@pytest.mark.parametrize(("status", "expected"), [(200, 0), (401, 0), (503, 1), (404, 1), (500, 1)])
def test_only_an_exporter_that_works_is_healthy(status: int, expected: int) -> None:
    """200 is healthy, and so is being asked for a password; the text says what is wrong."""
    with server(status, "so it is\n") as address:
        assert check(f"http://{address}/-/healthy") == (expected, f"{status} so it is")


def test_nobody_there_is_not_healthy() -> None:
    """A closed port is told in one line."""
    with server(200) as address:
        pass
    status, text = check(f"http://{address}/-/healthy")
    assert status == 1
    assert text.startswith(f"http://{address}/-/healthy: ")
    assert "\n" not in text


def test_a_certificate_of_ones_own_is_no_trouble(certificates: Certificates) -> None:
    """With TLS the same holds; who signed the certificate does not matter on this host."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(*certificates.issue("exporter"))
    with server(200, "healthy", tls) as address:
        assert check(f"https://{address}/-/healthy") == (0, "200 healthy")


def test_it_asks_the_exporter_where_the_image_has_it() -> None:
    """The address that it takes without an argument is the one that the image listens on."""
    shipped = (SCRIPT.parent / "voice-exporter.yaml").read_text("utf-8")
    assert 'listen_address: ":9465"' in shipped
    assert "http://127.0.0.1:9465/-/healthy" in SCRIPT.read_text("utf-8")
