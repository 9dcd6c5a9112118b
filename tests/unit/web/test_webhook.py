"""Deliveries of webhooks: verified, counted, and in the ledger before they are acknowledged."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from livekit.api import AccessToken
from prometheus_client import CollectorRegistry

from exporter.calls.calls import SETTLE_S
from exporter.daemon.real_calls import RealCalls
from exporter.metrics.agent_names import AgentNames
from exporter.metrics.ledger import StoreSeries
from exporter.metrics.real_calls import RealCallSeries
from exporter.metrics.registry import Metrics
from exporter.server_api import Server
from exporter.settings.settings import Settings
from exporter.store.buffered import BufferedStore
from exporter.store.protocol import Store
from exporter.store.sqlite import open_sqlite
from tests.unit.web.asking import ELSEWHERE, Site, sources

KEY, SECRET = "key", "secret-of-at-least-32-characters-"
_SERVER = Server(url="ws://127.0.0.1:1", api_key=KEY, api_secret=SECRET)
PERSON = {"sid": "PA_1", "identity": "ann", "joinedAtMs": "1000000", "kind": "STANDARD"}


def event(number: int = 1, name: str = "participant_joined", **more: Any) -> bytes:
    """Return the body of an event."""
    room = {"name": "room", "sid": "RM_1"}
    whole = {"event": name, "id": f"EV_{number}", "createdAt": "1000", "room": room, **more}
    return json.dumps(whole).encode()


def signed(body: bytes, secret: str = SECRET, key: str = KEY, ttl_s: float = 36_000) -> str:
    """Return the signature of a body, made before all tests: it holds longer than they take."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    token = AccessToken(key, secret).with_sha256(digest).with_ttl(timedelta(seconds=ttl_s))
    return token.to_jwt()


