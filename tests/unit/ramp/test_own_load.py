"""What the prober says of itself: its lateness, and the CPUs that it may use."""

import asyncio
import os
from collections import deque
from pathlib import Path

import pytest

from exporter.outcome import ProberLoad
from exporter.probes.ramp.processes import cores
from exporter.probes.ramp.tier import Tier
from exporter.rtc.lag import LagMonitor
from tests import virtual_time
from tests.virtual_time import Clock


def test_lateness_of_the_whole_tier() -> None:
    """1. It is late at first. 2. The monitor has forgotten that. Result: the tier has not."""
    monitor = LagMonitor()
    monitor._seen = deque(maxlen=120)  # a little more than a second of looks

    async def hold(clock: Clock) -> ProberLoad:
        monitor.start()
        loop = asyncio.get_running_loop()
        for number in range(8):
            loop.call_later(0.05 + number / 10, clock.advance, 0.06)
        tier = Tier((), monitor, 0.1)
        await tier.hold(2.6, lambda _: None)
        monitor.stop()
        return tier.load()

    assert 0.04 <= virtual_time.run(hold).lag_s <= 0.06


@pytest.mark.parametrize(
    ("quota", "allowed"),
    [("50000 100000", 0.5), ("max 100000", None), ("", None), ("99900000 100000", None)],
)
def test_cpus_of_a_container(quota: str, allowed: float | None, tmp_path: Path) -> None:
    """Its limit counts where it is less than what the host has."""
    file = tmp_path / "cpu.max"
    file.write_text(quota)
    everything = float(len(os.sched_getaffinity(0)))
    assert cores(file) == (everything if allowed is None else allowed)
    assert cores(tmp_path / "none") == everything
