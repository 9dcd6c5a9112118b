"""Events are kept before they are acknowledged, and those of nearly the same time by one write."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
from prometheus_client import CollectorRegistry

from exporter.daemon.real_calls import RealCalls
from exporter.daemon.shared_writes import PACE_S, SharedWrites
from exporter.metrics.agent_names import AgentNames
from exporter.metrics.real_calls import RealCallSeries
from exporter.metrics.registry import Metrics
from exporter.server_api import Server
from exporter.settings.settings import Settings
from tests import virtual_time
from tests.unit.web.test_webhook import KEY, SECRET, event, signed

_SERVER = Server(url="ws://127.0.0.1:1", api_key=KEY, api_secret=SECRET)


@dataclass
class Ledger:
    """Keeps calls, and needs its time for that."""

    takes_ms: tuple[float, ...]
    """Of each write; the last holds for those that follow."""
    shared: bool = False
    writes: list[tuple[float, list[str]]] = field(default_factory=list)
    """When each began, in ms of the test, and of which rooms."""

    async def save_calls(self, documents: Mapping[str, str]) -> None:
        """Keep calls."""
        takes_ms = self.takes_ms[min(len(self.writes), len(self.takes_ms) - 1)]
        self.writes.append((_now_ms(), sorted(documents)))
        await asyncio.sleep(takes_ms / 1000)

    def forget_calls(self, _room_sids: Sequence[str]) -> None:
        """Forget calls."""

    async def calls(self) -> Mapping[str, str]:
        """Return none."""
        return {}


def _now_ms() -> float:
    return round((time.monotonic() - virtual_time.START_S) * 1000, 3)


def _calls(ledger: Ledger) -> RealCalls:
    """Return what takes events, with all that it needs imported: a thread has a time of its own."""
    metrics = Metrics(CollectorRegistry(), "lk")
    series = RealCallSeries(metrics, AgentNames(metrics, 10))
    calls = RealCalls(Settings(), lambda: _SERVER, ledger, series)
    asyncio.run(calls.take(b"{}", "forged"))
    return calls


def _answered_ms(ledger: Ledger, deliveries: Sequence[tuple[float, int]]) -> list[float]:
    """Return when each is answered, of deliveries (at so many ms, of which event and room)."""
    calls = _calls(ledger)

    async def deliver(at_ms: float, number: int) -> float:
        await asyncio.sleep(at_ms / 1000)
        body = event(number, room={"name": "room", "sid": f"RM_{number}"})
        assert await calls.take(body, signed(body)) == ""
        return _now_ms()

    async def all_of_them(_clock: virtual_time.Clock) -> list[float]:
        return await asyncio.gather(*(deliver(at_ms, number) for at_ms, number in deliveries))

    return virtual_time.run(all_of_them)


def test_events_of_a_busy_server_share_a_write() -> None:
    """Where several came together, those of the time until the next write do so as well."""
    ledger = Ledger(takes_ms=(3,))
    answered = _answered_ms(ledger, [(0, 0), (0, 1), *((2 * at, at) for at in range(2, 6))])

    pace = PACE_S * 1000
    together = [f"RM_{number}" for number in range(2, 6)]
    assert ledger.writes == [(0, ["RM_0", "RM_1"]), (pace, together)]
    assert answered == [3, 3, *[pace + 3] * 4]


@pytest.mark.parametrize("every_ms", [3, 10, 1000])
def test_events_that_come_one_by_one_do_not_wait(every_ms: float) -> None:
    """Those of a quiet server, or of one that waits for each answer; also after busier times."""
    ledger = Ledger(takes_ms=(3,))
    alone_ms = [2 * PACE_S * 1000 + number * every_ms for number in range(5)]
    deliveries = [(0, 0), (0, 1), *((at, 2 + number) for number, at in enumerate(alone_ms))]

    assert _answered_ms(ledger, deliveries) == [3, 3, *(at + 3 for at in alone_ms)]


def test_events_that_come_during_a_slow_write_share_the_next() -> None:
    """It begins when the slow one ends; none of them is acknowledged by the slow one."""
    ledger = Ledger(takes_ms=(100,))
    answered = _answered_ms(ledger, [(0, 0), (10, 1), (90, 2), (150, 3)])

    assert ledger.writes == [(0, ["RM_0"]), (100, ["RM_1", "RM_2"]), (200, ["RM_3"])]
    assert answered == [100, 200, 200, 300]


@pytest.mark.parametrize(
    ("again_ms", "answered_ms"),
    [(10, 120), (30, 120), (500, 500)],
    ids=["before its write", "during its write", "after it"],
)
def test_repeated_event_is_acknowledged_once_the_first_is_kept(
    again_ms: float, answered_ms: float
) -> None:
    """The server repeats what was not answered in time: it may not be kept yet."""
    ledger = Ledger(takes_ms=(10, 100))
    answered = _answered_ms(ledger, [(0, 0), (0, 1), (5, 2), (again_ms, 2)])

    pace = PACE_S * 1000
    assert ledger.writes == [(0, ["RM_0", "RM_1"]), (pace, ["RM_2"])]
    assert answered == [10, 10, pace + 100, answered_ms]


def test_what_a_failed_write_had_is_in_the_next() -> None:
    """Also where an event comes again that was taken before: it is acknowledged once it is kept."""
    written: list[frozenset[str]] = []

    async def write(ids: frozenset[str]) -> None:
        written.append(ids)
        if len(written) == 1:
            raise OSError("no disk")

    async def story(_clock: virtual_time.Clock) -> None:
        writes = SharedWrites(write)
        with pytest.raises(OSError, match="no disk"):
            await writes.keep(["a"])
        await writes.keep([])

    virtual_time.run(story)
    assert written == [{"a"}, {"a"}]
