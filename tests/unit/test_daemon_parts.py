"""The daemon's parts together: calls that someone asks for, found agents, and its own judge."""

import asyncio
import socket
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import time

import pytest

from exporter.daemon import serve
from exporter.daemon.parts import Daemon
from exporter.daemon.plan import FOUND, call_work, server_works
from exporter.metrics.common import SKIPS
from exporter.outcome import AgentInRoom, Listing, LoadTier, Outcome, Verdict
from exporter.probes.latency.spec import LatencyConfig
from exporter.roster.types import Worker, WorkerStatus
from exporter.run.runner import PROBES_TABLE
from exporter.run.scheduler import Work
from exporter.settings.discover import DiscoverConfig
from exporter.settings.redis import StoreSettings
from exporter.settings.settings import Settings
from exporter.store.sqlite import open_sqlite
from exporter.web.sources import NotNowError
from tests.unit.calls import WHEN, call, judged
from tests.unit.load_tiers import loaded, tier
from tests.unit.ramp.test_figures import figures

_NEVER = "0 0 31 2 *"
_SETTINGS = Settings.model_validate(
    {
        "server_name": "s",
        "livekit": {"url": "ws://127.0.0.1:1", "api_key": "k", "api_secret": "a" * 32},
        "store": {"enabled": False},
        "targets": [{"agent_name": "demo", "windows": [{"cron": _NEVER}]}],
    }
)


def test_refused_call_is_no_scheduled_run_that_was_skipped() -> None:
    """It was never due: a page that is asked too often is no call that is missing."""
    daemon = Daemon(_SETTINGS, _SETTINGS.server(), lambda: _SETTINGS)
    [target] = _SETTINGS.targets
    daemon.works.add(call_work(target), 3600)

    with pytest.raises(NotNowError, match="outside its time windows"):
        asyncio.run(daemon.works.call(target, lambda _: None))

    labels = {"server": "s", "probe": "latency", "agent_name": "demo"}
    values = [
        daemon.metrics.registry.get_sample_value(
            "voice_probe_skipped_total", {**labels, "reason": reason}
        )
        for reason in SKIPS
    ]
    assert values == [0] * len(SKIPS)


def test_found_agents_share_a_budget_also_when_someone_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """1. Discovery finds an agent. 2. Someone asks for a call to it. Result: the same account."""
    settings = _SETTINGS.model_copy(update={"discover": DiscoverConfig(enabled=True)})
    daemon = Daemon(settings, settings.server(), lambda: settings)
    agent = AgentInRoom("stray", "agent-1", "room", "listening", humans=1, age_s=3)
    daemon.discovery.record(Outcome("agents", "", WHEN, 0.1, result=Listing((agent,))))
    target = settings.discover.target("stray")
    asked: list[Work] = []

    async def ask(work: Work, *_: object) -> Outcome:
        asked.append(work)
        return call()

    monkeypatch.setattr(daemon.works.scheduler, "ask", ask)
    asyncio.run(daemon.works.call(target, lambda _: None))

    [line] = [each for each in daemon.watch_list.lines.values() if each.work.config == target]
    assert [line.work.account, asked[0].account] == [FOUND, FOUND]


def test_the_first_page_has_the_knee_of_before(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Kept ramps are shown before anyone can ask: a scrape without them would end the series."""
    with closing(open_sqlite(tmp_path)) as store:
        kept = figures("there", started_at=datetime.now(UTC))
        store.save_ramp("there", kept.model_dump_json())
    update = {"store": StoreSettings(folder=tmp_path), "targets": ()}
    settings = _SETTINGS.model_copy(update=update)
    daemon = Daemon(settings, settings.server(), lambda: settings)
    stop, seen = asyncio.Event(), []

    class Web:
        should_exit = False

        async def serve(self, **_: object) -> None:
            labels = {"server": "s", "vantage": "there"}
            seen.append(daemon.metrics.registry.get_sample_value("voice_knee_clients", labels))
            stop.set()

    monkeypatch.setattr(serve, "make_server", lambda *_: Web())
    monkeypatch.setattr(daemon.works.scheduler, "start", lambda: None)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        asyncio.run(serve.run(daemon, listener, stop))
    assert seen == [10]


def test_a_reload_during_the_start_has_the_last_word() -> None:
    """Targets are added one by one: those that a reload removes or changes are not added after."""
    one, two, gone = (LatencyConfig(agent_name=name) for name in ("one", "two", "gone"))
    before = _SETTINGS.model_copy(update={"targets": (one, two, gone)})
    slower = two.model_copy(update={"target_ms": 1234.0})
    after = _SETTINGS.model_copy(update={"targets": (one, slower)})
    daemon = Daemon(before, before.server(), lambda: after)

    async def main() -> None:
        start = asyncio.create_task(daemon.works.start(before, PROBES_TABLE))
        await asyncio.sleep(0)
        assert [each.agent_name for each in daemon.watch_list.targets] == ["one"]
        daemon.apply(after)
        await start
        daemon.works.stop()

    asyncio.run(main())
    assert list(daemon.watch_list.targets) == [one, slower]


def test_a_load_that_is_taken_over_has_the_knee_that_another_exporter_found(
    tmp_path: Path,
) -> None:
    """It was found since this exporter has read the ledger; an older one would be a false alarm."""
    url_file = tmp_path / "redis-url"
    url_file.write_text("redis://127.0.0.1:1")
    document = {
        "server_name": "s",
        "livekit": {"url": "ws://127.0.0.1:1", "api_key": "k", "api_secret": "a" * 32},
        "group": "g",
        "store": {"folder": str(tmp_path), "redis": {"url_file": str(url_file)}},
        "agent_load": {
            "agent_name": "sales",
            "enabled": True,
            "max_calls": 8,
            "windows": [{"cron": _NEVER}],
        },
    }
    settings = Settings.model_validate(document)
    daemon = Daemon(settings, settings.server(), lambda: settings)
    [load] = [work for work in server_works(settings) if work.probe == "agent_load"]

    def knee() -> float | None:
        labels = {"agent_name": "sales", "call_type": "default", "scenario": "default"}
        labels |= {"server": "s", "vantage": "default"}
        return daemon.metrics.registry.get_sample_value("voice_agent_knee_calls", labels)

    def found_elsewhere(*tiers: LoadTier) -> None:
        daemon.persistence.agent_loads.record(replace(loaded(*tiers), started_at=datetime.now(UTC)))

    async def main() -> None:
        found_elsewhere(tier(1), tier(2, 1600))
        await daemon.persistence.agent_loads.restore()
        assert knee() == 1
        found_elsewhere(tier(1), tier(2), tier(4, 1600))
        daemon.works._take(load, 3600)
        await asyncio.gather(*daemon.works._reading)
        assert knee() == 2

    asyncio.run(main())


def test_daemon_judges_listings_by_its_roster(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker went without a word, which no listing shows: the run of the listing is FAIL."""
    daemon = Daemon(_SETTINGS, _SETTINGS.server(), lambda: _SETTINGS)
    lost = Worker("AW_1", "demo", WorkerStatus.OFFLINE, last_heartbeat=time() - 60, is_lost=True)
    daemon.fleet.roster.restore([lost])

    async def lists(*_: object, **__: object) -> Outcome:
        return judged(Outcome("agents", "", WHEN, 0.1, result=Listing()))

    monkeypatch.setattr(daemon.runner, "run", lists)
    outcome = asyncio.run(daemon.runs.run("agents", _SETTINGS.agents, "run1"))

    assert outcome.verdict is Verdict.FAIL
