"""Read the HTTP pages of workers."""

import asyncio
import ipaddress
import os
import socket
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from exporter.config.values import is_name
from exporter.errors import ProbeError
from exporter.limits import Limit
from exporter.outcome import Reason, WorkerPage
from exporter.probe import Run
from exporter.probes.workers.spec import WorkersConfig
from exporter.roster.wire import MAX_NAME

_PAGE_BYTES = 16 * 1024


@dataclass(frozen=True, slots=True)
class _PageAddress:
    """One page to read."""

    url: str
    """Scheme, host and port, no path."""
    host: str
    port: int
    name: str
    """Host and port as a person wrote them: for the Host header."""


@dataclass(frozen=True, slots=True)
class _Service:
    """The content of an SRV record."""

    host: str
    port: int


_Found = TypeVar("_Found", _PageAddress, _Service)


class _PageContent(BaseModel):
    """A worker's page. It leaves zeros out, and writes whole numbers as floats."""

    model_config = ConfigDict(allow_inf_nan=False, hide_input_in_errors=True)

    agent_name: str = Field("", max_length=MAX_NAME)
    active_jobs: float = Field(0, ge=0, le=1e6)
    worker_load: float = Field(0, ge=0, le=1e6)
    sdk_version: str = Field(max_length=64)


async def read_pages(config: WorkersConfig, run: Run) -> tuple[WorkerPage, ...]:
    """Read the page of every configured worker once, all at the same time; never raises."""
    limits = httpx.Limits(max_connections=config.concurrency, max_keepalive_connections=0)
    async with httpx.AsyncClient(trust_env=False, limits=limits, timeout=config.timeout) as client:
        return tuple(await _Reader(config, run, client).read_all())