class Receiver:
    """The page, with all that takes events, and its figures; a store in a folder or in memory.

    Args:
        folder: Of the store.
        shared: Opens a store that others use as well.
        settings: The configuration.
    """

    def __init__(
        self,
        folder: Path | None = None,
        shared: Callable[[], Store] | None = None,
        **settings: Any,
    ) -> None:
        self.metrics = metrics = Metrics(CollectorRegistry(), "lk")
        opened = (lambda: open_sqlite(folder)) if folder else shared
        self.store = BufferedStore(opened, StoreSeries(metrics, "sqlite"), shared=bool(shared))
        series = RealCallSeries(metrics, AgentNames(metrics, 10))
        self.calls = RealCalls(
            Settings.model_validate(settings), lambda: _SERVER, self.store, series
        )
        self.site = Site(sources(deliveries=self.calls), token="t" * 20)

    async def send(
        self, body: bytes, token: str | None = None, kind: str = "application/webhook+json"
    ) -> httpx.Response:
        """Deliver a body, signed unless told otherwise."""
        headers = {"Content-Type": kind, "Authorization": signed(body) if token is None else token}
        return await self.site.request(
            "POST", "/webhook/livekit", content=body, headers=headers, client=ELSEWHERE
        )

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of a series."""
        return self.metrics.registry.get_sample_value(name, {"server": "lk", **labels})

    def refused(self, reason: str) -> float | None:
        """Return how many were refused."""
        return self.value("voice_webhook_events_refused_total", reason=reason)


def test_event_is_taken_from_elsewhere_without_a_token() -> None:
    """The server has its own key, and no token of the exporter."""
    receiver = Receiver()
    answer = asyncio.run(receiver.send(event(numDropped=3)))

    assert (answer.status_code, answer.text) == (204, "")
    assert receiver.value("voice_webhook_events_total", event="participant_joined") == 1
    assert receiver.value("voice_webhook_events_lost_total") == 3
    assert receiver.value("voice_webhook_last_event_timestamp_seconds") is not None


_BODY = event()


@pytest.mark.parametrize(
    ("body", "token", "kind", "status", "reason"),
    [
        (_BODY, "", "application/webhook+json", 401, "signature"),
        (_BODY, "nonsense", "application/webhook+json", 401, "signature"),
        (_BODY, signed(_BODY, "x" * 32), "application/webhook+json", 401, "signature"),
        (_BODY, signed(_BODY, key="other"), "application/webhook+json", 401, "signature"),
        (_BODY, signed(_BODY + b" "), "application/webhook+json", 401, "signature"),
        (_BODY, signed(_BODY, ttl_s=-600), "application/webhook+json", 401, "signature"),
        (b"[", signed(b"["), "application/webhook+json", 400, "body"),
        (b"\xff", signed(b"\xff"), "application/webhook+json", 400, "body"),
        (_BODY, signed(_BODY), "text/plain", 415, "content_type"),
        (b" " * 65537, signed(b" " * 65537), "application/webhook+json", 413, "too_large"),
    ],
    ids=[
        *("unsigned", "no signature", "wrong secret", "wrong key", "other body", "replayed later"),
        *("no event", "no text", "content type", "too large"),
    ],
)
def test_what_is_not_of_the_server_is_refused(
    body: bytes, token: str, kind: str, status: int, reason: str
) -> None:
    """Each is counted by its reason, and none as an event; one line says what was expected."""
    receiver = Receiver()
    answer = asyncio.run(receiver.send(body, token, kind))

    assert answer.status_code == status
    assert answer.text.count("\n") == 1
    assert receiver.refused(reason) == 1
    assert receiver.value("voice_webhook_events_total", event="participant_joined") == 0


def test_replayed_event_is_answered_as_taken_and_counted_apart() -> None:
    """Else the server would send it again for ever."""
    receiver = Receiver()

    async def replay() -> list[int]:
        return [(await receiver.send(event())).status_code for _ in range(3)]

    assert asyncio.run(replay()) == [204, 204, 204]
    assert receiver.value("voice_webhook_events_total", event="participant_joined") == 1
    assert receiver.refused("duplicate") == 2


def test_unknown_event_of_a_newer_server_is_taken() -> None:
    """Its name does not become a label."""
    receiver = Receiver()
    answer = asyncio.run(receiver.send(event(name="room_moved", news=1)))

    assert answer.status_code == 204
    assert receiver.value("voice_webhook_events_total", event="other") == 1


def test_acknowledged_event_survives_a_kill(tmp_path: Path) -> None:
    """1. A caller comes. 2. The exporter is killed. 3. It leaves. Result: one call, abandoned."""

    async def first() -> dict[str, str]:
        receiver = Receiver(tmp_path)
        await receiver.store.start()
        await asyncio.gather(
            receiver.send(event(1, participant=PERSON)), receiver.send(event(2, "room_started"))
        )
        kept = dict(receiver.store._store._store.calls())  # type: ignore[union-attr] # was opened
        await receiver.store.aclose()  # only lets go of the file: what counts is in `kept`
        return kept

    async def second(kept: dict[str, str]) -> Receiver:
        receiver = Receiver(tmp_path)
        await receiver.store.start()
        assert await receiver.store.calls() == kept
        await receiver.calls.restore()
        left = {**PERSON, "disconnectReason": "CLIENT_INITIATED"}
        await receiver.send(event(3, "participant_left", participant=left, createdAt="1020"))
        await receiver.send(event(4, "room_finished", createdAt="1040"))
        receiver.calls._calls._clock = lambda: 1e12 + SETTLE_S
        await receiver.calls.step()
        await receiver.store.aclose()
        return receiver

    kept = asyncio.run(first())
    assert list(kept) == ["RM_1"]
    receiver = asyncio.run(second(kept))

    labels = {"agent_name": "", "ended_by": "caller", "region": ""}
    assert receiver.value("voice_calls_total", **labels) == 1
    assert receiver.value("voice_callers_abandoned_total", agent_name="") == 1
    assert receiver.value("voice_calls_open") == 0


def test_counters_of_an_agent_exist_before_its_first_call_ends() -> None:
    """An increase from no series to 1 is no increase for Prometheus."""
    agent = {
        "sid": "PA_2",
        "identity": "agent",
        "kind": "AGENT",
        "joinedAtMs": "1000500",
        "attributes": {"lk.agent_name": "demo"},
    }
    receiver = Receiver()

    async def both() -> None:
        await receiver.send(event(1, participant=PERSON))
        await receiver.send(event(2, participant=agent))
        await receiver.calls.step()

    asyncio.run(both())
    assert receiver.value("voice_callers_abandoned_total", agent_name="demo") == 0
    labels = {"agent_name": "demo", "ended_by": "failure", "region": ""}
    assert receiver.value("voice_calls_total", **labels) == 0
    assert receiver.value("voice_calls_open") == 1


def test_silence_counts_from_the_start_where_events_are_expected() -> None:
    """`webhooks.expected`: a server that never sends any is found as well."""
    silent = Receiver(webhooks={"expected": True})
    assert silent.value("voice_webhook_last_event_timestamp_seconds") is not None
    assert Receiver().value("voice_webhook_last_event_timestamp_seconds") is None


def test_agents_beyond_the_limit_share_a_label() -> None:
    """An agent name for each call must not flood Prometheus."""
    receiver = Receiver()

    async def many() -> None:
        for number in range(15):
            agent = {
                "sid": f"PA_{number}",
                "identity": "a",
                "kind": "AGENT",
                "attributes": {"lk.agent_name": f"agent-{number}"},
            }
            room = {"name": "room", "sid": f"RM_{number}"}
            await receiver.send(event(2 * number, room=room, participant=PERSON))
            await receiver.send(event(2 * number + 1, room=room, participant=agent))
            await receiver.calls.step()

    asyncio.run(many())
    shown = {
        sample.labels["agent_name"]
        for metric in receiver.metrics.collect()
        for sample in metric.samples
        if sample.name == "voice_short_calls_total"
    }
    assert len(shown) == 11
    assert "other" in shown
