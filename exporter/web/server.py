"""Serving HTTP to strangers: uvicorn, with limits for clients that are slow, many or both.

uvicorn has no limit for a slow request, a slow reader or a slow handshake, and counts connections
only once they have sent a request. Here each connection has so many seconds for each of these, and
what is more than the allowed number is closed at once, so that descriptors are left for the probes.
"""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.server import ServerState

from exporter.errors import ConfigError
from exporter.web.refusals import RefusalReason, Refusals
from exporter.web.settings import EVERYWHERE, WebSettings
from exporter.web.tls import subject_names
from exporter.web.web_config import WebConfigWatch

log = logging.getLogger(__name__)

_STOP_S = 1
"""For requests under way when the exporter stops."""
_TLS_GOODBYE_S = 2.0
"""For the client to end TLS as we do; most never answer."""
_ACCEPT_AGAIN_S = 1.0
"""After the system has no descriptor left, or whatever else is wrong."""
_PIECE = 16 * 1024
_MAPPED = "::ffff:"
"""Before an IPv4 address that an IPv6 socket has met."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What one client may take of us."""

    connections: int = 512
    request_s: float = 10.0
    """From a connection's beginning, or a request's first byte, to the request's last."""
    response_s: float = 10.0
    """For the client to read what we have written."""
    handshake_s: float = 10.0
    keep_alive_s: int = 5
    """Until the next request begins."""
    discarded_bytes: int = 1024 * 1024
    """Read of a body that nobody wants, so that the client sees the answer before the end."""


class Timer:
    """Calls once when it was not stopped in time; starting it again changes nothing."""

    def __init__(self, seconds: float, call: Callable[[], None]) -> None:
        self._seconds = seconds
        self._call = call
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to count, unless it counts already."""
        if self._handle is None:
            self._handle = asyncio.get_running_loop().call_later(self._seconds, self._call)

    def stop(self) -> None:
        """Count no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


class BoundedProtocol(H11Protocol):
    """One connection, with an end for whatever the client draws out."""

    def __init__(
        self,
        config: uvicorn.Config,
        state: ServerState,
        limits: ConnectionLimits,
        refusals: Refusals,
        *,
        allowed_names: frozenset[str],
        on_made: Callable[[], object],
    ) -> None:
        """Set up.

        Args:
            config: uvicorn's.
            state: Shared by all connections.
            limits: What the client may take.
            refusals: Told of connections that are cut off.
            allowed_names: One of them must be in the client's certificate, if it has shown one;
                empty for any.
            on_made: Called once it is among the connections of the state.
        """
        super().__init__(config, state, {})
        self._on_made = on_made
        self._limits = limits
        self._refusals = refusals
        self._allowed_names = allowed_names
        self._for_request = Timer(limits.request_s, self._too_slow)
        self._for_response = Timer(limits.response_s, self._too_slow)
        self._begun = False
        self._discarded = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; the first request is awaited from now on."""
        super().connection_made(transport)
        if self.client:
            self.client = self.client[0].removeprefix(_MAPPED), self.client[1]
        self._on_made()
        # Whatever the client has not taken yet counts as not read, however little it is. Not 0:
        # with that, the TLS of asyncio takes an empty buffer for a full one.
        transport.set_write_buffer_limits(high=1, low=0)
        certificate = _certificate_of(transport)
        self.app_state["certificate"] = bool(certificate)
        allowed = self._allowed_names
        if certificate and allowed and allowed.isdisjoint(subject_names(certificate)):
            self._cut_off(RefusalReason.CERTIFICATE)
            return
        self._for_request.start()

    def data_received(self, data: bytes) -> None:
        """Take bytes of a request."""
        self._begun = True
        if self._is_unwanted():
            self._discarded += len(data)
            if self._discarded > self._limits.discarded_bytes:
                self.transport.close()
                return
        # In pieces: a head that comes whole would never be measured against the limit of heads.
        for at in range(0, len(data), _PIECE):
            if not self.transport.is_closing():
                super().data_received(data[at : at + _PIECE])
        if self.conn.their_state in (h11.IDLE, h11.SEND_BODY):
            self._for_request.start()
        else:
            self._discarded = 0
            self._for_request.stop()

    def on_response_complete(self) -> None:
        """Go on with what the client has sent meanwhile: the next request, or its beginning."""
        super().on_response_complete()
        # Of a body that came in part with the request before, no more bytes need ever come.
        if self.conn.their_state is h11.SEND_BODY:
            self._for_request.start()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP; where an answer was begun already, only an end is left."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._for_request.stop()
        self._for_response.stop()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Note that the client has not taken everything."""
        super().pause_writing()
        self._for_response.start()

    def resume_writing(self) -> None:
        """Note that the client has taken everything."""
        super().resume_writing()
        self._for_response.stop()

    def _is_unwanted(self) -> bool:
        """Return whether the request was answered before its body has ended."""
        cycle: RequestResponseCycle | None = self.cycle  # uvicorn's own type has no None
        answered = cycle is not None and cycle.response_complete
        return answered and self.conn.their_state is h11.SEND_BODY

    def _too_slow(self) -> None:
        if self._begun:
            self._cut_off(RefusalReason.TOO_SLOW)
        else:  # somebody who only knocked: a port scan, a browser that connects in advance
            self.transport.abort()

    def _cut_off(self, reason: RefusalReason) -> None:
        scope = cast("Mapping[str, str] | None", self.scope)  # None before the first request
        path = scope["path"] if scope else ""
        self._refusals.note(reason, self.client[0] if self.client else "", path)
        self.transport.abort()


