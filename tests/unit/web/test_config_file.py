"""The web configuration file: each mistake with its exact words, and what is accepted."""

import asyncio
import ssl
import subprocess
import tempfile
from pathlib import Path

import pytest

from exporter.errors import ConfigError
from exporter.web.config_file import CIPHERS, CURVES, TlsServerConfig, read_web_config
from exporter.web.tls import make_context, subject_names
from exporter.web.web_config import WebConfigWatch
from tests.certificates import Certificates

HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
"""A hash of the format, of no password in use."""
PAIR = "cert_file: a, key_file: b"


def written(folder: Path, text: str) -> Path:
    """Write a file and return its path."""
    file = folder / "web.yml"
    file.write_text(text)
    return file


GOOD = (
    "",
    "tls_server_config: {}",
    "tls_server_config:\nbasic_auth_users:\n",
    "http_server_config: {http2: true}",
    "http_server_config: {http2: false, headers: {X-Frame-Options: SAMEORIGIN}}",
    "http_server_config: {headers: {X-Content-Type-Options: nosniff, X-XSS-Protection: '0'}}",
    "rate_limit: {interval: 1s, burst: 20}",
    "rate_limit: {interval: 0, burst: 0}",
    f"basic_auth_users: {{ali: {HASH}}}",
    f"tls_server_config: {{{PAIR}, min_version: TLS12, max_version: TLS12}}",
    f"tls_server_config: {{{PAIR}, cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]}}",
    f"tls_server_config: {{{PAIR}, curve_preferences: [CurveP256]}}",
    f"tls_server_config: {{{PAIR}, prefer_server_cipher_suites: false}}",
    f"tls_server_config: {{{PAIR}, client_auth_type: RequestClientCert}}",
    (
        "tls_server_config: {cert: PEM, key: PEM, client_ca: PEM, "
        "client_auth_type: VerifyClientCertIfGiven}"
    ),
)
BAD = (
    pytest.param(
        "[]",
        "",
        "is not a mapping of settings; expected `key: value`",
    ),
    pytest.param(
        "a: 1",
        "a",
        "unknown key; expected one of tls_server_config, http_server_config, "
        "basic_auth_users, rate_limit",
    ),
    pytest.param(
        "tls_servers_config: {}",
        "tls_servers_config",
        "unknown key; did you mean tls_server_config?",
    ),
    pytest.param(
        "basic_auth_users: {ali: sesame}",
        "basic_auth_users.ali",
        "is not a bcrypt hash; expected one as printed by `htpasswd -nBC 10`",
    ),
    pytest.param(
        f"basic_auth_users: {{'a:b': {HASH}}}",
        "basic_auth_users.a:b",
        "is not a user name; expected text without a colon",
    ),
    pytest.param(
        "tls_server_config: {cert_file: a}",
        "tls_server_config.key_file",
        "is missing; expected it, or key with the PEM text",
    ),
    pytest.param(
        "tls_server_config: {min_version: TLS13, key_file: b}",
        "tls_server_config.cert_file",
        "is missing; expected it, or cert with the PEM text",
    ),
    pytest.param(
        "tls_server_config: {cert: PEM, cert_file: a, key_file: b}",
        "tls_server_config.cert",
        "conflicts with cert_file; expected one of them",
    ),
    pytest.param(
        f"tls_server_config: {{{PAIR}, min_version: TLS11}}",
        "tls_server_config.min_version",
        '"TLS11" is not supported: RFC 8996 forbids it, and OpenSSL 3 disables it; '
        "expected TLS12 or TLS13",
    ),
    pytest.param(
        f"tls_server_config: {{{PAIR}, min_version: TLS13, max_version: TLS12}}",
        "tls_server_config.min_version",
        '"TLS13" is above max_version',
    ),
    pytest.param(
        f"tls_server_config: {{{PAIR}, client_auth_type: RequireAnyClientCert}}",
        "tls_server_config.client_auth_type",
        '"RequireAnyClientCert" is not supported: Python verifies every client'
        " certificate; expected RequireAndVerifyClientCert",
    ),
    pytest.param(
        f"tls_server_config: {{{PAIR}, client_ca_file: c}}",
        "tls_server_config.client_auth_type",
        "NoClientCert requests no certificate, so client_ca has no effect; expected "
        "RequireAndVerifyClientCert",
    ),
    pytest.param(
        f"tls_server_config: {{{PAIR}, client_allowed_sans: [x]}}",
        "tls_server_config.client_allowed_sans",
        "needs client_auth_type RequireAndVerifyClientCert, which is not set",
    ),
    pytest.param(
        f"tls_server_config: {{{PAIR}, cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]}}",
        "tls_server_config.cipher_suites[0]",
        '"TLS_RSA_WITH_RC4_128_SHA" is not a known cipher suite',
    ),
    pytest.param(
        f"tls_server_config: {{{PAIR}, cipher_suites: [TLS_AES_128_GCM_SHA256]}}",
        "tls_server_config.cipher_suites",
        "leaves no suite for TLS 1.2; expected one, or min_version TLS13",
    ),
    pytest.param(
        f"tls_server_config: {{{PAIR}, curve_preferences: [X25519, CurveP256]}}",
        "tls_server_config.curve_preferences",
        "has several curves; Python supports only one; expected one, or none",
    ),
    pytest.param(
        "http_server_config: {headers: {Server: x}}",
        "http_server_config.headers.Server",
        "may not be set; expected one of Content-Security-Policy, X-Frame-Options, "
        "X-Content-Type-Options, X-XSS-Protection, Strict-Transport-Security",
    ),
    pytest.param(
        "http_server_config: {headers: {X-Frame-Options: allow}}",
        "http_server_config.headers.X-Frame-Options",
        '"allow" is not known; expected deny or sameorigin',
    ),
    pytest.param(
        'http_server_config: {headers: {X-XSS-Protection: "1\\r\\nX: y"}}',
        "http_server_config.headers.X-XSS-Protection",
        "cannot be sent in a header; expected printable ASCII",
    ),
    pytest.param(
        "rate_limit: {interval: 1s}",
        "rate_limit.burst",
        "is missing, so every request would be refused; expected at least 1",
    ),
)


