"""How requests go on after the server has said that they come too fast."""

import asyncio

import pytest

from exporter.server_api.pace import PATIENCE_S, Busy, Pace
from tests import virtual_time
from tests.virtual_time import START_S, Clock


class Proxy:
    """Allows some requests at once, then one in so many seconds."""

    def __init__(
        self, clock: Clock, every_s: float, burst: float = 1, retry_after_s: float = 0
    ) -> None:
        self._clock = clock
        self._every_s = every_s
        self._allowed, self._burst, self._at = burst, burst, clock()
        self._retry_after_s = retry_after_s
        self.pace = Pace()
        self.taken: list[float] = []
        self.refused = 0

    async def request(self) -> None:
        """Take a request, or say that it is one too many."""
        now = self._clock()
        refilled = self._allowed + (now - self._at) / self._every_s
        self._allowed, self._at = min(self._burst, refilled), now
        if self._allowed < 1:
            self.refused += 1
            raise Busy(429, self._retry_after_s)
        self._allowed -= 1
        self.taken.append(now)

    async def send(self, requests: int) -> None:
        """Send so many at once."""
        await asyncio.gather(*(self.pace.send(self.request) for _ in range(requests)))


def test_nothing_waits_where_nothing_is_refused() -> None:
    """A server that takes every request gets them at once."""

    async def scenario(clock: Clock) -> None:
        proxy = Proxy(clock, 1, burst=50)
        await proxy.send(50)
        assert set(proxy.taken) == {START_S}
        assert not proxy.pace.slowed

    virtual_time.run(scenario)


def test_what_was_refused_is_sent_again_with_gaps() -> None:
    """Of a hundred requests at once a proxy takes five in a second: all get through, and soon."""

    async def scenario(clock: Clock) -> None:
        proxy = Proxy(clock, 0.2, burst=5)
        await proxy.send(100)
        assert len(proxy.taken) == 100
        assert proxy.pace.slowed
        assert clock() - START_S < 2 * 100 * 0.2

    virtual_time.run(scenario)


def test_retry_after_is_kept() -> None:
    """Nothing is sent before the server wants it."""

    async def scenario(clock: Clock) -> None:
        proxy = Proxy(clock, 3, retry_after_s=3)
        await proxy.send(2)
        assert (proxy.taken, proxy.refused) == ([START_S, START_S + 3], 1)

    virtual_time.run(scenario)


@pytest.mark.parametrize(("retry_after_s", "tries"), [(0, 9), (2, 3), (60, 1)])
def test_patience_ends(retry_after_s: float, tries: int) -> None:
    """A server that stays busy, or asks for more time than there is, is given up."""

    async def scenario(clock: Clock) -> None:
        proxy = Proxy(clock, 1, burst=0, retry_after_s=retry_after_s)
        with pytest.raises(Busy, match=r"no more requests for now \(HTTP 429\)"):
            await proxy.send(1)
        assert proxy.refused == tries
        assert clock() - START_S <= PATIENCE_S

    virtual_time.run(scenario)
