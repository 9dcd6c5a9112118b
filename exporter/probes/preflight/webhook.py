"""Whether a webhook of a room that was just made comes back."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Protocol

import httpx
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from exporter.limits import Limit
from exporter.outcome import Verdict
from exporter.probes.preflight.spec import Checked
from exporter.roster.collector import CollectorConfig
from exporter.server_api import Server
from exporter.server_api.webhooks import ForgedError, UnreadableError, verified

WITHIN_S = 5.0
"""A webhook that takes longer is too late for anything that follows calls."""
_POLL_S = 0.25
_MOST_BYTES = 64 * 1024
_ADVICE = "set webhook.urls and webhook.api_key of the server, and let it reach that address"
_EVENTS = "voice_webhook_events_total"


class Awaits(Protocol):
    """Sees webhooks."""

    async def seen(self, room: str, made: float) -> Checked:
        """Return what came of a room's webhook.

        Args:
            room: That was made.
            made: When, on the monotonic clock.
        """


class Nowhere:
    """Nobody listens.

    Args:
        why: That is so.
    """

    def __init__(self, why: str = "not seen from here") -> None:
        self._why = why

    async def seen(self, _room: str, _made: float) -> Checked:
        """Say so."""
        todo = "--webhook-listen HOST:PORT where the server sends them, or --collector URL"
        return Checked("webhook", Verdict.UNKNOWN, self._why, 0, todo)


class Listener:
    """Takes webhooks itself, and believes those that are signed."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._came: dict[str, float] = {}
        self._forged = 0
        self._changed = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        """Take a delivery."""
        body = await request.read()
        token = request.headers.get("Authorization", "")
        try:
            event = await asyncio.to_thread(verified, self._server, body, token)
        except (ForgedError, UnreadableError):
            self._forged += 1
            return web.Response(status=401)
        self._came.setdefault(event.room, time.monotonic())
        self._changed.set()
        return web.Response(status=204)

    async def seen(self, room: str, made: float) -> Checked:
        """Wait for one of that room."""
        since = time.monotonic()
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + WITHIN_S):
                while room not in self._came:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            found = f"none of our room within {WITHIN_S:g} s"
            if self._forged:
                found += f", and {self._forged} with a signature of another key"
            return _none(found, since)
        return _came(self._came[room] - made, "of our room, signed with the key")


class OfExporter:
    """Asks a running exporter, which counts events and not rooms."""

    def __init__(
        self,
        config: CollectorConfig,
        clock: Callable[[], float] = time.monotonic,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._config = config
        self._clock = clock
        self._before: float | None = None
        headers = {"Accept": "text/plain"}
        if config.bearer:
            headers["Authorization"] = f"Bearer {config.bearer}"
        # One for all questions: each reads the authorities of this host, which costs a round trip
        # that is measured meanwhile its accuracy.
        self._client = httpx.AsyncClient(headers=headers, timeout=WITHIN_S, transport=transport)

    async def aclose(self) -> None:
        """Close the connection."""
        await self._client.aclose()

    async def begin(self) -> bool:
        """Read how many rooms it has heard of; return whether that can be read."""
        self._before = await self._started()
        return self._before is not None

    async def seen(self, _room: str, made: float) -> Checked:
        """Wait until it has heard of one more."""
        while self._clock() - made < WITHIN_S and self._before is not None:
            now = await self._started()
            if now is not None and now > self._before:
                return _came(self._clock() - made, "room_started at the exporter")
            await asyncio.sleep(_POLL_S)
        if self._before is None:
            found = f"{self._config.url}/metrics cannot be read, or has no {_EVENTS}"
            return Checked("webhook", Verdict.UNKNOWN, found, 0, "check --collector and its token")
        return _none(f"no room_started at {self._config.url} within {WITHIN_S:g} s", made)

    async def _started(self) -> float | None:
        try:
            async with asyncio.timeout(WITHIN_S):
                answer = await self._client.get(f"{self._config.url}/metrics")
                page = answer.raise_for_status().text
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError):
            return None
        samples = [
            sample.value
            for family in text_string_to_metric_families(page)
            for sample in family.samples
            if sample.name == _EVENTS and sample.labels.get("event") == "room_started"
        ]
        return sum(samples) if samples else None


def _came(after_s: float, what: str) -> Checked:
    return Checked("webhook", Verdict.PASS, f"{what}, after {max(0.0, after_s):.2f} s", 1)


def _none(found: str, since: float) -> Checked:
    """Judge that none has come; since is when the wait began, on the monotonic clock."""
    if late := Limit.WEBHOOK.spoiled(found, since, WITHIN_S):
        return Checked("webhook", Verdict.UNKNOWN, late.detail)
    return Checked("webhook", Verdict.FAIL, found, 1, _ADVICE)


@asynccontextmanager
async def awaiting(
    server: Server, listen: str, collector: CollectorConfig
) -> AsyncIterator[Awaits]:
    """Begin to wait for webhooks, before the room is made.

    Args:
        server: Whose key signs them.
        listen: HOST:PORT to listen on; "" to ask the exporter.
        collector: The exporter; nobody is asked if it has no URL.
    """
    if listen:
        async with _listening(server, listen) as listener:
            yield listener
    elif collector.url:
        async with aclosing(OfExporter(collector)) as asked:
            await asked.begin()
            yield asked
    else:
        yield Nowhere()


@asynccontextmanager
async def _listening(server: Server, listen: str) -> AsyncIterator[Awaits]:
    listener, app = Listener(server), web.Application(client_max_size=_MOST_BYTES)
    app.router.add_post("/{any:.*}", listener.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    host, _, port = listen.rpartition(":")
    awaits: Awaits = listener
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
    except OSError as error:
        awaits = Nowhere(f"cannot listen at {listen}: {error.strerror or error}")
    try:
        yield awaits
    finally:
        await runner.cleanup()