@pytest.mark.parametrize("text", GOOD)
def test_good(text: str, tmp_path: Path) -> None:
    """What the toolkit's format allows and Python can do is accepted."""
    read_web_config(written(tmp_path, text))


@pytest.mark.parametrize(("text", "key", "words"), BAD)
def test_bad(text: str, key: str, words: str, tmp_path: Path) -> None:
    """Each mistake is one line: file, key, what is wrong, what was expected."""
    file = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_web_config(file)
    (only,) = str(caught.value).splitlines()
    assert only.startswith(f"{file}:1 {key}: {words}" if key else f"{file}:1: {words}")


@pytest.mark.parametrize(
    "text",
    [
        "basic_auth_users: {ali: hunter2}",
        "basic_auth_users: {ali: [hunter2]}",
        "basic_auth_users: hunter2",
        "tls_server_config: {key: [hunter2]}",
        "tls_server_config: {key: {hunter2: 1}}",
    ],
)
def test_secrets_are_not_in_errors(text: str, tmp_path: Path) -> None:
    """A password or a key at the wrong place is not repeated."""
    with pytest.raises(ConfigError) as caught:
        read_web_config(written(tmp_path, text))
    assert "hunter2" not in str(caught.value)


def test_the_names_are_known_to_openssl() -> None:
    """Every suite of the table exists in the OpenSSL of this Python."""
    for name in filter(None, CIPHERS.values()):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers(name)
        assert name in {cipher["name"] for cipher in context.get_ciphers()}


@pytest.mark.parametrize("curve", CURVES)
def test_a_curve_is_used_or_refused(curve: str, tmp_path: Path) -> None:
    """Python 3.11.2 has no X25519: a line says so, and the others work everywhere."""
    file = written(tmp_path, f"tls_server_config: {{{PAIR}, curve_preferences: [{curve}]}}")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ecdh_curve(CURVES[curve])
    except ssl.SSLError:
        assert curve == "X25519"
        words = f'"{curve}" is not supported by this Python; expected CurveP256'
        with pytest.raises(ConfigError, match=words):
            read_web_config(file)
    else:
        assert read_web_config(file) is not None


@pytest.fixture(name="pair", scope="module")
def _pair(certificates: Certificates) -> tuple[Path, Path]:
    """A certificate that signs itself, and its key."""
    return certificates.ca, certificates.ca_key


