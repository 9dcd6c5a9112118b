"""The web configuration file: the one format that all Prometheus exporters share.

Its keys and their meaning are those of the Exporter Toolkit. What Python's TLS cannot do is refused
with the reason, never ignored where security would depend on it.
"""

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field, SecretStr

from exporter.config.checked import checked, document_layer, read_document
from exporter.config.error_messages import did_you_mean
from exporter.config.rules import Faults, refuse, rule
from exporter.config.values import FILE, Duration, Section, invalid

ClientAuth = Literal[
    "NoClientCert",
    "RequestClientCert",
    "RequireAnyClientCert",
    "VerifyClientCertIfGiven",
    "RequireAndVerifyClientCert",
]
TlsVersion = Literal["TLS10", "TLS11", "TLS12", "TLS13"]

CIPHERS: Mapping[str, str] = {
    "TLS_AES_128_GCM_SHA256": "",
    "TLS_AES_256_GCM_SHA384": "",
    "TLS_CHACHA20_POLY1305_SHA256": "",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
}
"""Go's names of the suites that may be listed, and OpenSSL's; those of TLS 1.3 are always on."""
CURVES: Mapping[str, str] = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}
"""Go's names of curves, and OpenSSL's."""
_HEADERS: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-Content-Type-Options": ("nosniff",),
    "X-XSS-Protection": (),
    "Strict-Transport-Security": (),
}
"""Headers that may be set, each with its accepted values, if not any text is."""
_BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}")
_VERIFYING = ("VerifyClientCertIfGiven", "RequireAndVerifyClientCert")

_Names = TypeVar("_Names", bound=tuple[str, ...])


def _one_of(known: Mapping[str, str], what: str, names: _Names) -> _Names:
    refuse(_unknown_names(known, what, names))
    return names


def _unknown_names(known: Mapping[str, str], what: str, names: tuple[str, ...]) -> Faults:
    for index, name in enumerate(names):
        if name not in known:
            near = did_you_mean(name, known) or f"; expected one of {', '.join(known)}"
            yield invalid(f"{{value}} is not a known {what}{near}", index)


def _check_ciphers(names: tuple[str, ...]) -> tuple[str, ...]:
    return _one_of(CIPHERS, "cipher suite", names)


