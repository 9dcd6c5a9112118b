"""Serve a session until its ramp is over."""

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable

from prometheus_client import CollectorRegistry

from exporter.distributed.api import make_app
from exporter.distributed.config import DistributedConfig
from exporter.distributed.session import DistributedRamp, Patience, Session
from exporter.errors import ConfigError, ProbeError
from exporter.metrics.registry import Metrics
from exporter.outcome import RampProgress
from exporter.probes.ramp.spec import RampConfig
from exporter.run.process import delete_leftovers
from exporter.server_api import Server
from exporter.web.refusals import Refusals
from exporter.web.server import ConnectionLimits, WebServer, shown
from exporter.web.web_config import WebConfig, WebConfigWatch

log = logging.getLogger(__name__)

LIMITS = ConnectionLimits()
"""What one client may take of us, before it has shown the token."""
_CLOSE_S = 3.0
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
        ConfigError: It cannot listen there, or certificate and key are none.
    """
    patience = Patience(gather_s=config.gather_timeout, silent_s=config.silent_timeout)
    session = Session(ramp, expect, patience=patience, show=show)
    async with _serving(session, config):
        try:
            return await session.run()
        finally:
            for prefix in session.orphans:
                await _delete_rooms(server, prefix)


async def _delete_rooms(server: Server, prefix: str) -> None:
    """Delete the rooms of a vantage that does not do so itself."""
    try:
        await asyncio.to_thread(delete_leftovers, server, (), prefix)
    except ProbeError as error:  # empty rooms close by themselves
        log.warning("rooms of the ramp not deleted", extra={"error": str(error)})


@contextlib.asynccontextmanager
async def _serving(session: Session, config: DistributedConfig) -> AsyncIterator[None]:
    """Serve the API within the block."""
    with contextlib.closing(listen(config)) as listener:
        tls = WebConfigWatch(None)
        tls.current = WebConfig(tls=tls_context(config))
        refusals = Refusals(Metrics(CollectorRegistry(), ""))
        web = WebServer(make_app(session, config.shared_token), tls, refusals, LIMITS)
        serving = asyncio.create_task(web.serve(sockets=[listener]))
        log.info("waiting for vantages", extra={"address": shown(listener)})
        try:
            yield
        finally:
            web.should_exit = True
            await asyncio.wait((serving,), timeout=_CLOSE_S)


def tls_context(config: DistributedConfig) -> ssl.SSLContext | None:
    """Return how connections are encrypted; None if they are not.

    Raises:
        ConfigError: Certificate or key cannot be read, or do not belong together.
    """
    if config.tls_certificate is None or config.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(config.tls_certificate, config.tls_key, password=_no_password)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"distributed.tls_certificate: {config.tls_certificate} and {config.tls_key}: "
            f"{error}; expected a certificate and its key without a password, as PEM"
        ) from None
    return context


def _no_password() -> str:
    """Answer instead of prompting at the terminal."""
    raise ValueError("the key has a password")


def listen(config: DistributedConfig) -> socket.socket:
    """Return a listening socket.

    Raises:
        ConfigError: Everybody could use it, or the address cannot be had.
    """
    where = f"{config.address}:{config.port}"
    if not config.is_loopback and not config.shared_token:
        raise ConfigError(
            f"distributed.address: {where} is reachable from other hosts; expected a token, for "
            "instance in VOICE_EXPORTER_DISTRIBUTED__TOKEN, or a loopback address"
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
