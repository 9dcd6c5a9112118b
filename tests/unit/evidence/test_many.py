"""A thousand kept calls: bounded, oldest first out, and quick to ask for."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import httpx
import pytest

from exporter.evidence.config import EvidenceConfig
from exporter.evidence.keeper import Keeper
from exporter.evidence.recording import Files
from exporter.probe import Keep
from exporter.rtc.lag import LagMonitor
from exporter.store.buffered import BufferedStore
from exporter.store.records import RunRecord
from exporter.store.sqlite import open_sqlite
from exporter.web.server import WebServer
from tests.unit.evidence.calls import SECOND, House, outcome
from tests.unit.store.buffering import Watch
from tests.unit.web.asking import Site, sources
from tests.unit.web.kept_calls import kept_call, save
from tests.unit.web.test_kept_calls import Ledger

CALLS = 1000
LIMIT_MB = 10.0
QUICK_S = 0.2
PAGE_S = 0.3
LATE_S = 0.02
"""Of the event loop, for all but one look in twenty: the client of the test takes turns with it."""


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


@asynccontextmanager
async def failed_calls(folder: Path) -> AsyncIterator[Site]:
    """A site with a thousand failed calls of half a minute, in a ledger on the disk."""
    store = BufferedStore(lambda: open_sqlite(folder / "store"), Watch())
    await store.start()
    call, now = kept_call(4), datetime.now(UTC)
    for number in range(CALLS):
        at = now - timedelta(minutes=number)
        outcome = replace(call.outcome, run_id=f"run{number:03}", started_at=at)
        save(replace(call, outcome=outcome), folder / "evidence", b"no sound")
        store.end(RunRecord.of(outcome))
    keeper = Keeper(folder / "evidence", EvidenceConfig())
    await keeper.start()
    yield Site(sources(kept=keeper, history=store))
    await keeper.aclose()
    await store.aclose()


@asynccontextmanager
async def served(site: Site) -> AsyncIterator[str]:
    """Serve a site by HTTP in this loop, as the daemon does; yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = WebServer(site.app, site.web_config, site.refusals)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving


def ask(client: httpx.Client, path: str) -> float:
    """Return the seconds until a page was there."""
    began = time.perf_counter()
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    return time.perf_counter() - began


@pytest.mark.long
@pytest.mark.whole_machine
def test_pages_of_a_thousand_failed_calls_are_quick(tmp_path: Path) -> None:
    """Over HTTP the list in 0.2 s and a page in 0.3 s; the event loop goes on meanwhile."""

    async def story() -> tuple[list[float], list[float], list[float]]:
        async with failed_calls(tmp_path) as site, served(site) as url:
            with httpx.Client(base_url=url) as client:
                await asyncio.to_thread(ask, client, "/api/v1/runs?outcome=failed")
                monitor = LagMonitor()
                monitor.start()
                began = time.monotonic()
                lists, pages = [], []
                for number in range(0, CALLS, 50):
                    lists.append(
                        await asyncio.to_thread(ask, client, "/api/v1/runs?outcome=failed")
                    )
                    pages.append(await asyncio.to_thread(ask, client, f"/runs/run{number:03}"))
                monitor.stop()
            return lists, pages, sorted(monitor.late(began, time.monotonic()))

    lists, pages, late = asyncio.run(story())
    assert median(lists) < QUICK_S
    assert median(pages) < PAGE_S
    assert late[len(late) * 19 // 20] < LATE_S
