"""Data messages while the prober itself is late; a loop of hops stands in for the SDK's events."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from exporter.rtc import pings
from exporter.rtc.lag import LagMonitor
from exporter.rtc.pings import Pinger, Pings
from tests import virtual_time
from tests.virtual_time import Clock

HOPS = 5
"""Of an event on its way through our loop: from the SDK's thread to the listener."""


class _Receiver:
    identity = "receiver"
    take: Callable[[Any], None]

    def on_data(self, take: Callable[[Any], None]) -> None:
        self.take = take


def ping(after_s: float | None, stall_s: float) -> Pings:
    """Send one message that arrives after so long, or never, while the loop stands still."""

    async def send(clock: Clock) -> Pings:
        loop, receiver, lag = asyncio.get_running_loop(), _Receiver(), LagMonitor()

        def arrive(payload: bytes, hops: int = HOPS) -> None:
            if hops:
                loop.call_soon(arrive, payload, hops - 1)
            else:
                receiver.take(SimpleNamespace(data=payload))

        async def publish_data(payload: bytes, **_: Any) -> None:
            if after_s is not None:
                loop.call_later(after_s, arrive, payload)

        participant = SimpleNamespace(publish_data=publish_data)
        sender = SimpleNamespace(room=SimpleNamespace(local_participant=participant))
        lag.start()
        await asyncio.sleep(0.05)
        pinger = Pinger(cast("Any", sender), cast("Any", receiver), lag)
        loop.call_later(0.01, clock.advance, stall_s)
        await pinger.ping()
        lag.stop()
        return pinger.result

    return virtual_time.run(send)


def test_what_we_did_not_wait_for_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop stood still for all of the time in which the message came: it says nothing."""
    monkeypatch.setattr(pings, "LOST_AFTER_S", 0.4)
    monkeypatch.setattr(pings, "MAX_WAIT_LAG_S", 0.2)
    stalled = ping(after_s=0.1, stall_s=0.6)
    assert (stalled.lost, stalled.voids, stalled.round_trips_s) == (0, 1, [])


def test_what_never_comes_is_lost_though_we_were_a_little_late(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else a busy prober would hide what the network loses."""
    monkeypatch.setattr(pings, "LOST_AFTER_S", 0.4)
    monkeypatch.setattr(pings, "MAX_WAIT_LAG_S", 0.2)
    late = ping(after_s=None, stall_s=0.03)
    assert (late.lost, late.voids) == (1, 0)
