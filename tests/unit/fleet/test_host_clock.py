"""The wall clock of one host is set forward and back, and leases and calls go on."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise

import pytest
from prometheus_client import CollectorRegistry

from exporter.config.values import ProbeSection
from exporter.daemon import group as group_module
from exporter.daemon.group import Group, Parts
from exporter.daemon.plan import call_work
from exporter.fleet.leases import STEP_S, Leases, Share
from exporter.metrics.leases import LeaseSeries
from exporter.metrics.registry import Metrics
from exporter.outcome import Outcome, Turn
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.leash import Leash
from exporter.run.scheduler import Scheduler, Work
from tests import virtual_time
from tests.fake_leases import Link, Server
from tests.unit.fleet.test_group import CALL, Hear, Start
from tests.virtual_time import Clock

INTERVAL_S, CALL_S = 60.0, 5.0
CHECK_S = 5.0
WORK = call_work(LatencyConfig(agent_name="demo", interval=INTERVAL_S))


class Other:
    """Another exporter of the group, whose clock is right: it would take what is free."""

    def __init__(self, server: Server, clock: Clock) -> None:
        self.leases = Leases(
            "other", Link(server, lambda _s: None), self, lambda _work: False, clock
        )
        self.leases.add(Share(WORK.id, INTERVAL_S, 1))

    def gained(self, work: str, _fence: int, _since_run_s: float | None) -> None:
        """Nobody may have lost it."""
        raise AssertionError(f"{work} was free")

    def renewed(self, work: str, until: float) -> None:
        """Never: it holds nothing."""

    def lost(self, work: str, reason: str) -> None:
        """Never: it holds nothing."""


class Host:
    """An exporter with its schedule, on the wall clock that is set."""

    def __init__(self, server: Server, clock: Clock) -> None:
        self.called: list[float] = []
        self.refused: list[Outcome] = []
        self._clock = clock
        parts = Parts(self._take, lambda work: self.scheduler.remove(work.id), self.refused.append)
        series = LeaseSeries(Metrics(CollectorRegistry(), "s", ()))
        self.group = Group("g", Link(server, lambda _s: None), "default", series, parts)
        self.group.leases.clock = clock
        self.scheduler = Scheduler(
            self._run, (), lambda *_: None, (self.group.gate,), (self.group.begin,)
        )
        self.scheduler.start()
        self.group.add(WORK, 1.0)

    def _take(self, work: Work, first_in_s: float) -> None:
        self.scheduler.add(work, first_in_s)

    async def _run(
        self,
        probe: str,
        config: ProbeSection,
        run_id: str,
        /,
        *,
        soon: bool = False,
        on_start: Callable[[], Awaitable[None]] | None = None,
        on_turn: Callable[[Turn], None] | None = None,
    ) -> Outcome:
        async def call(*, on_start: Start, on_turn: Hear, leash: Leash) -> Outcome:
            await on_start()
            self.called.append(self._clock())
            await asyncio.sleep(CALL_S)
            return CALL

        return await self.group.fenced(
            probe, config, run_id, call, on_start=on_start, on_turn=on_turn
        )


async def _again_and_again(every_s: float, do: Callable[[], Awaitable[object]]) -> None:
    while True:
        await do()
        await asyncio.sleep(every_s)


@pytest.mark.parametrize("seconds", [3600.0, -3600.0, 40.0, -40.0])
def test_a_clock_that_is_set_moves_no_lease_and_no_call(
    seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is set, and set right again later: each call comes in its time, and by one exporter."""

    async def story(clock: Clock) -> None:
        monkeypatch.setattr(group_module, "now_s", clock)
        server = Server(clock)
        host = Host(server, clock)
        steady = [
            asyncio.create_task(host.group.watch()),
            asyncio.create_task(_again_and_again(CHECK_S, host.scheduler.check)),
        ]
        await asyncio.sleep(3 * INTERVAL_S)
        assert host.called
        other = Other(server, clock)
        steady.append(asyncio.create_task(_again_and_again(STEP_S, other.leases.step)))
        for jump_s in (seconds, -seconds):
            await asyncio.sleep(INTERVAL_S / 2)
            clock.set_wall(jump_s)
            await asyncio.sleep(4 * INTERVAL_S)
        ended = clock()
        for task in steady:
            assert not task.done(), task
            task.cancel()
        host.scheduler.stop()
        gaps = [later - earlier for earlier, later in pairwise([*host.called, ended])]
        assert max(gaps) <= 2 * INTERVAL_S + 10, gaps
        assert min(gaps[:-1]) > INTERVAL_S / 2, gaps
        assert host.group.leases.held == {WORK.id}
        assert not host.refused

    virtual_time.run(story, wall=True)