class _Reader:
    def __init__(self, config: WorkersConfig, run: Run, client: httpx.AsyncClient) -> None:
        self._config = config
        self._run = run
        self._client = client
        self._at_once = asyncio.Semaphore(config.concurrency)

    async def read_all(self) -> list[WorkerPage]:
        """Read the pages of every configured address, each once."""
        found = await asyncio.gather(*(self._resolve(url) for url in self._config.scrape))
        addresses = dict.fromkeys(
            each for part in found for each in part if isinstance(each, _PageAddress)
        )
        unresolved = [each for part in found for each in part if isinstance(each, WorkerPage)]
        wanted = list(addresses)[: self._config.max_workers]
        return [*unresolved, *await asyncio.gather(*(self._read(address) for address in wanted))]

    async def _resolve(self, url: str) -> Sequence[_PageAddress | WorkerPage]:
        """Return the addresses of a configured URL, or pages with the reason why there are none."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "dns":
            return await self._ask(url, _addresses(host, parts.port or 0))
        if parts.scheme != "srv":
            port = parts.port or {"http": 80, "https": 443}[parts.scheme]
            return [_PageAddress(f"{parts.scheme}://{parts.netloc}", host, port, parts.netloc)]
        services = await self._ask(url, _services(host))
        found = await asyncio.gather(
            *(
                # A record of a host that has gone must not hide the others.
                self._ask(f"{url} at {each.host}:{each.port}", _addresses(each.host, each.port))
                for each in services[: self._config.max_workers]
                if isinstance(each, _Service)
            )
        )
        unknown = [each for each in services if isinstance(each, WorkerPage)]
        return [*unknown, *(each for part in found for each in part)]

    async def _ask(
        self, url: str, names: Coroutine[Any, Any, list[_Found]]
    ) -> Sequence[_Found | WorkerPage]:
        """Return the answer of name servers, or a page of that URL with the reason for none."""
        failed, limit_s = Reason.CONNECT_FAILED, self._config.timeout
        async with self._at_once:
            began = time.monotonic()
            try:
                async with asyncio.timeout(limit_s):
                    return await names
            except TimeoutError:
                detail = f"no address found within {limit_s:g} s"
                late = Limit.NAME.ran_out(detail, began, limit_s)
                failed, detail = late.reason, late.detail
            except OSError as error:
                detail = f"no address found: {error.strerror or error}"
            except UnicodeError:  # of Python, before anyone is asked
                detail = "no address found: not a valid host name"
        return [WorkerPage(url, reason=failed, detail=detail)]

    async def _read(self, address: _PageAddress) -> WorkerPage:
        page = WorkerPage(f"{address.url}/worker", address.host, port=address.port)
        async with self._at_once:
            if self._run.left() < self._config.timeout:
                detail, run = "not read: the time limit was reached", self._run
                late = Limit.PAGES.ran_out(detail, run.started, run.clock() - run.started)
                return replace(page, reason=late.reason, detail=late.detail)
            try:
                return await self._parse_page(page, address)
            except ProbeError as error:
                return replace(page, reason=error.reason, detail=error.detail)

    async def _parse_page(self, page: WorkerPage, address: _PageAddress) -> WorkerPage:
        """Return the page with its content.

        Raises:
            ProbeError: It did not answer, or is no worker's page.
        """
        body, ip_address = await self._get(page.url, address.name)
        try:
            content = _PageContent.model_validate_json(body)
        except ValidationError:
            raise ProbeError(Reason.API_FAILED, "the answer is not a worker page") from None
        if not is_name(content.agent_name + content.sdk_version):
            raise ProbeError(Reason.API_FAILED, "the worker page contains control characters")
        return replace(
            page,
            address=ip_address,
            agent_name=content.agent_name,
            active_jobs=round(content.active_jobs),
            load=content.worker_load,
            sdk_version=content.sdk_version,
        )

    async def _get(self, url: str, name: str) -> tuple[bytes, str]:
        """Return the body, and the IP address that answered. Redirects are not followed.

        Raises:
            ProbeError: There is no such answer.
        """
        # Not compressed: a few bytes could become more than any limit, before it is looked at.
        headers = {"Accept-Encoding": "identity", "Host": name}
        with_body = self._client.stream("GET", url, headers=headers, follow_redirects=False)
        async with _translated(self._config.timeout), with_body as response:
            # Once the body is read the connection may be closed.
            peer = response.extensions["network_stream"].get_extra_info("server_addr")
            if response.status_code != httpx.codes.OK:
                raise ProbeError(Reason.API_FAILED, f"answered {response.status_code}")
            body = bytearray()
            async for part in response.aiter_raw():
                body += part
                if len(body) > _PAGE_BYTES:
                    raise ProbeError(Reason.API_FAILED, f"answered more than {_PAGE_BYTES} bytes")
            return bytes(body), str(peer[0]) if peer else ""


@asynccontextmanager
async def _translated(timeout_s: float) -> AsyncIterator[None]:
    """Turn the errors of one request into ProbeError, and its lateness as a whole too."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except (TimeoutError, httpx.TimeoutException):
        raise Limit.PAGE.ran_out(f"no answer within {timeout_s:g} s", began, timeout_s) from None
    except httpx.ConnectError as error:
        raise ProbeError(Reason.CONNECT_FAILED, f"no connection ({_cause(error)})") from None
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        detail = f"no readable answer ({type(error).__name__})"
        raise ProbeError(Reason.API_FAILED, detail) from None


def _cause(error: BaseException) -> str:
    """Return what the system said, which httpx keeps below its own words."""
    at: BaseException | None = error
    while at is not None:
        if isinstance(at, OSError) and (at.errno or 0) > 0:
            return os.strerror(at.errno or 0)
        at = at.__cause__ or at.__context__
    return str(error) or type(error).__name__


async def _addresses(name: str, port: int) -> list[_PageAddress]:
    """Return a place for every address of a name.

    Raises:
        OSError: It has none.
        UnicodeError: It is no name.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    addresses = dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found)
    written = {address: _in_url(address) for address in addresses}
    return [
        _PageAddress(f"http://{text}:{port}", address, port, f"{name}:{port}")
        for address, text in written.items()
    ]


def _in_url(address: str) -> str:
    is_v6 = isinstance(ipaddress.ip_address(address.partition("%")[0]), ipaddress.IPv6Address)
    return f"[{address}]" if is_v6 else address


async def _services(name: str) -> list[_Service]:
    """Return the hosts and ports in the SRV records of a name.

    Raises:
        OSError: There are none.
    """
    # Only who uses SRV records pays for this.
    from dns.asyncresolver import resolve  # noqa: PLC0415
    from dns.exception import DNSException  # noqa: PLC0415
    from dns.name import root  # noqa: PLC0415

    try:
        answer = await resolve(name, "SRV")
    except DNSException as error:
        raise OSError(f"no SRV record ({type(error).__name__})") from None
    # The root in place of a host says that the service is decidedly not there (RFC 2782).
    return [
        _Service(record.target.to_text(omit_final_dot=True), record.port)
        for record in answer
        if record.target != root
    ]
