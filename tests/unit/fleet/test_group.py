"""What the daemon does when leases come and go."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import replace
from multiprocessing.sharedctypes import RawValue

import pytest
from prometheus_client import CollectorRegistry

from exporter.daemon.group import Group, Parts
from exporter.daemon.plan import call_work
from exporter.metrics.leases import LeaseSeries
from exporter.metrics.recorder import Recorder
from exporter.metrics.registry import Metrics
from exporter.outcome import CallResult, Outcome, Reason, Turn, TurnOutcome, Verdict
from exporter.probes.agents.spec import AgentsConfig
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.sfu.spec import SfuConfig
from exporter.run.budget import spending
from exporter.run.leash import Leash
from exporter.run.scheduler import Refused, Work
from exporter.store.records import Spending
from tests.fake_leases import FakeGroup, Link
from tests.unit.calls import WHEN

TARGET = LatencyConfig(agent_name="demo")
WORK = call_work(TARGET)
Start = Callable[[], Awaitable[None]]
Hear = Callable[[Turn], None]
TURN = Turn(TurnOutcome.REPLIED, e2e_s=0.7)
CALL = Outcome(
    *("latency", "demo", WHEN, 1.0),
    result=CallResult("demo", "default", "default", (TURN,)),
    run_id="r",
    findings=(),
)


class Scene:
    """One exporter in a group, and what it was told to do."""

    def __init__(self) -> None:
        self.shared = FakeGroup(())
        self.metrics = Metrics(CollectorRegistry(), "s", ())
        self.taken: list[tuple[Work, float]] = []
        self.parked: list[Work] = []
        self.refused: list[Outcome] = []
        parts = Parts(
            lambda work, first_in_s: self.taken.append((work, first_in_s)),
            self.parked.append,
            self.refused.append,
        )
        self.link = Link(self.shared.server, self.shared.wait)
        self.group = Group("g", self.link, "default", LeaseSeries(self.metrics), parts)
        self.group.add(WORK, 5.0)

    async def joined(self) -> None:
        """Take what is free."""
        await self.group.leases.step()
        await self.group.leases.step()
        assert self.taken


def test_work_is_run_from_its_lease_on() -> None:
    """Not before; the gates let it start, and its Outcome has the number of the lease."""

    async def main() -> None:
        scene = Scene()
        assert await scene.group.gate(WORK, "r") == "lease"
        await scene.joined()
        assert await scene.group.gate(WORK, "r") == ""
        assert await scene.group.begin(WORK, "r") == ""

        async def call(*, on_start: Start, on_turn: Hear, leash: Leash) -> Outcome:
            return CALL

        outcome = await scene.group.fenced("latency", TARGET, "r", call)
        assert outcome.fence == 1
        assert not scene.refused

    asyncio.run(main())


def test_a_result_of_an_old_holder_is_refused() -> None:
    """It is charged, and counted as refused; the work is parked."""

    async def main() -> None:
        scene = Scene()
        await scene.joined()

        async def call(*, on_start: Start, on_turn: Hear, leash: Leash) -> Outcome:
            scene.shared.server.leases.clear()
            return CALL

        with pytest.raises(Refused):
            await scene.group.fenced("latency", TARGET, "r", call)
        (refused,) = scene.refused
        assert (refused.reason, refused.verdict, refused.fence) == (Reason.VOID, Verdict.UNKNOWN, 1)
        assert refused.result == CALL.result, "its turns were paid for"
        assert scene.parked == [WORK]

    asyncio.run(main())


@pytest.mark.parametrize("reason", [Reason.PROBE_CRASHED, Reason.DEADLINE])
def test_a_refused_run_that_was_cut_short_pays_for_its_last_turn(reason: Reason) -> None:
    """It could not report that turn; nobody is judged by it."""

    async def main() -> None:
        scene = Scene()
        await scene.joined()

        async def call(*, on_start: Start, on_turn: Hear, leash: Leash) -> Outcome:
            scene.shared.server.leases.clear()
            return replace(CALL, reason=reason)

        with pytest.raises(Refused):
            await scene.group.fenced("latency", TARGET, "r", call)
        (refused,) = scene.refused
        assert refused.verdict is Verdict.UNKNOWN
        assert spending(refused, Spending(3, 60.0)).turns == 2

    asyncio.run(main())


def test_a_run_is_ended_with_its_lease() -> None:
    """What it had until then is charged."""

    async def main() -> None:
        scene = Scene()
        await scene.joined()

        async def call(*, on_start: Start, on_turn: Hear, leash: Leash) -> Outcome:
            await on_start()
            on_turn(TURN)
            scene.group.lost(WORK.id, "expired")
            await asyncio.sleep(3600)
            raise AssertionError("it was not ended")

        with pytest.raises(Refused):
            await scene.group.fenced("latency", TARGET, "r", call)
        (cut,) = scene.refused
        assert cut.reason is Reason.PROBE_CRASHED
        assert isinstance(cut.result, CallResult)
        assert cut.result.turns == (TURN,)

    asyncio.run(main())


def test_a_run_is_held_by_its_lease_in_its_own_process() -> None:
    """The time at which it ends is known there, and follows the lease."""

    async def main() -> None:
        scene, ends = Scene(), RawValue("d", math.inf)
        await scene.joined()

        async def call(*, on_start: Start, on_turn: Hear, leash: Leash) -> Outcome:
            with leash.on(ends):
                assert ends.value == scene.group.leases.until(WORK.id)
                scene.group.renewed(WORK.id, ends.value + 60)
                assert ends.value == scene.group.leases.until(WORK.id) + 60
            assert ends.value == math.inf
            scene.group.renewed(WORK.id, 1e9)  # of the next run in that process it says nothing
            assert ends.value == math.inf
            return CALL

        await scene.group.fenced("latency", TARGET, "r", call)

    asyncio.run(main())


def test_a_run_that_waits_when_its_lease_ends_costs_nothing() -> None:
    """It had no process yet: it is in no history, and no result is refused."""

    async def main() -> None:
        scene = Scene()
        await scene.joined()

        async def waits(*, on_start: Start, on_turn: Hear, leash: Leash) -> Outcome:
            scene.group.lost(WORK.id, "expired")
            await asyncio.sleep(3600)
            raise AssertionError("it was not ended")

        with pytest.raises(Refused):
            await scene.group.fenced("latency", TARGET, "r", waits)
        assert not scene.refused
        name, labels = "voice_lease_results_refused_total", {"server": "s"}
        assert scene.metrics.registry.get_sample_value(name, labels) == 0

    asyncio.run(main())


def test_work_goes_on_under_the_lease_of_a_new_vantage() -> None:
    """A reload changes the vantage, also that of a section: the old lease is given back."""

    async def main() -> None:
        scene = Scene()
        for section in (AgentsConfig(), SfuConfig(vantage="default")):
            probe = "agents" if isinstance(section, AgentsConfig) else "sfu"
            scene.group.add(Work(probe, probe, "", section, section.interval), 0.0)
        await scene.joined()
        scene.taken.clear()
        scene.group.reconfigure("here")
        sfu = SfuConfig(vantage="here")
        scene.group.add(Work("sfu", "sfu", "", sfu, sfu.interval), 0.0)
        assert {work.id for work in scene.parked} == {"agents", "sfu"}
        await scene.group.leases.step()
        assert {work.id for work, _ in scene.taken} == {"agents", "sfu"}
        assert scene.group.leases.held == {WORK.id, "agents@here", "sfu@here"}
        assert scene.shared.server.holder("sfu@default") is None
        held = [
            each.labels["vantage"]
            for family in scene.metrics.registry.collect()
            for each in family.samples
            if each.name == "voice_lease_held"
        ]
        assert held == ["here"] * 3
        assert len(scene.parked) == 2, "nothing is parked that was taken again"

    asyncio.run(main())


def test_no_turn_is_counted_twice_when_a_target_moves() -> None:
    """Counters stay where they were counted, gauges go, and what comes late is dropped."""
    pages = [Metrics(CollectorRegistry(), "s", ()) for _ in range(2)]
    here, there = map(Recorder, pages)
    here.add("latency", TARGET)
    here.record(CALL)
    here.park("latency", TARGET)
    here.record(CALL)
    there.add("latency", TARGET)
    there.record(CALL)
    labels = ("latency", "demo")
    assert not pages[0].has("voice_probe_success", *labels)
    assert [
        page._of("voice_probe_attempts_total", "counter").held(labels)[0] for page in pages
    ] == [1, 1]
    here.add("latency", TARGET)
    assert pages[0].has("voice_probe_success", *labels)
    assert pages[0]._of("voice_probe_attempts_total", "counter").held(labels)[0] == 1
