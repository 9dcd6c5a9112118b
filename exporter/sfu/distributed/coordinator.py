"""Serve a session until its ramp is over."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable

import uvicorn

from exporter.errors import ConfigError, ProbeError
from exporter.outcome import RampProgress
from exporter.probes.ramp import RampConfig
from exporter.run.process import delete_leftovers
from exporter.server_api import Server
from exporter.sfu.distributed.api import make_app
from exporter.sfu.distributed.config import DistributedConfig
from exporter.sfu.distributed.session import DistributedRamp, Patience, Session

log = logging.getLogger(__name__)

_CLOSE_S = 2.0
"""For requests under way, when the server closes."""


async def coordinate(
    server: Server,
    ramp: RampConfig,
    config: DistributedConfig,
    expect: int,
    show: Callable[[RampProgress], None],
) -> DistributedRamp:
    """Lead several vantages through one ramp; their rooms are gone in the end.

    Args:
        server: The SFU that they load.
        ramp: The tiers of each vantage, and the targets.
        config: Where to listen.
        expect: Vantages that take part.
        show: Told how far it is.

    Raises:
        ConfigError: It cannot listen there.
    """
    patience = Patience(gather_s=config.gather_timeout, silent_s=config.silent_timeout)
    session = Session(ramp, expect, patience=patience, show=show)
    try:
        async with _serving(session, config):
            return await session.run()
    finally:
        try:
            await asyncio.to_thread(delete_leftovers, server, (), session.rooms)
        except ProbeError as error:  # empty rooms close by themselves
            log.warning("rooms of the ramp not deleted", extra={"error": str(error)})


@contextlib.asynccontextmanager
async def _serving(session: Session, config: DistributedConfig) -> AsyncIterator[None]:
    """Serve the API within the block."""
    with contextlib.closing(listen(config)) as listener:
        web = _Web(
            uvicorn.Config(
                make_app(session, config.shared_token),
                log_config=None,
                access_log=False,
                lifespan="off",
                ssl_certfile=config.tls_certificate,
                ssl_keyfile=config.tls_key,
                timeout_graceful_shutdown=int(_CLOSE_S),
            )
        )
        serving = asyncio.create_task(web.serve(sockets=[listener]))
        host, port = listener.getsockname()[:2]
        log.info("waiting for vantages", extra={"address": f"{host}:{port}"})
        try:
            yield
        finally:
            web.should_exit = True
            await asyncio.wait((serving,), timeout=_CLOSE_S + 1.0)


class _Web(uvicorn.Server):
    """Leaves signals to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


def listen(config: DistributedConfig) -> socket.socket:
    """Return a listening socket.

    Raises:
        ConfigError: Everybody could use it, or the address cannot be had.
    """
    where = f"{config.address}:{config.port}"
    if not config.is_loopback and not config.shared_token:
        raise ConfigError(
            f"distributed.address: {where} can be reached from elsewhere; expected a token, in "
            "VOICE_EXPORTER_DISTRIBUTED__TOKEN for instance, or a loopback address"
        )
    family = socket.AF_INET6 if ":" in config.address else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.address.strip("[]"), config.port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        why = (error.strerror or str(error)).lower()
        raise ConfigError(
            f"distributed.port: cannot listen on {where}: {why}; expected a free address of "
            "this host"
        ) from None
    return listener
