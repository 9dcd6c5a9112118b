"""Every error that a request to the server API can raise becomes a reason and one clear line."""

import errno
import socket
import ssl
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from google.protobuf.message import DecodeError
from livekit import api
from livekit.api import twirp_client
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from exporter.errors import ProbeError
from exporter.outcome import Reason
from exporter.server_api.errors import explanations, one_line, translated

_TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJkZXZrZXkifQ.c2lnbmF0dXJl"  # noqa: S105
_KEY = ConnectionKey("host", 443, True, True, None, None, None)
_REFUSED = OSError(errno.ECONNREFUSED, "Connect call failed")
_REQUEST = aiohttp.RequestInfo(URL("http://host/"), "POST", CIMultiDictProxy(CIMultiDict()))


def _all_below(kind: type[BaseException]) -> set[type[BaseException]]:
    return {kind}.union(*(_all_below(each) for each in kind.__subclasses__()))


def _fails_with(error: BaseException) -> ProbeError:
    with (
        pytest.raises(ProbeError) as caught,
        translated("create room", "host:443", 5.0),
    ):
        raise error
    return caught.value


def test_every_client_error_of_the_http_library_has_an_explanation() -> None:
    """Each class of aiohttp has a row or a base with one: a new kind of error fails here."""
    ours = set(explanations())
    unexplained = {
        kind.__name__
        for kind in _all_below(aiohttp.ClientError) - {aiohttp.ClientError}
        if kind.__module__.startswith("aiohttp") and not ours.intersection(kind.__mro__)
    }
    assert unexplained == set()


def test_the_sdk_raises_no_error_class_that_is_not_known_here() -> None:
    """The SDK's own errors are ServerError and its kinds: a new one fails here."""
    modules = [twirp_client, api]
    raised = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, BaseException)
    }
    assert {kind.__name__ for kind in raised if not issubclass(kind, api.ServerError)} == set()


@pytest.mark.parametrize(
    ("error", "reason", "detail"),
    [
        pytest.param(error, reason, detail, id=type(error).__name__)
        for error, reason, detail in [
            (TimeoutError(), "connect_failed", "no answer within 5 s"),
            (aiohttp.ConnectionTimeoutError(), "connect_failed", "no answer within 5 s"),
            (aiohttp.SocketTimeoutError(), "connect_failed", "no answer within 5 s"),
            (
                aiohttp.ClientConnectorError(_KEY, _REFUSED),
                "connect_failed",
                "no connection (Connection refused)",
            ),
            (
                aiohttp.ClientConnectorDNSError(
                    _KEY, socket.gaierror(-2, "Name or service not known")
                ),
                "connect_failed",
                "the host name does not resolve (Name or service not known)",
            ),
            (
                aiohttp.ClientConnectorCertificateError(_KEY, ssl.CertificateError("expired")),
                "connect_failed",
                "this host does not trust the certificate (SSLCert",
            ),
            (
                aiohttp.ClientConnectorSSLError(_KEY, ssl.SSLError(1, "WRONG_VERSION_NUMBER")),
                "connect_failed",
                "no TLS connection: is it plain http or ws?",
            ),
            (
                aiohttp.ClientProxyConnectionError(_KEY, _REFUSED),
                "connect_failed",
                "the proxy does not answer (Connection refused)",
            ),
            (
                aiohttp.ClientHttpProxyError(_REQUEST, ()),
                "connect_failed",
                "the proxy refused the connection",
            ),
            (
                aiohttp.ServerDisconnectedError(),
                "connect_failed",
                "it closed the connection without an answer",
            ),
            (
                aiohttp.ServerFingerprintMismatch(b"a", b"b", "host", 443),
                "connect_failed",
                "its certificate is not the pinned one",
            ),
            (
                aiohttp.ClientConnectionResetError(errno.ECONNRESET, "x"),
                "connect_failed",
                "no connection (Connection reset by peer)",
            ),
            (ConnectionAbortedError(errno.ECONNABORTED, "x"), "connect_failed", "no connection "),
            (UnicodeError("label too long"), "connect_failed", "the host name is not valid"),
            (aiohttp.InvalidURL("http://a:b:c"), "connect_failed", "the URL is not valid"),
            (
                aiohttp.NonHttpUrlClientError("ftp://a"),
                "connect_failed",
                "the URL is not HTTP",
            ),
            (
                aiohttp.TooManyRedirects(_REQUEST, ()),
                "api_failed",
                "too many redirects",
            ),
            (
                aiohttp.ContentTypeError(_REQUEST, ()),
                "api_failed",
                "its answer is not valid HTTP",
            ),
            (aiohttp.ClientPayloadError(), "api_failed", "its answer was cut off"),
            (DecodeError(), "api_failed", "its answer is not that of a LiveKit server"),
            (aiohttp.ClientError(), "api_failed", "the request failed with ClientError"),
        ]
    ],
)
def test_errors_on_the_way_to_the_server(error: BaseException, reason: str, detail: str) -> None:
    """What keeps a request from the server is told by its cause, after action and place."""
    failure = _fails_with(error)
    assert failure.reason == reason
    assert failure.detail.startswith(f"create room at host:443: {detail}")


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (401, "unauthenticated", Reason.AUTH_FAILED),
        (403, "permission_denied", Reason.AUTH_FAILED),
        (400, "invalid_argument", Reason.API_FAILED),
        (404, "not_found", Reason.API_FAILED),
        (412, "failed_precondition", Reason.API_FAILED),
        (500, "internal", Reason.API_FAILED),
        (503, "unavailable", Reason.API_FAILED),
    ],
)
@pytest.mark.parametrize("kind", [api.ServerError, api.SipCallError])
def test_answers_that_are_errors(
    kind: type[api.ServerError], status: int, code: str, reason: Reason
) -> None:
    """Refusals are auth_failed, all other errors are api_failed; no message leaks a token."""
    failure = _fails_with(kind(code, f"invalid token: {_TOKEN}\nsecond line", status=status))
    assert failure.reason is reason
    assert f"HTTP {status}" in failure.detail
    assert "\n" not in failure.detail
    assert "eyJ" not in failure.detail


def test_an_answer_without_words_is_not_a_livekit_servers() -> None:
    """A web server that knows no such path is recognised as another kind of server."""
    failure = _fails_with(api.ServerError("unknown", "", status=404))
    assert failure.reason is Reason.API_FAILED
    assert "HTTP 404, which is not an answer of a LiveKit server" in failure.detail


def test_a_programming_error_is_not_hidden() -> None:
    """What is no failure of a request passes as it is."""
    with pytest.raises(TypeError), translated("create room", "host", 5.0):
        raise TypeError


def test_lines_are_bounded() -> None:
    """However long an answer is, its line stays short and without line breaks or tokens."""
    line = one_line(f"a\n  b {_TOKEN} " + "x" * 1000)
    assert line.startswith("a b (token) xxx")
    assert len(line) == 240


def test_braces_in_an_error_are_no_placeholders() -> None:
    """Words of the operating system with braces in them do not break the message."""
    error: Any = aiohttp.ClientOSError()
    error.strerror = "{odd}"
    assert "no connection ({odd})" in _fails_with(error).detail
