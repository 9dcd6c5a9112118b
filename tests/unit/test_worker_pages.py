"""Reading workers' pages, against servers that answer as real ones and as bad ones do."""

import asyncio
import gzip
import socket
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

from dns import asyncresolver, message, rrset

from exporter.outcome import Outcome, Reason, WorkerPage, WorkerScrape
from exporter.probe import Run
from exporter.probes.workers.measure import read_workers
from exporter.probes.workers.spec import WorkersConfig
from exporter.server_api import Server
from tests.patience import WAIT_S

GOOD = (
    '{"worker_type": "JT_ROOM", "agent_name": "demo", "active_jobs": 2.0, '
    '"sdk_version": "1.8.9", "worker_load": 0.25, "protocol_version": 1}'
)
IDLE = '{"agent_name": "demo", "sdk_version": "1.8.9", "protocol_version": 1}'


@asynccontextmanager
async def answering(
    body: str | bytes,
    status: str = "200 OK",
    header: str = "",
    asked: asyncio.Event | None = None,
) -> AsyncIterator[int]:
    """Answer every request the same, on a port of 127.0.0.1; the first sets the event."""
    content = body if isinstance(body, bytes) else body.encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if asked is not None:
            asked.set()
        head = (
            f"HTTP/1.1 {status}\r\nContent-Length: {len(content)}\r\nConnection: close\r\n{header}"
        )
        writer.write(f"{head}\r\n".encode() + content)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def hanging(until: asyncio.Event) -> AsyncIterator[int]:
    """Accept, and say nothing before that; then hang up."""

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await until.wait()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def silent() -> AsyncIterator[int]:
    """Listen and never accept."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        yield listener.getsockname()[1]


async def read(*urls: str, deadline_s: float = WAIT_S, **more: object) -> Outcome:
    """Read these once."""
    config = WorkersConfig(scrape=urls, **({"timeout": WAIT_S / 2} | more))
    server = Server("ws://127.0.0.1:1", "key", "secret")
    run = Run(id="test", server=server, deadline=time.monotonic() + deadline_s)
    return await read_workers(config, run)


def pages(outcome: Outcome) -> tuple[WorkerPage, ...]:
    """Return the pages of a scrape."""
    assert isinstance(outcome.result, WorkerScrape)
    return outcome.result.pages


def test_a_page_is_read_zeros_left_out_and_floats_rounded() -> None:
    """What a page leaves out is 0; whole numbers may be written as floats."""

    async def scenario() -> None:
        async with answering(GOOD) as busy, answering(IDLE) as idle:
            urls = f"http://127.0.0.1:{busy}", f"http://127.0.0.1:{idle}/worker"
            first, second = pages(await read(*urls))
            told = "127.0.0.1", busy, None, "", "demo", 2, 0.25, "1.8.9"
            url = f"http://127.0.0.1:{busy}/worker"
            assert first == WorkerPage(url, "127.0.0.1", *told)
            assert (second.active_jobs, second.load, second.port) == (0, 0.0, idle)

    asyncio.run(scenario())


def test_bad_workers_are_in_the_result_with_their_reason() -> None:
    """Whatever one of them does, the others are read, and the run is no failure.

    One hangs until the good one has been asked: a run that asked in turn would never end.
    """

    async def scenario() -> None:
        asked = asyncio.Event()
        bad = {
            "answered 302": answering("", "302 Found", "Location: http://127.0.0.1:1/\r\n"),
            "answered 503": answering("", "503 Service Unavailable"),
            "the answer is not a worker page": answering("<html>"),
            "answered more than 16384 bytes": answering(" " * 20_000),
            "no readable answer (RemoteProtocolError)": hanging(asked),
            "the worker page contains control characters": answering(
                GOOD.replace("demo", "a\\u001b")
            ),
        }
        async with AsyncExitStack() as stack:
            ports = {told: await stack.enter_async_context(each) for told, each in bad.items()}
            good = await stack.enter_async_context(answering(GOOD, asked=asked))
            urls = [f"http://127.0.0.1:{port}" for port in (*ports.values(), good)]
            nowhere = "dns://nowhere.invalid:80", "dns://a..b:80"
            outcome = await read(*urls, "http://127.0.0.1:1", *nowhere)
        assert outcome.reason is None
        found = {page.url: page for page in pages(outcome)}
        for told, port in ports.items():
            page = found[f"http://127.0.0.1:{port}/worker"]
            assert page.detail == told
            assert page.reason is not None
        assert found[f"http://127.0.0.1:{good}/worker"].reason is None
        refused = found["http://127.0.0.1:1/worker"]
        assert (refused.reason, refused.detail) == (
            Reason.CONNECT_FAILED,
            "no connection (Connection refused)",
        )
        assert all(found[url].detail.startswith("no address found") for url in nowhere)

    asyncio.run(scenario())


def test_a_worker_that_says_nothing_is_not_waited_for() -> None:
    """Its time is up."""

    async def scenario() -> WorkerPage:
        async with silent() as port:
            [page] = pages(await read(f"http://127.0.0.1:{port}", timeout=0.2))
            return page

    assert asyncio.run(scenario()).detail == "no answer within 0.2 s"


def test_that_none_answers_is_a_failure_and_that_none_is_configured_is_not() -> None:
    """A scrape that tells nothing at all has a reason."""
    failed = asyncio.run(read("http://127.0.0.1:1"))
    assert failed.reason is Reason.CONNECT_FAILED
    assert failed.detail == (
        "none of 1 workers answered; http://127.0.0.1:1/worker: no connection (Connection refused)"
    )
    assert asyncio.run(read()).reason is None


def test_a_dns_name_stands_for_all_its_addresses_each_read_once() -> None:
    """`localhost` has up to two addresses; the worker listens on one and is found."""

    async def scenario() -> tuple[WorkerPage, ...]:
        async with answering(GOOD) as port:
            return pages(await read(f"dns://localhost:{port}", f"dns://LOCALHOST:{port}"))

    found = asyncio.run(scenario())
    assert [page.host for page in found if page.reason is None] == ["127.0.0.1"]
    assert len({page.url for page in found}) == len(found)


def test_what_the_deadline_leaves_unasked_says_so() -> None:
    """With no time left nothing is asked, and nothing hangs."""
    [page] = pages(asyncio.run(read("http://127.0.0.1:1", deadline_s=0.1)))
    assert page.reason is Reason.DEADLINE


def test_what_is_compressed_is_not_unpacked() -> None:
    """16 MB in 16 KB, of a server that compresses unasked: it is no worker's page, and small."""

    async def scenario() -> Outcome:
        header = "Content-Encoding: gzip\r\n"
        async with answering(bomb, header=header) as port:
            return await read(f"http://127.0.0.1:{port}", timeout=WAIT_S / 2)

    bomb = gzip.compress(bytes(2**24))
    tracemalloc.start()
    [page] = pages(asyncio.run(scenario()))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert page.detail == "the answer is not a worker page"
    assert peak < 8e6


