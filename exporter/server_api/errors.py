"""Every way a request to the server API can fail, and the Reason that it becomes."""
# ruff: noqa: PLC0415 - as in client

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING

from exporter.errors import ProbeError
from exporter.limits import Limit
from exporter.outcome import Reason
from exporter.server_api.clock import ServerClock
from exporter.server_api.pace import Busy

if TYPE_CHECKING:
    from livekit.api import ServerError

_TOKEN = re.compile(r"eyJ[\w-]+(\.[\w-]*){0,2}")
_LONGEST = 240
_REFUSED = frozenset({401, 403})


@contextmanager
def translated(
    action: str, address: str, timeout_s: float, clock: ServerClock | None = None
) -> Iterator[None]:
    """Turn what the block raises for HTTP, TLS, DNS and the server API into `ProbeError`.

    Args:
        action: What was tried, as `create room`.
        address: Host and port, for the message.
        timeout_s: The limit of one request, for the message.
        clock: The server's, by its answers; for the message, too.
    """
    import aiohttp
    from google.protobuf.message import DecodeError
    from livekit.api import ServerError

    try:
        yield
    except Busy as error:
        # A 503 that stays is an outage, whatever it says of coming back.
        busy = error.status == HTTPStatus.TOO_MANY_REQUESTS
        reason, words = Reason.QUOTA_EXCEEDED if busy else Reason.API_FAILED, str(error)
    except ServerError as error:
        reason, words = _answer(error)
        if error.status == HTTPStatus.UNAUTHORIZED and clock:
            words += clock.blame()
    except (aiohttp.ClientError, OSError, UnicodeError, DecodeError) as error:
        reason, words = _explained(error)
        words = words.replace("{limit}", f"{timeout_s:g} s")
    else:
        return
    raise ProbeError(reason, one_line(f"{action} at {address}: {words}")) from None


def unanswered(limit: Limit, action: str, address: str, since: float, limit_s: float) -> ProbeError:
    """Return the error of a request without an answer; see `Limit.ran_out`.

    Args:
        limit: That ran out.
        action: What was tried, as `create room`.
        address: Host and port.
        since: When it was sent, on the monotonic clock.
        limit_s: How long the answer was waited for.
    """
    detail = one_line(f"{action} at {address}: no answer within {limit_s:g} s")
    return limit.ran_out(detail, since, limit_s)


def one_line(text: str) -> str:
    """Return the text as one line of bounded length, with anything like a token taken out."""
    line = " ".join(_TOKEN.sub("(token)", text).split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."


def _answer(error: "ServerError") -> tuple[Reason, str]:
    """Explain an answer of the server that is an error."""
    if error.status in _REFUSED:
        # The message is left out: the server repeats the token in it.
        return Reason.AUTH_FAILED, (
            f"the server refused the API key or secret, or they lack the grant "
            f"(HTTP {error.status})"
        )
    if not error.message:
        return Reason.API_FAILED, (
            f"HTTP {error.status}, which is not an answer of a LiveKit server"
        )
    message = error.message.removeprefix("twirp error unknown: ")
    return Reason.API_FAILED, f"{message} ({error.code}, HTTP {error.status})"


def _explained(error: Exception) -> tuple[Reason, str]:
    """Explain an error of the transport by the row of its nearest class."""
    rows = explanations()
    for kind in type(error).__mro__:
        if kind in rows:
            reason, words = rows[kind]
            return reason, words.replace("{os}", _os_words(error))
    # A class that no row foresees: the request failed, and its name is all that is safe to say.
    return Reason.API_FAILED, f"the request failed with {type(error).__name__}"


def _os_words(error: BaseException) -> str:
    """Return what the operating system said, as `Connection refused`, or the error's class."""
    inner = getattr(error, "os_error", getattr(error, "certificate_error", error))
    if words := getattr(inner, "verify_message", ""):
        return str(words)
    number = getattr(inner, "errno", None)
    if isinstance(number, int) and number > 0:
        return os.strerror(number)
    return str(getattr(inner, "strerror", None) or type(inner).__name__)


@cache
def explanations() -> dict[type[BaseException], tuple[Reason, str]]:
    """Return reason and words by error class; a class without a row takes its base's.

    `{os}` stands for the words of the operating system, `{limit}` for the time limit.
    """
    import aiohttp
    from google.protobuf.message import DecodeError

    unreachable, odd = Reason.CONNECT_FAILED, Reason.API_FAILED
    untrusted = (
        "this host does not trust the certificate ({os}); set livekit.ca_file to a private "
        "certificate authority"
    )
    elsewhere = (odd, "it redirects to a URL that is not HTTP")
    return {
        TimeoutError: (unreachable, "no answer within {limit}"),
        aiohttp.ServerTimeoutError: (unreachable, "no answer within {limit}"),
        aiohttp.ClientConnectorDNSError: (unreachable, "the host name does not resolve ({os})"),
        aiohttp.ClientConnectorCertificateError: (unreachable, untrusted),
        aiohttp.ClientSSLError: (unreachable, "no TLS connection: is it plain http or ws?"),
        aiohttp.ServerFingerprintMismatch: (unreachable, "its certificate is not the pinned one"),
        aiohttp.ClientProxyConnectionError: (unreachable, "the proxy does not answer ({os})"),
        aiohttp.ClientHttpProxyError: (unreachable, "the proxy refused the connection"),
        aiohttp.ServerDisconnectedError: (
            unreachable,
            ("it closed the connection without an answer"),
        ),
        aiohttp.ClientConnectionError: (unreachable, "no connection ({os})"),
        OSError: (unreachable, "no connection ({os})"),
        # From the resolver, for a host name with an empty label or one over 63 letters.
        UnicodeError: (unreachable, "the host name is not valid"),
        aiohttp.InvalidURL: (unreachable, "the URL is not valid"),
        aiohttp.NonHttpUrlClientError: (unreachable, "the URL is not HTTP"),
        aiohttp.RedirectClientError: elsewhere,
        # These two are of the families of the URL rows too.
        aiohttp.InvalidUrlRedirectClientError: elsewhere,
        aiohttp.NonHttpUrlRedirectClientError: elsewhere,
        aiohttp.TooManyRedirects: (odd, "too many redirects"),
        aiohttp.ClientResponseError: (odd, "its answer is not valid HTTP"),
        aiohttp.ClientPayloadError: (odd, "its answer was cut off"),
        aiohttp.UploadAbortedError: (odd, "it answered before the request was sent"),
        DecodeError: (odd, "its answer is not that of a LiveKit server"),
    }
