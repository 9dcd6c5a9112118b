"""The way to a server through a proxy, and to one that only an authority of its own has signed."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from exporter.errors import ProbeError
from exporter.outcome import Reason, SfuReach
from exporter.probes.reach.spec import ReachConfig
from exporter.rtc.signalling import join_and_leave
from exporter.run.runner import Runner
from exporter.server_api import Server, ServerApi
from tests.certificates import Certificates
from tests.patience import WAIT_S

SECRET = "a-secret-of-at-least-thirty-two-characters"  # noqa: S105 - made up
VARIABLES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


async def rooms(server: Server) -> None:
    """Ask the server API."""
    async with ServerApi(server) as api:
        await api.list_rooms()


async def join(server: Server) -> None:
    """Join by signalling alone."""
    await join_and_leave(server, "a-token", WAIT_S)


@pytest.fixture(name="environ", autouse=True)
def _environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without any proxy."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    return monkeypatch


@asynccontextmanager
async def proxy() -> AsyncIterator[tuple[str, list[str]]]:
    """Serve a proxy that refuses everything; its address, and the first lines of requests."""
    lines: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines.append(head.decode().partition("\r\n")[0])
        writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", lines


@pytest.mark.parametrize("ask", [rooms, join])
@pytest.mark.parametrize(
    ("url", "variable", "line"),
    [
        ("wss://livekit.invalid", "HTTPS_PROXY", "CONNECT livekit.invalid:443 HTTP/1.1"),
        ("ws://livekit.invalid:7880", "http_proxy", "http://livekit.invalid:7880/"),
    ],
)
def test_a_proxy_of_the_environment_is_used(
    ask: Callable[[Server], Awaitable[None]],
    url: str,
    variable: str,
    line: str,
    environ: pytest.MonkeyPatch,
) -> None:
    """API and signalling go by the proxy, as the SDK does; NO_PROXY makes them go straight."""

    async def scenario() -> tuple[list[str], ProbeError]:
        async with proxy() as (address, lines):
            environ.setenv(variable, f"http://{address}")
            with pytest.raises(ProbeError):
                await ask(Server(url, "key", SECRET))
            environ.setenv("NO_PROXY", "livekit.invalid")
            with pytest.raises(ProbeError) as straight:
                await ask(Server(url, "key", SECRET))
        return lines, straight.value

    lines, straight = asyncio.run(scenario())
    assert len(lines) == 1
    assert line in lines[0]
    assert "does not resolve" in straight.detail


@asynccontextmanager
async def with_tls(server: Server, certificates: Certificates) -> AsyncIterator[Server]:
    """Put TLS before a server, with a certificate of `localhost` by an authority of the test."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates.issue("localhost", "DNS:localhost"))
    host, port = server.url.removeprefix("ws://").split(":")

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(2**16):
                writer.write(data)
                await writer.drain()
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection(host, int(port))
        pumps = pump(reader, inner_writer), pump(inner_reader, writer)
        await asyncio.gather(*pumps, return_exceptions=True)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with listener:
        yield replace(server, url=f"wss://localhost:{listener.sockets[0].getsockname()[1]}")


@pytest.mark.integration
def test_an_authority_of_ones_own(livekit: Server, certificates: Certificates) -> None:
    """With `livekit.ca_file` API, signalling, media and preflight work; without, who is named.

    As the daemon does it: in a process of its own.
    """

    async def scenario() -> tuple[ProbeError, SfuReach]:
        async with with_tls(livekit, certificates) as server:
            with pytest.raises(ProbeError) as caught:
                await rooms(server)
            runner = Runner(replace(server, ca_file=str(certificates.ca)), processes=1)
            try:
                outcome = await runner.run("reach", ReachConfig())
            finally:
                await runner.aclose()
            assert isinstance(outcome.result, SfuReach), outcome.detail
            return caught.value, outcome.result

    refused, reach = asyncio.run(scenario())
    assert refused.reason is Reason.CONNECT_FAILED
    assert "this host does not trust the certificate (unable to get local issuer" in refused.detail
    assert "livekit.ca_file" in refused.detail
    assert {way.name for way in reach.transports if way.works} >= {"udp", "tcp"}
    (certificate,) = reach.certificates
    assert (certificate.fault, certificate.expires_at is not None) == ("", True)
