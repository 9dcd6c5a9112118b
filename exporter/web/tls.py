"""The server's side of TLS, from what the web configuration file says."""

import contextlib
import ipaddress
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from exporter.errors import ConfigError
from exporter.web.config_file import CURVES, TlsServerConfig

_VERIFY: Mapping[str, ssl.VerifyMode] = {
    "NoClientCert": ssl.CERT_NONE,
    # Go asks and takes whatever comes; nothing here looks at it, so it need not be asked for.
    "RequestClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    # One that is sent must be good; that there is one, the gate asks for each page: a handshake
    # that failed would refuse the kubelet the health page, too.
    "RequireAndVerifyClientCert": ssl.CERT_OPTIONAL,
}
_VERSIONS: Mapping[str, ssl.TLSVersion] = {
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}


def make_context(config: TlsServerConfig, file: Path) -> ssl.SSLContext:
    """Return the context for new connections.

    Args:
        config: What is asked for; it names a certificate and a key.
        file: The web configuration file, to which other files are relative.

    Raises:
        ConfigError: A file cannot be read, or certificate and key do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[config.min_version]
    context.maximum_version = _VERSIONS[config.max_version]
    if config.tls12_ciphers:
        context.set_ciphers(":".join(config.tls12_ciphers))
    if not config.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    for curve in config.curve_preferences:
        context.set_ecdh_curve(CURVES[curve])
    context.set_alpn_protocols(["http/1.1"])
    context.verify_mode = _VERIFY[config.client_auth_type]
    _load_chain(context, config, file)
    if context.verify_mode is not ssl.CERT_NONE:
        _load_client_ca(context, config, file)
    return context


def read_pem(config: TlsServerConfig, key: str, file: Path) -> bytes:
    """Return the PEM text of `cert`, `key` or `client_ca`, from its file or from its place.

    Raises:
        ConfigError: The file cannot be read.
    """
    path: Path | None = getattr(config, f"{key}_file")
    if path is None:
        text: str | SecretStr | None = getattr(config, key)
        return (text.get_secret_value() if isinstance(text, SecretStr) else text or "").encode()
    try:
        return (file.parent / path).read_bytes()
    except OSError as error:
        why = error.strerror
    except ValueError:  # such as a NUL within the path
        why = "no such path"
    where = f"{file}: tls_server_config.{key}_file"
    raise ConfigError(f"{where}: {str(path)!r} cannot be read: {why}")


def _load_chain(context: ssl.SSLContext, config: TlsServerConfig, file: Path) -> None:
    where = f"{file}: tls_server_config"
    with contextlib.ExitStack() as stack:
        cert, key = (_as_file(config, name, file, stack) for name in ("cert", "key"))
        try:
            context.load_cert_chain(cert, key, password=_no_password)
        except _NeedsPasswordError:
            raise ConfigError(
                f"{where}: the key needs a password; expected a key without one"
            ) from None
        except OSError as error:  # ssl.SSLError is one
            mismatch = getattr(error, "reason", "") == "KEY_VALUES_MISMATCH"
            why = "do not match" if mismatch else "cannot be used"
            raise ConfigError(
                f"{where}: certificate and key {why}; expected a chain and its key, both in PEM"
            ) from None


def _as_file(config: TlsServerConfig, key: str, file: Path, stack: contextlib.ExitStack) -> Path:
    """Return the file to load, as OpenSSL takes nothing else: ours for an instant, if inline."""
    read = read_pem(config, key, file)
    path: Path | None = getattr(config, f"{key}_file")
    if path is not None:
        return file.parent / path
    try:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="voice-exporter-"))
        own = Path(folder, key)
        own.write_bytes(read)
    except OSError as error:
        where = f"{file}: tls_server_config.{key}"
        raise ConfigError(
            f"{where}: needs a temporary file, which cannot be written: {error.strerror}; "
            f"expected a writable TMPDIR, or {key}_file"
        ) from None
    return own


class _NeedsPasswordError(Exception):
    """OpenSSL would have asked the terminal."""


def _no_password() -> str:
    raise _NeedsPasswordError


def _load_client_ca(context: ssl.SSLContext, config: TlsServerConfig, file: Path) -> None:
    pem = read_pem(config, "client_ca", file)
    if not pem and not config.client_ca_file:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        return
    try:
        # What is no ASCII stands in the comments between certificates, often a CA's name.
        context.load_verify_locations(cadata=pem.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        where = f"{file}: tls_server_config.client_ca_file"
        raise ConfigError(f"{where}: contains no usable certificate; expected PEM") from None


def subject_names(certificate: Mapping[str, Any] | None) -> frozenset[str]:
    """Return the alternative names of a client's certificate, addresses in their short form."""
    names = (certificate or {}).get("subjectAltName", ())
    return frozenset(_short(kind, name) for kind, name in names)


def _short(kind: str, name: str) -> str:
    if kind != "IP Address":
        return name
    try:
        return str(ipaddress.ip_address(name.strip()))
    except ValueError:
        return name