def test_srv_records_tell_host_and_port() -> None:
    """Asks a real name server of this test for SRV records; addresses come from the system.

    A host that has gone hides none of the others, and the root stands for no host.
    """

    class NameServer(asyncio.DatagramProtocol):
        def __init__(self, port: int) -> None:
            self._port = port

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self._transport = cast("asyncio.DatagramTransport", transport)

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            query = message.from_wire(data)
            answer = message.make_response(query)
            name = query.question[0].name
            if str(name).startswith("_http"):
                hosts = "gone.invalid.", "localhost.", "."
                texts = [f"0 0 {self._port} {host}" for host in hosts]
                answer.answer.append(rrset.from_text(name, 60, "IN", "SRV", *texts))
            self._transport.sendto(answer.to_wire(), addr)

    async def scenario() -> tuple[WorkerPage, ...]:
        async with answering(GOOD) as port:
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_datagram_endpoint(
                lambda: NameServer(port), local_addr=("127.0.0.1", 0)
            )
            own = asyncresolver.Resolver(configure=False)
            own.nameservers = ["127.0.0.1"]
            own.port = transport.get_extra_info("sockname")[1]
            asyncresolver.default_resolver = own  # type: ignore[assignment]
            try:
                urls = "srv://_http._tcp.agents.test", "srv://_none._tcp.agents.test"
                return pages(await read(*urls, timeout=WAIT_S / 2))
            finally:
                asyncresolver.reset_default_resolver()
                transport.close()

    found = asyncio.run(scenario())
    assert [page.host for page in found if page.reason is None] == ["127.0.0.1"]
    [gone] = [page for page in found if page.url.startswith("srv://_http")]
    assert " at gone.invalid:" in gone.url
    assert gone.detail.startswith("no address found")
    none = next(page for page in found if page.url.startswith("srv://_none"))
    assert none.detail == "no address found: no SRV record (NoAnswer)"
