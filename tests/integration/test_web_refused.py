"""What the web server refuses, and what a bad client can do to connections and bodies."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import httpx
import psutil
import pytest

from exporter.web.gate import BODY_LIMIT
from exporter.web.server import ConnectionLimits
from tests import patience, plain_http
from tests.integration.from_elsewhere import TOKEN
from tests.integration.serving import Serving
from tests.integration.web_client import BEARER, QUICK, ends, is_served
from tests.patience import until

BEAT = b'{"agent_name": "demo", "status": "idle"}'
HEARTBEAT = "/api/v1/workers/AW_1/heartbeat"
CLOSED = 0
"""In place of a status: the connection was closed without an answer."""


@pytest.fixture(name="guarded", scope="module")
def _guarded() -> Iterator[Serving]:
    """A server with a token, which nobody in this file may get to do anything without it."""
    with Serving(token=TOKEN) as serving:
        yield serving


@pytest.fixture(name="impatient", scope="module")
def _impatient() -> Iterator[Serving]:
    """The same, with little time for slow clients."""
    with Serving(limits=QUICK, token=TOKEN) as serving:
        yield serving


@pytest.fixture(name="local")
def _local() -> Iterator[Serving]:
    """A server without a token."""
    with Serving() as serving:
        yield serving


def raw(serving: Serving, request: bytes) -> int:
    """Send these bytes and return the status of the answer."""
    with serving.connect() as connection:
        connection.sendall(request)
        return status_of(connection)


def status_of(connection: socket.socket) -> int:
    """Read the first line of an answer."""
    try:
        line = connection.makefile("rb").readline()
    except ConnectionResetError:
        return CLOSED
    return int(line.split()[1]) if line else CLOSED


def asked(method: str, path: str, **headers: str) -> Callable[[Serving], int]:
    """Return an attempt by an honest client; header names have _ for -."""

    def attempt(serving: Serving) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with httpx.Client(trust_env=False) as client:
            content = BEAT if method == "POST" else None
            return client.request(
                method, serving.url(path), headers=named, content=content
            ).status_code

    return attempt


def typed(line: str, *headers: str) -> Callable[[Serving], int]:
    """Return an attempt with a request line that no honest client sends."""
    text = "\r\n".join((line, "Host: 127.0.0.1", "Connection: close", *headers, "", ""))
    return lambda serving: raw(serving, text.encode())


def large(serving: Serving) -> int:
    """Announce a body of 100 MB, and begin to send it."""
    head = f"POST /-/reload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
    return raw(serving, f"{head}Content-Length: 100000000\r\n\r\n".encode() + bytes(2**16))


def large_in_chunks(serving: Serving) -> int:
    """Send a heartbeat without an end, whose length is not announced."""
    head = (
        f"POST /api/v1/workers/AW_1/heartbeat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}"
    )
    chunk = b"10000\r\n" + bytes(2**16) + b"\r\n"
    request = f"{head}\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    return raw(serving, request + chunk * (BODY_LIMIT // 2**16 + 1))


def slow_head(serving: Serving) -> int:
    """Send a head byte by byte, for as long as it is let."""
    return drip(serving, b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ")


def slow_body(serving: Serving) -> int:
    """Send a body byte by byte, for as long as it is let."""
    head = (
        f"POST /api/v1/workers/AW_1/heartbeat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}"
    )
    return drip(serving, f"{head}\r\nContent-Length: 1000\r\n\r\n".encode())


def slow_second(serving: Serving) -> int:
    """Send a request and the beginning of another at once, then nothing more."""
    head = (
        f"POST /api/v1/workers/AW_1/heartbeat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}"
    )
    second = f"{head}\r\nContent-Length: 1000\r\n\r\n{{".encode()
    with serving.connect() as connection:
        connection.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n" + second)
        assert ends(connection), "never cut off"
    return CLOSED


def drip(serving: Serving, begin: bytes) -> int:
    """Begin a request, go on slowly, and return how it ends; it must end."""
    with serving.connect() as connection:
        connection.sendall(begin)
        connection.settimeout(0.05)
        limit = time.monotonic() + patience.WAIT_S
        while time.monotonic() < limit:
            try:
                connection.sendall(b"a")
                if not connection.recv(1):
                    return CLOSED
            except TimeoutError:
                continue
            except OSError:
                return CLOSED
    raise AssertionError("never cut off")


@dataclass(frozen=True)
class Attempt:
    """Something that must not get through."""

    what: str
    do: Callable[[Serving], int]
    status: int
    reason: str = ""
    """How it is counted, if it is."""


RELOAD = partial(asked, "POST", "/-/reload")
PROBE = partial(asked, "GET", "/probe?target=demo")
ODD_WORKER = "/api/v1/workers/a%20b/heartbeat"
TWO_LENGTHS = ("Content-Length: 1", "Content-Length: 2")

ATTEMPTS = (
    Attempt("reload without a token", RELOAD(), 401, "token"),
    Attempt("reload with a wrong token", RELOAD(authorization="Bearer x"), 401, "token"),
    Attempt("reload with half of it", RELOAD(authorization=f"Bearer {TOKEN[:9]}"), 401, "token"),
    Attempt("reload with it as a password", RELOAD(authorization=f"Basic {TOKEN}"), 401, "token"),
    Attempt("token in the address", asked("POST", f"/-/reload?token={TOKEN}"), 401, "token"),
    Attempt("reload for another site", RELOAD(origin="http://a.example", **BEARER), 403, "origin"),
    Attempt("reload for a page without one", RELOAD(origin="null", **BEARER), 403, "origin"),
    Attempt("reload by GET", asked("GET", "/-/reload", **BEARER), 405),
    Attempt("heartbeat without a token", asked("POST", HEARTBEAT), 401, "token"),
    Attempt("heartbeat of an odd worker", asked("POST", ODD_WORKER, **BEARER), 422),
    Attempt("probe without a token", PROBE(), 401, "token"),
    Attempt("probe of a stranger", asked("GET", "/probe?target=other", **BEARER), 404),
    Attempt("probe of no one", asked("GET", "/probe", **BEARER), 422),
    Attempt("probe by an image", PROBE(sec_fetch_site="cross-site", **BEARER), 403, "origin"),
    Attempt("probe by HEAD", asked("HEAD", "/probe?target=demo", **BEARER), 405),
    Attempt("an unknown method", typed("REBOOT /metrics HTTP/1.1"), 401, "token"),
    Attempt("..", typed("GET /-/../metrics HTTP/1.1"), 404, "path"),
    Attempt("//", typed("POST //-/reload HTTP/1.1"), 404, "path"),
    Attempt("%2e%2e", typed("GET /%2e%2e/metrics HTTP/1.1"), 404, "path"),
    Attempt("%2f", typed("POST /-%2Freload HTTP/1.1"), 404, "path"),
    Attempt("./", typed("GET /./metrics HTTP/1.1"), 404, "path"),
    Attempt("a whole URL", typed("GET http://127.0.0.1/metrics HTTP/1.1"), 404, "path"),
    Attempt("no HTTP", typed("\x16\x03\x01 hello"), 400),
    Attempt("a head of 100 KB", typed("GET / HTTP/1.1", "X-Large: " + "a" * 100_000), 400),
    Attempt("two lengths", typed("POST /-/reload HTTP/1.1", *TWO_LENGTHS), 400),
    Attempt("a body of 100 MB", large, 413, "too_large"),
    Attempt("a body in chunks without end", large_in_chunks, 413, "too_large"),
)
SLOW_ATTEMPTS = (
    Attempt("a head of a byte at a time", slow_head, CLOSED, "too_slow"),
    Attempt("a body of a byte at a time", slow_body, CLOSED, "too_slow"),
    Attempt("a body that never comes, after a request", slow_second, CLOSED, "too_slow"),
)


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.what)
def test_refused(guarded: Serving, attempt: Attempt) -> None:
    """Each attempt gets its refusal, is counted, and changes nothing."""
    check(guarded, attempt)


@pytest.mark.parametrize("attempt", SLOW_ATTEMPTS, ids=lambda attempt: attempt.what)
def test_slow_ones_are_refused(impatient: Serving, attempt: Attempt) -> None:
    """So are those that would take for ever."""
    check(impatient, attempt)


def check(serving: Serving, attempt: Attempt) -> None:
    """Make an attempt, which must get its refusal, be counted and change nothing."""
    counted = serving.refused(attempt.reason) if attempt.reason else 0

    assert attempt.do(serving) == attempt.status

    if attempt.reason:
        assert serving.refused(attempt.reason) == counted + 1
    assert serving.behind.untouched


def test_the_same_is_done_with_the_token() -> None:
    """What is refused above works for who has the token: the refusals are not for another cause."""
    with Serving(token=TOKEN) as serving:
        done = [
            asked("POST", "/-/reload", **BEARER)(serving),
            asked("POST", HEARTBEAT, **BEARER)(serving),
            asked("GET", "/probe?target=demo", **BEARER)(serving),
            asked("GET", "/metrics")(serving),
        ]
        assert done == [200, 204, 200, 200]
        behind = serving.behind
        assert (behind.reloads, behind.calls) == (1, 1)
        assert [worker.worker_id for worker in behind.roster.workers()] == ["AW_1"]


def test_without_a_token_this_host_may_write(local: Serving) -> None:
    """From here it works; by a foreign name for us, as after DNS rebinding, it does not."""
    assert asked("POST", "/-/reload")(local) == 200
    assert asked("POST", "/-/reload", host="evil.example:9465")(local) == 403
    assert asked("POST", "/-/reload", x_forwarded_for="192.0.2.9")(local) == 403
    assert (local.refused("host"), local.refused("not_loopback")) == (1, 1)
    assert local.behind.reloads == 1


def test_a_client_is_known_by_its_own_address() -> None:
    """On a socket of both families, one that comes by IPv4 is written down by its IPv4 address."""
    with Serving("") as serving:
        answer = plain_http.post(serving.url(HEARTBEAT), content=BEAT)
        (worker,) = serving.behind.roster.workers()
        assert (answer.status_code, worker.addresses) == (204, ("127.0.0.1",))


def test_another_host_needs_the_token() -> None:
    """From an address that is none of this host: 403 without a configured token, then 401, 200."""
    if missing := [tool for tool in ("unshare", "ip") if shutil.which(tool) is None]:
        assert not os.environ.get("CI"), missing
        pytest.skip(f"needs on PATH: {', '.join(missing)}")
    address = "192.0.2.1"
    inside = f"ip link set lo up && ip addr add {address}/32 dev lo && exec {sys.executable}"
    script = f"{inside} -m tests.integration.from_elsewhere {address}"
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", script],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if "Operation not permitted" in done.stderr and not os.environ.get("CI"):
        pytest.skip("a network namespace needs root")

    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert (told["statuses"], told["reloads"]) == ([403, 401, 200], [0, 1])
    assert "set web.token or web.token_file" in told["text"]


def test_a_reader_that_does_not_read_is_cut_off() -> None:
    """1. Ask for page after page. 2. Read nothing. Result: the connection is cut, and counted."""
    with Serving(limits=QUICK) as serving:
        # Small on both sides: a kernel may hold megabytes, which take a busy machine a minute.
        serving._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        connection = serving.connect()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        limit = time.monotonic() + patience.WAIT_S
        with connection, pytest.raises(OSError, match=r"reset|[Bb]roken pipe"):
            ask_until(connection, limit)
        until(lambda: serving.refused("too_slow") == 1)


def ask_until(connection: socket.socket, limit: float) -> None:
    """Ask for a page again and again."""
    while time.monotonic() < limit:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")


def test_nonsense_after_the_answer_is_no_error(
    guarded: Serving, caplog: pytest.LogCaptureFixture
) -> None:
    """A body that turns out to be no HTTP ends the connection, and fills no log with tracebacks."""
    with guarded.connect() as connection:
        head = b"POST /-/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head)
        assert status_of(connection) == 401
        connection.sendall(b"nonsense\r\n")
        until(lambda: connection.recv(2**16) == b"")
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_a_call_for_nobody_is_ended(local: Serving) -> None:
    """1. Ask for a call. 2. Go while it runs. Result: it is cancelled, and can be made again."""
    local.behind.calls_end = False
    with local.connect() as connection:
        connection.sendall(b"GET /probe?target=demo HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: local.behind.calls == 1)
    until(lambda: local.behind.cancelled == 1)
    local.behind.calls_end = True
    assert asked("GET", "/probe?target=demo")(local) == 200


def test_a_hundred_megabytes_are_not_taken(guarded: Serving) -> None:
    """A client that does send all of it learns that it is too much, and nothing piles up here."""
    before = psutil.Process().memory_info().rss
    with httpx.Client(trust_env=False) as client:
        chunks = (bytes(2**20) for _ in range(100))
        answer = client.post(guarded.url(HEARTBEAT), content=chunks, headers=BEARER)
    assert answer.status_code == 413
    assert psutil.Process().memory_info().rss - before < 20e6
    assert is_served(guarded)


def test_connections_are_limited_and_the_rest_goes_on() -> None:
    """1. Open as many as are allowed. 2. One more is closed. 3. They go.

    Result: others are served again.
    """
    # A limit that nobody waits for: none of them times out before the last is open.
    with Serving(limits=ConnectionLimits(connections=8, request_s=patience.WAIT_S * 2)) as serving:
        with ExitStack() as held:
            for _ in range(8):
                held.enter_context(serving.connect())
            with serving.connect() as one_more:
                assert ends(one_more)
            assert serving.refused("connections") == 1
        until(lambda: is_served(serving))


def test_connections_that_ask_for_nothing_make_room(impatient: Serving) -> None:
    """Who connects and is silent is cut off, and is not counted: it may have been a browser."""
    counted = impatient.refused("too_slow")
    with impatient.connect() as silent:
        assert ends(silent)
    assert impatient.refused("too_slow") == counted


def test_nobody_is_told_what_serves(local: Serving) -> None:
    """No header Server; every answer is not to be sniffed or stored."""
    headers = plain_http.get(local.url("/metrics")).headers
    assert "server" not in headers
    assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")


def test_the_limits_in_use() -> None:
    """The tests above use tenths of seconds; an exporter has these."""
    assert ConnectionLimits() == ConnectionLimits(
        512, request_s=10, response_s=10, handshake_s=10, keep_alive_s=5
    )