def _check_curves(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(names) > 1:
        raise invalid("has several curves; Python supports only one; expected one, or none")
    for index, name in enumerate(_one_of(CURVES, "curve", names)):
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ecdh_curve(CURVES[name])
        except (ssl.SSLError, ValueError):  # X25519 with Python 3.11.2
            words = "{value} is not supported by this Python; expected CurveP256"
            raise invalid(words, index) from None
    return names


def _check_version(version: TlsVersion) -> TlsVersion:
    if version in ("TLS10", "TLS11"):
        raise invalid(
            "{value} is not supported: RFC 8996 forbids it, and OpenSSL 3 disables it; expected "
            "TLS12 or TLS13"
        )
    return version


def _check_client_auth(kind: ClientAuth) -> ClientAuth:
    if kind == "RequireAnyClientCert":
        raise invalid(
            "{value} is not supported: Python verifies every client certificate; expected "
            "RequireAndVerifyClientCert"
        )
    return kind


_Version = Annotated[TlsVersion, AfterValidator(_check_version)]


class TlsServerConfig(Section):
    """TLS: the server's certificate, and the client certificates that it requires."""

    cert: str | None = None
    """PEM, in place of `cert_file`."""
    key: SecretStr | None = None
    client_ca: str | None = None
    cert_file: Annotated[Path, FILE] | None = None
    key_file: Annotated[Path, FILE] | None = None
    client_ca_file: Annotated[Path, FILE] | None = None
    client_auth_type: Annotated[ClientAuth, AfterValidator(_check_client_auth)] = "NoClientCert"
    client_allowed_sans: tuple[str, ...] = ()
    min_version: _Version = "TLS12"
    max_version: _Version = "TLS13"
    cipher_suites: Annotated[tuple[str, ...], AfterValidator(_check_ciphers)] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: Annotated[tuple[str, ...], AfterValidator(_check_curves)] = ()

    @rule
    def _has_both(self) -> Faults:
        for name in ("cert", "key"):
            if self.enabled and not getattr(self, name) and not getattr(self, f"{name}_file"):
                yield invalid(
                    f"is missing; expected it, or {name} with the PEM text", f"{name}_file"
                )

    @rule
    def _verifies_clients(self) -> Faults:
        has_ca = bool(self.client_ca or self.client_ca_file)
        if has_ca and self.client_auth_type not in _VERIFYING:
            yield invalid(
                f"{self.client_auth_type} requests no certificate, so client_ca has no effect; "
                "expected RequireAndVerifyClientCert",
                "client_auth_type",
            )
        if self.client_allowed_sans and self.client_auth_type != "RequireAndVerifyClientCert":
            yield invalid(
                "needs client_auth_type RequireAndVerifyClientCert, which is not set",
                "client_allowed_sans",
            )

    @rule
    def _has_a_version(self) -> Faults:
        if self.min_version > self.max_version:
            yield invalid("{value} is above max_version", "min_version")
        if self.cipher_suites and self.min_version == "TLS12" and not self.tls12_ciphers:
            yield invalid("leaves no suite for TLS 1.2; expected one, or min_version TLS13",
                        "cipher_suites")  # fmt: skip

    @property
    def enabled(self) -> bool:
        """Whether anything is set: what is half set is an error, not plain HTTP."""
        return bool(self.model_fields_set)

    @property
    def tls12_ciphers(self) -> tuple[str, ...]:
        """The suites of TLS 1.2 that are listed, by OpenSSL's names."""
        return tuple(filter(None, (CIPHERS[name] for name in self.cipher_suites)))


def _check_headers(headers: dict[str, str]) -> dict[str, str]:
    refuse(_header_faults(headers))
    return headers


def _header_faults(headers: dict[str, str]) -> Faults:
    for name, text in headers.items():
        if name not in _HEADERS:
            near = did_you_mean(name, _HEADERS) or f"; expected one of {', '.join(_HEADERS)}"
            yield invalid(f"may not be set{near}", name)
            continue
        if not text.isascii() or not text.isprintable():
            yield invalid("cannot be sent in a header; expected printable ASCII", name)
        values = _HEADERS[name]
        if text and values and text.lower() not in values:
            yield invalid(f"{{value}} is not known; expected {' or '.join(values)}", name)


class HttpServerConfig(Section):
    """Headers of every response."""

    http2: bool = True
    """Only ever a permission: the exporter speaks HTTP/1.1, and clients agree to it by ALPN."""
    headers: Annotated[dict[str, str], AfterValidator(_check_headers)] = Field({})


class RateLimit(Section):
    """A token bucket for all requests together."""

    interval: Duration = Field(0.0, ge=0)
    """Seconds until one more request is allowed; 0 for no limit."""
    burst: int = Field(0, ge=0)
    """Requests that may come at once."""

    @rule
    def _lets_some_in(self) -> Faults:
        if self.interval and not self.burst:
            yield invalid("is missing, so every request would be refused; expected at least 1",
                        "burst")  # fmt: skip


def _check_users(users: dict[str, SecretStr]) -> dict[str, SecretStr]:
    refuse(_user_faults(users))
    return users


def _user_faults(users: dict[str, SecretStr]) -> Faults:
    for name, hashed in users.items():
        if not name or ":" in name:
            yield invalid("is not a user name; expected text without a colon", name)
        if not _BCRYPT.fullmatch(hashed.get_secret_value()):
            yield invalid(
                "is not a bcrypt hash; expected one as printed by `htpasswd -nBC 10`", name
            )


class WebConfigFile(Section):
    """The whole file; an empty file means plain HTTP without authentication."""

    tls_server_config: TlsServerConfig = TlsServerConfig()
    http_server_config: HttpServerConfig = HttpServerConfig()
    basic_auth_users: Annotated[dict[str, SecretStr], AfterValidator(_check_users)] = Field(
        {}, json_schema_extra={"writeOnly": True}
    )
    rate_limit: RateLimit = RateLimit()


def read_web_config(file: Path) -> WebConfigFile:
    """Return what the file says.

    Raises:
        ConfigError: It cannot be read or says something impossible; one line for each problem,
            with file and key, and without the value of a secret.
    """
    document, written = read_document(file)
    return checked(WebConfigFile, [document_layer(file, document, _without_empty(written))])


def _without_empty(section: dict[str, Any]) -> dict[str, Any]:
    """Leave out keys with nothing after them, as in the configuration file."""
    return {
        key: _without_empty(value) if isinstance(value, dict) else value
        for key, value in section.items()
        if value is not None
    }