@pytest.fixture(name="spoilt", scope="module")
def _spoilt(pair: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with that pair, and what goes together with neither half of it."""
    folder = tmp_path_factory.mktemp("spoilt")
    for path, name in zip(pair, ("cert.pem", "key.pem"), strict=True):
        (folder / name).write_bytes(path.read_bytes())
    (folder / "garbage.pem").write_text("garbage")
    for command in (
        "ecparam -name prime256v1 -genkey -noout -out other.pem",
        "ec -in key.pem -aes128 -passout pass:secret -out locked.pem",
    ):
        subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)
    return folder


def test_the_context_is_as_asked(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """Versions, suites, verification and ALPN are what the file says."""
    cert, key = pair
    text = (
        f"tls_server_config: {{cert_file: {cert}, key_file: {key}, max_version: TLS12, "
        "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256], "
        f"client_auth_type: RequireAndVerifyClientCert, client_ca_file: {cert}}}"
    )
    file = written(tmp_path, text)
    context = make_context(read_web_config(file).tls_server_config, file)
    assert context.maximum_version is ssl.TLSVersion.TLSv1_2
    assert context.verify_mode is ssl.CERT_OPTIONAL  # the gate asks for it: test_access.py
    names = [each["name"] for each in context.get_ciphers() if each["protocol"] == "TLSv1.2"]
    assert names == ["ECDHE-ECDSA-AES128-GCM-SHA256"]
    assert len(context.get_ca_certs()) == 1


def test_inline_certificates(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """PEM text in the file itself does as well as files."""
    cert, key = (path.read_text() for path in pair)
    config = TlsServerConfig.model_validate({"cert": cert, "key": key})
    make_context(config, tmp_path / "web.yml")


def test_inline_certificates_without_a_place_for_them(
    pair: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full or read-only disk is told, and does not end the watch of the file."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    cert, key = (path.read_text() for path in pair)
    config = TlsServerConfig.model_validate({"cert": cert, "key": key})
    with pytest.raises(ConfigError, match="cert: needs a temporary file"):
        make_context(config, tmp_path / "web.yml")


def test_comments_between_certificates_may_be_of_any_script(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    """Bundles have the names of their authorities in comments."""
    cert, key = pair
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(f"# Főtanúsítvány\n{cert.read_text()}", encoding="utf-8")
    text = (
        f"tls_server_config: {{cert_file: {cert}, key_file: {key}, "
        f"client_auth_type: RequireAndVerifyClientCert, client_ca_file: {bundle}}}"
    )
    context = WebConfigWatch(written(tmp_path, text)).current.tls
    assert context is not None
    assert len(context.get_ca_certs()) == 1


def test_nothing_ends_the_watch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """1. Something nobody thought of happens while the file is read. 2. It passes.

    Result: it is told, the configuration before holds, and the new one is taken afterwards.
    """
    watch = WebConfigWatch(written(tmp_path, ""))
    with monkeypatch.context() as broken:
        broken.setattr(Path, "read_text", _run_out_of_memory)
        written(tmp_path, f"basic_auth_users: {{ali: {HASH}}}")
        asyncio.run(watch.refresh())
    assert watch.problem.endswith("unexpected MemoryError")
    assert not watch.current.users
    asyncio.run(watch.refresh())
    assert watch.problem == ""
    assert watch.current.users


def _run_out_of_memory(*_: object, **__: object) -> str:
    raise MemoryError


@pytest.mark.parametrize(
    ("cert", "key", "words"),
    [
        ("cert.pem", "other.pem", "certificate and key do not match"),
        ("garbage.pem", "key.pem", "certificate and key cannot be used"),
        ("cert.pem", "locked.pem", "the key needs a password"),
        ("cert.pem", "gone.pem", ".key_file: 'gone.pem' cannot be read: No such file"),
        ("cert.pem", ".", ".key_file: '.' cannot be read: Is a directory"),
    ],
)
def test_unusable_certificates(spoilt: Path, cert: str, key: str, words: str) -> None:
    """What OpenSSL would only call an error is told; nobody is asked for a password."""
    file = written(spoilt, f"tls_server_config: {{cert_file: {cert}, key_file: {key}}}")
    with pytest.raises(ConfigError) as caught:
        WebConfigWatch(file)
    assert str(caught.value).startswith(f"{file}: tls_server_config")
    assert words in str(caught.value)


def test_names_of_a_certificate() -> None:
    """Alternative names of every kind, addresses in the form that people write."""
    certificate = {
        "subjectAltName": (
            ("DNS", "prometheus"),
            ("IP Address", "2001:DB8:0:0:0:0:0:1"),
            ("IP Address", "10.0.0.1"),
            ("URI", "spiffe://cluster/prometheus"),
        )
    }
    expected = {"prometheus", "2001:db8::1", "10.0.0.1", "spiffe://cluster/prometheus"}
    assert subject_names(certificate) == expected
    assert subject_names(None) == frozenset()
