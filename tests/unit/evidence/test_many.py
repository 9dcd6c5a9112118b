"""A thousand kept calls: bounded, oldest first out, and quick to ask for."""

import asyncio
import time
from pathlib import Path

import pytest

from exporter.evidence.recording import Files
from exporter.probe import Keep
from tests.unit.evidence.calls import SECOND, House, outcome
from tests.unit.web.asking import Site, sources
from tests.unit.web.test_kept_calls import Ledger

CALLS = 1000
LIMIT_MB = 10.0
QUICK_S = 0.2


@pytest.mark.long
def test_a_thousand_calls_stay_below_the_limit(tmp_path: Path) -> None:
    """1. 1,000 failed calls of a tenth of a second. Result: the newest are left, within 10 MB."""
    house = House(tmp_path / "evidence", max_mb=LIMIT_MB)
    names = [f"{number:04}" for number in range(CALLS)]

    async def story() -> None:
        site = Site(sources(kept=house.keeper, history=Ledger()))
        for name in names:
            files = Files(Keep(house.folder / name))
            files.write(SECOND[:4800], ())
            files.close()
            await house.keeper.settle(outcome(name))
        took = []
        for name in house.kept[-20:]:
            began = time.perf_counter()
            answer = await site.request("GET", f"/api/v1/runs/{name}")
            took.append(time.perf_counter() - began)
            assert answer.json()["evidence"]["sound"] == f"{name}/sound"
        assert sorted(took)[len(took) // 2] < QUICK_S

    asyncio.run(story())
    kept = house.kept
    assert 100 < len(kept) < CALLS
    assert kept == names[-len(kept) :]
    size = sum(each.stat().st_blocks * 512 for each in house.folder.rglob("*") if each.is_file())
    assert size == house.shown.size <= LIMIT_MB * 1_000_000
