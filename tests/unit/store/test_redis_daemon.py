"""The store in Redis as daemon and commands use it."""

import asyncio
import json
from contextlib import closing
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from exporter.daemon import real_calls as real_calls_module
from exporter.daemon.agent_loads import KeptLoad
from exporter.daemon.ledger import Ledger
from exporter.errors import ConfigError
from exporter.metrics.registry import Metrics
from exporter.outcome import Calibration
from exporter.roster.types import Worker, WorkerStatus
from exporter.run.runner import PROBES_TABLE
from exporter.settings.redis import StoreSettings
from exporter.store.records import CalibrationRecord, RunQuery, Spending
from exporter.store.redis import owners as owners_module
from exporter.store.sqlite import open_sqlite
from tests.command import run_here
from tests.patience import comes_true
from tests.redis_server import RedisServer
from tests.unit.ramp.test_figures import figures as ramp
from tests.unit.store.records import NOON, ended, open_run
from tests.unit.web.test_webhook import PERSON, Receiver, event

pytestmark = pytest.mark.integration


@pytest.fixture(name="prefix")
def _prefix(tmp_path: Path) -> str:
    """A prefix that no other test has."""
    return tmp_path.name


async def _delete_rooms(_run_id: str, _rooms: tuple[str, ...]) -> str:
    return ""


def make_ledger(folder: Path, url_file: Path, prefix: str) -> tuple[Ledger, Metrics]:
    """Return the ledger of one exporter, and what it shows."""
    metrics = Metrics(CollectorRegistry(), "lk")
    redis = {"url_file": url_file, "prefix": prefix}
    config = StoreSettings.model_validate({"folder": folder, "redis": redis})
    return Ledger(config, metrics, PROBES_TABLE, _delete_rooms), metrics


def test_daemon_keeps_its_ledger_in_redis(
    redis_server: RedisServer, prefix: str, tmp_path: Path
) -> None:
    """It is shown where it is; no file is made, and two exporters need a folder each."""
    url_file = tmp_path / "url"
    url_file.write_text(redis_server.url)

    async def scenario() -> None:
        one, metrics = make_ledger(tmp_path / "one", url_file, prefix)
        other, _ = make_ledger(tmp_path / "other", url_file, prefix)
        await one.start()
        await other.start()
        labels = {"server": "lk", "backend": "redis"}
        assert metrics.registry.get_sample_value("voice_store_up", labels) == 1
        one.store.end(ended())
        await comes_true(lambda: not one.store._waiting)
        assert await other.store.runs(RunQuery()) == (ended(),)
        third, _ = make_ledger(tmp_path / "one", url_file, prefix)
        with pytest.raises(ConfigError, match=r"^store.folder: .* is used by another"):
            await third.start()
        for each in (one, other, third):
            await each.aclose()
        again, _ = make_ledger(tmp_path / "one", url_file, prefix)
        await again.start()
        await again.aclose()

    asyncio.run(scenario())
    assert {path.name for path in (tmp_path / "one").iterdir()} == {"ledger.lock"}


def test_real_calls_go_on_at_the_exporter_that_has_events(
    redis_server: RedisServer, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1. One exporter has a call, and dies. Result: one that expects events goes on with it."""
    monkeypatch.setattr(real_calls_module, "LEFT_EVERY_S", 0.0)
    monkeypatch.setattr(real_calls_module, "STEP_S", 0.01)
    opener = redis_server.opener

    async def scenario() -> None:
        dead = Receiver(shared=opener(prefix))
        idle = Receiver(shared=opener(prefix))
        next_one = Receiver(shared=opener(prefix), webhooks={"expected": True})
        for each in (dead, idle, next_one):
            await each.store.start()
        assert (await dead.send(event(participant=PERSON))).status_code == 204
        await next_one.calls.restore()
        assert next_one.calls._calls.open == 0
        await dead.store.aclose()
        monkeypatch.setattr(owners_module, "GRACE_S", 0.0)
        owners = redis_server.ask("HVALS", f"{{{prefix}}}:calls:owners")
        assert isinstance(owners, list)
        redis_server.ask("DEL", f"{{{prefix}}}:alive:{owners[0].decode()}")

        watches = [asyncio.create_task(each.calls.watch()) for each in (idle, next_one)]
        await comes_true(lambda: next_one.calls._calls.open == 1)
        assert idle.calls._calls.open == 0
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
        for each in (idle, next_one):
            await each.store.aclose()

    asyncio.run(scenario())


def test_ledger_moves_from_its_file(redis_server: RedisServer, prefix: str, tmp_path: Path) -> None:
    """`store migrate`, twice: all of it is there once, and the file is as it was."""
    state = tmp_path / "state"
    with closing(open_sqlite(state)) as source:
        for number in range(3):
            source.begin(open_run(f"{number}"))
            source.end(ended(f"{number}", seconds=number), Spending(2, 10))
        source.begin(open_run("open"))
        source.add_calibration(CalibrationRecord(NOON, Calibration(0.09, 0.01, 10)))
        source.save_workers([Worker("AW_1", "demo", WorkerStatus.IDLE)])
        source.save_ramp("here", ramp("here").model_dump_json())
        load = KeptLoad(vantage="here", started_at=NOON, of={}, readings=())
        source.save_ramp(load.place, load.model_dump_json())
        source.save_calls({"RM_1": "{}"})
    (tmp_path / "url").write_text(f"{redis_server.url}\n")
    redis = {"url_file": str(tmp_path / "url"), "prefix": prefix}
    config = tmp_path / "exporter.yaml"
    config.write_text(json.dumps({"store": {"folder": str(state), "redis": redis}}))

    for _ in range(2):
        status, out, err = run_here(None, "store", "migrate", "--config", str(config), "--json")
        assert (status, err) == (0, [])
    counts = json.loads(out)
    assert (counts.pop("runs"), counts.pop("ramps")) == (3, 2)
    assert set(counts.values()) == {1}
    with closing(redis_server.opener(prefix)()) as there, closing(open_sqlite(state)) as source:
        assert there.runs(RunQuery()) == source.runs(RunQuery())
        assert there.open_runs() == source.open_runs()
        assert there.spent("") == source.spent("")
        assert there.calibrations(9) == source.calibrations(9)
        assert (there.workers(), there.ramps()) == (source.workers(), source.ramps())
        there.forget_ramp(load.place)
        assert len(there.ramps()) == 1
    status, out, _ = run_here(None, "runs", "--config", str(config), "--json")
    assert [each["run_id"] for each in json.loads(out)["runs"]] == ["2", "1", "0"]


@pytest.mark.parametrize(
    ("has_redis", "expected"),
    [
        (False, "store.redis.url_file: is missing; expected where the ledger is to go"),
        (True, "store.folder: there is no ledger in "),
    ],
)
def test_what_cannot_be_moved_is_one_line(tmp_path: Path, has_redis: bool, expected: str) -> None:
    """Without a Redis, or without a ledger."""
    (tmp_path / "url").write_text("redis://127.0.0.1:1")
    redis = {"url_file": str(tmp_path / "url")} if has_redis else {}
    config = tmp_path / "exporter.yaml"
    config.write_text(json.dumps({"store": {"folder": str(tmp_path), "redis": redis}}))
    status, out, err = run_here(None, "store", "migrate", "--config", str(config))
    assert (status, out) == (2, "")
    assert err[0].startswith(f"voice-exporter: {expected}")