def _certificate_of(transport: asyncio.Transport) -> Mapping[str, Any] | None:
    """Return the certificate that a client has shown and TLS has verified."""
    secured: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    return secured.getpeercert() if secured else None


def listen(web: WebSettings) -> socket.socket:
    """Return a listening socket; every address is IPv6 and IPv4, where the kernel has both.

    Raises:
        ConfigError: The address cannot be had.
    """
    everywhere = web.host == EVERYWHERE
    both = everywhere and socket.has_dualstack_ipv6()
    host = "0.0.0.0" if everywhere and not both else web.host  # noqa: S104 - as a person wrote
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server(
            (host, web.port), family=family, backlog=128, dualstack_ipv6=both
        )
    except OSError as error:
        why = (error.strerror or str(error)).partition(" (while")[0].lower()
        raise ConfigError(
            f"web.listen_address: cannot listen on {web.listen_address}: {why}; "
            "expected a free address of this host"
        ) from None


def shown(listener: socket.socket) -> str:
    """Return HOST:PORT of a listening socket, as it stands in a URL."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def pages_url(listener: socket.socket, web: WebSettings, *, has_tls: bool) -> str:
    """Return where a browser finds the pages, without a slash at the end.

    Args:
        listener: What the exporter listens on.
        web: Its settings, of which external_url says it where there is one.
        has_tls: Whether the pages are there by https.
    """
    if web.external_url is not None:
        return web.external_url.rstrip("/")
    address = shown(listener)
    if listener.getsockname()[0] in {EVERYWHERE, "0.0.0.0"}:  # noqa: S104 - compared with, not bound
        address = f"{socket.gethostname()}:{listener.getsockname()[1]}"
    return f"{'https' if has_tls else 'http'}://{address}{web.paths.external}"


class Acceptor:
    """Accepts the connections of one listening socket."""

    def __init__(self, listener: socket.socket, take: Callable[[socket.socket, str], None]) -> None:
        """Begin, in the running loop.

        Args:
            listener: Listening; closed by who made it.
            take: Called with every connection and its peer's address.
        """
        self._listener = listener
        self._take = take
        self._task = asyncio.ensure_future(self._run())

    def close(self) -> None:
        """Accept no more."""
        self._task.cancel()

    async def wait_closed(self) -> None:
        """Wait until nothing more is accepted."""
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        self._listener.setblocking(False)
        while True:
            try:
                connection, address = await loop.sock_accept(self._listener)
            except ConnectionAbortedError:
                continue  # it was gone before it was accepted
            except OSError as error:
                log.error("cannot accept connections", extra={"error": error.strerror})  # noqa: TRY400
                # Without a pause the loop would stand still: an error is there at once.
                await asyncio.sleep(_ACCEPT_AGAIN_S)
                continue
            self._take(connection, str(address[0]).removeprefix(_MAPPED))


class WebServer(uvicorn.Server):
    """uvicorn with our limits, our TLS, and without its signal handlers: those are the daemon's."""

    def __init__(
        self,
        app: ASGIApp,
        web_config: WebConfigWatch,
        refusals: Refusals,
        limits: ConnectionLimits = ConnectionLimits(),
    ) -> None:
        """Set up; `serve(sockets=[...])` serves until `should_exit` is set.

        Args:
            app: Answers requests.
            web_config: TLS as it holds for each new connection.
            refusals: Told of connections that are refused or cut off.
            limits: What one client may take.
        """
        super().__init__(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                # A header must not change who the client is.
                proxy_headers=False,
                timeout_keep_alive=limits.keep_alive_s,
                timeout_graceful_shutdown=_STOP_S,
            )
        )
        self._web_config = web_config
        self._refusals = refusals
        self._limits = limits
        self._opening: set[asyncio.Task[None]] = set()
        self._watch: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept on these sockets, and to watch the web configuration."""
        acceptors = [Acceptor(each, self.open) for each in sockets or ()]
        self.servers = cast("list[asyncio.Server]", acceptors)  # `close` and `wait_closed` are used
        self._watch = asyncio.create_task(self._web_config.watch())
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, and end what is open."""
        for task in (self._watch, *self._opening):
            if task is not None:
                task.cancel()
        await super().shutdown(sockets)

    def open(self, connection: socket.socket, peer: str) -> None:
        """Serve a connection, unless there are too many; one that shakes hands counts."""
        if len(self._opening) + len(self.server_state.connections) >= self._limits.connections:
            self._refusals.note(RefusalReason.CONNECTIONS, peer)
            connection.close()
            return
        task = asyncio.ensure_future(self._open(connection))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, connection: socket.socket) -> None:
        config = self._web_config.current
        # From then on it is counted as a connection, and must not be counted twice.
        made = partial(self._opening.discard, asyncio.current_task())

        def make_protocol() -> BoundedProtocol:
            return BoundedProtocol(
                self.config,
                self.server_state,
                self._limits,
                self._refusals,
                allowed_names=config.allowed_names,
                on_made=made,
            )

        handshake_s = self._limits.handshake_s if config.tls else None
        loop = asyncio.get_running_loop()
        # A client that is gone or cannot agree on TLS is not logged; TLS reports it to the client.
        with contextlib.suppress(OSError):
            await loop.connect_accepted_socket(
                make_protocol,
                connection,
                ssl=config.tls,
                ssl_handshake_timeout=handshake_s,
                ssl_shutdown_timeout=_TLS_GOODBYE_S if config.tls else None,
            )
