"""Stands between a LiveKit server and an exporter, and delivers webhooks badly."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Self

import httpx

from tests.plain_http import NO_TLS

REPLAYED, FORGED = 0.1, 0.1
"""Shares of deliveries that come a second time, and that others come before with another body."""
LATE_S = 1.5
"""Each is held back for up to so long: most orders are possible."""
_AGAIN_S = 0.2


@dataclass(slots=True)
class WebhookProxy:
    """Acknowledges every delivery, and passes it on until the exporter has answered it."""

    to: str
    """URL of the exporter's page."""
    lost: float = 0.0
    """Share of deliveries that are passed on to nobody."""
    seed: int = 1
    did: Counter[str] = field(default_factory=Counter)
    """How many were delivered, replayed, forged and lost (ends of rooms among them), and the
    answers by their status."""
    url: str = ""
    _chance: random.Random = field(default_factory=random.Random)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None
    _client: httpx.AsyncClient = field(
        default_factory=lambda: httpx.AsyncClient(verify=NO_TLS, trust_env=False)
    )

    async def __aenter__(self) -> Self:
        self._chance.seed(self.seed)
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be passed on."""
        return not self._tasks

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await _head(reader):
                body = await reader.readexactly(int(head["content-length"]))
                writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
                self._take(body, head["authorization"])
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the server has gone
        finally:
            writer.close()

    def _take(self, body: bytes, token: str) -> None:
        if self._chance.random() < self.lost:
            self.did["lost"] += 1
            self.did["ends lost"] += b'"room_finished"' in body
            return
        self.did["delivered"] += 1
        self._later(body, token)
        if self._chance.random() < REPLAYED:
            self.did["replayed"] += 1
            self._later(body, token)
        if self._chance.random() < FORGED:
            self.did["forged"] += 1
            self._later(body.replace(b'"createdAt":"1', b'"createdAt":"2'), token)

    def _later(self, body: bytes, token: str) -> None:
        wait_s = self._chance.uniform(0, LATE_S)
        task = asyncio.create_task(self._pass_on(body, token, wait_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, body: bytes, token: str, wait_s: float) -> None:
        await asyncio.sleep(wait_s)
        headers = {"Content-Type": "application/webhook+json", "Authorization": token}
        while True:
            try:
                answer = await self._client.post(self.to, content=body, headers=headers)
                break
            except httpx.TransportError:  # the exporter was killed: as the server, come again
                await asyncio.sleep(_AGAIN_S)
        self.did[str(answer.status_code)] += 1


async def _head(reader: asyncio.StreamReader) -> dict[str, str]:
    """Return the headers of the next request, by their names in lower case; none at the end."""
    try:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:]
    except asyncio.IncompleteReadError:
        return {}
    pairs = (line.partition(":") for line in lines if line)
    return {name.lower(): text.strip() for name, _, text in pairs}
