"""What web.config.file asks for, on real sockets: TLS, client certificates and passwords."""

import asyncio
import shutil
import ssl
from pathlib import Path

import bcrypt
import httpx
import pytest

from exporter.errors import ConfigError
from tests.certificates import Certificates
from tests.integration.from_elsewhere import TOKEN
from tests.integration.serving import Serving
from tests.integration.web_client import BEARER, QUICK, ends, is_served
from tests.patience import until


def web_config(folder: Path, text: str) -> Path:
    """Write a web configuration file."""
    file = folder / "web.yml"
    file.write_text(text)
    return file


def get(serving: Serving, context: ssl.SSLContext, path: str = "/metrics") -> httpx.Response:
    """Ask by TLS."""
    with httpx.Client(verify=context, trust_env=False) as client:
        return client.get(serving.url(path))


def test_tls_with_client_certificates(certificates: Certificates, tmp_path: Path) -> None:
    """Only a certificate of the right authority with an allowed name gets in.

    Without one only the supervisors' pages are open, in one word; a bad one opens not even these.
    """
    cert, key = certificates.issue("server")
    good = certificates.issue("prometheus", "DNS:prometheus")
    wrong = certificates.issue("somebody", "DNS:somebody")
    stranger = Certificates(tmp_path, "stranger").issue("prometheus", "DNS:prometheus")
    file = web_config(
        tmp_path,
        f"tls_server_config: {{cert_file: {cert}, key_file: {key}, "
        f"client_auth_type: RequireAndVerifyClientCert, client_ca_file: {certificates.ca}, "
        "client_allowed_sans: [prometheus]}\n"
        "http_server_config: {headers: {X-Frame-Options: deny}}\n",
    )
    with Serving(file=file) as serving:
        assert get(serving, certificates.client(*good)).status_code == 200
        for chain in (wrong, stranger):
            with pytest.raises(httpx.TransportError):
                get(serving, certificates.client(*chain), "/-/healthy")
        assert serving.refused("certificate") == 1
        nobody = certificates.client()
        assert get(serving, nobody).status_code == 403
        assert get(serving, nobody, "/-/healthy").text == "healthy\n"
        assert get(serving, nobody, "/-/ready").text == "ready\n"
        assert serving.refused("certificate") == 2


def test_silence_is_no_handshake(certificates: Certificates, tmp_path: Path) -> None:
    """Who connects and says nothing, or speaks plain HTTP, is cut off."""
    cert, key = certificates.issue("server")
    file = web_config(tmp_path, f"tls_server_config: {{cert_file: {cert}, key_file: {key}}}\n")
    with Serving(file=file, limits=QUICK) as serving:
        for said in (b"", b"GET /metrics HTTP/1.1\r\n\r\n"):
            with serving.connect() as connection:
                connection.sendall(said)
                assert ends(connection)


def test_certificates_are_read_again(certificates: Certificates, tmp_path: Path) -> None:
    """1. Serve. 2. Break the certificate: nothing changes. 3. A new one: new handshakes use it."""
    first = certificates.issue("first")
    for path, name in zip(first, ("cert.pem", "key.pem"), strict=True):
        shutil.copy(path, tmp_path / name)
    file = web_config(
        tmp_path, "tls_server_config: {cert_file: cert.pem, key_file: key.pem, min_version: TLS13}"
    )
    with Serving(file=file) as serving:
        before = serial(serving, certificates)
        (tmp_path / "cert.pem").write_text("no certificate")
        until(lambda: serving.web_config.problem != "")
        assert serial(serving, certificates) == before
        assert "certificate and key cannot be used" in serving.web_config.problem

        for path, name in zip(certificates.issue("second"), ("cert.pem", "key.pem"), strict=True):
            shutil.copy(path, tmp_path / name)
        until(lambda: serial(serving, certificates) != before)
        until(lambda: serving.web_config.problem == "")


def serial(serving: Serving, certificates: Certificates) -> object:
    """Return the serial number of the certificate that the server shows."""
    context = certificates.client()
    with (
        serving.connect() as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
    ):
        assert secured.version() == "TLSv1.3"
        return (secured.getpeercert() or {})["serialNumber"]


def test_passwords(tmp_path: Path) -> None:
    """Reads need a password, writes the token and nothing else; users can be changed."""
    hashed = bcrypt.hashpw(b"open sesame", bcrypt.gensalt(5)).decode()
    file = web_config(tmp_path, f"basic_auth_users: {{ali: {hashed}}}\n")
    with Serving(file=file, token=TOKEN) as serving, httpx.Client(trust_env=False) as client:
        metrics, reload = serving.url("/metrics"), serving.url("/-/reload")
        for auth in (None, ("ali", "wrong"), ("nobody", "open sesame"), ("ali", "x" * 100)):
            answer = client.get(metrics, auth=auth)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic ")
        assert client.get(metrics, auth=("ali", "open sesame")).status_code == 200
        assert client.get(metrics, headers=BEARER).status_code == 401
        assert client.post(reload).status_code == 401
        assert client.post(reload, auth=("ali", "open sesame")).status_code == 401
        assert client.post(reload, headers=BEARER).status_code == 200

        file.write_text(f"basic_auth_users: {{sindbad: {hashed}}}\n")
        until(lambda: client.get(metrics, auth=("ali", "open sesame")).status_code == 401)
        assert client.get(metrics, auth=("sindbad", "open sesame")).status_code == 200


def test_tls_is_turned_on_by_a_restart_only(certificates: Certificates, tmp_path: Path) -> None:
    """A file that asks for TLS while plain HTTP is served changes nothing, and that is told."""
    cert, key = certificates.issue("late")
    file = web_config(tmp_path, "")
    with Serving(file=file) as serving:
        file.write_text(f"tls_server_config: {{cert_file: {cert}, key_file: {key}}}")
        asyncio.run(serving.web_config.refresh())
        assert "by a restart only" in serving.web_config.problem
        assert is_served(serving)


def test_a_bad_file_does_not_start(tmp_path: Path) -> None:
    """A certificate that is not there is one line that names file and key."""
    file = web_config(tmp_path, "tls_server_config: {cert_file: a.pem, key_file: b.pem}")
    with pytest.raises(ConfigError) as caught:
        Serving(file=file)
    assert str(caught.value) == (
        f"{file}: tls_server_config.cert_file: 'a.pem' cannot be read: No such file or directory"
    )
