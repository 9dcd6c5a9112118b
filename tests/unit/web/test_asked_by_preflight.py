"""What `preflight --collector` reads of an exporter: its real pages, without a network."""

import asyncio
from contextlib import aclosing

import httpx
import pytest

from exporter.outcome import Verdict
from exporter.probes.preflight.spec import Checked
from exporter.probes.preflight.webhook import OfExporter
from exporter.roster.collector import CollectorConfig
from tests.unit.web.asking import HERE, Site, sources
from tests.unit.web.test_webhook import Receiver, event, signed

_URL = "http://127.0.0.1:9465"


class Exporter:
    """An exporter that takes webhooks, and its page of metrics."""

    def __init__(self) -> None:
        self.receiver = Receiver()
        parts = {"deliveries": self.receiver.calls, "metrics": self.receiver.metrics}
        self._site = Site(sources(**parts))

    async def asked(self, *events: tuple[bytes, str]) -> Checked:
        """Return what is said of a room, where these events are delivered with a signature."""
        transport = httpx.ASGITransport(self._site.app, client=HERE)
        at = iter((0.0, 0.5, 6.0))
        async with aclosing(
            OfExporter(CollectorConfig(url=_URL), lambda: next(at), transport)
        ) as asking:
            await asking.begin()
            for body, signature in events:
                await self.receiver.send(body, signature)
            return await asking.seen("room", 0.0)


def _started(secret: str | None = None) -> tuple[bytes, str]:
    body = event(name="room_started")
    return body, signed(body, secret) if secret else signed(body)


def test_a_webhook_that_came_is_seen() -> None:
    """By the counter of the exporter's own page."""
    found = asyncio.run(Exporter().asked(_started()))
    assert found.verdict is Verdict.PASS
    assert found.measured == "room_started at the exporter, after 0.50 s"


@pytest.mark.parametrize(
    "events",
    [(), (_started("x" * 32),), ((_JOINED := event(number=2), signed(_JOINED)),)],
    ids=["none", "forged", "another event"],
)
def test_any_other_is_not(events: tuple[tuple[bytes, str], ...]) -> None:
    """The exporter is asked in vain, and the advice says where to look."""
    found = asyncio.run(Exporter().asked(*events))
    assert found.verdict is Verdict.FAIL
    assert "webhook.urls" in found.todo
