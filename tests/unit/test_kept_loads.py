"""The last load on an agent: its knee survives a restart of the exporter."""

import asyncio
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from exporter.daemon.agent_loads import AgentLoads, KeptLoad, KeptReading
from exporter.daemon.ramps import Ramps
from exporter.metrics.recorder import Recorder
from exporter.metrics.registry import Metrics
from exporter.probes.agent_load.spec import AgentLoadConfig
from exporter.probes.ramp.spec import RampConfig
from exporter.store.records import Retention
from exporter.store.sqlite import SqliteStore
from tests.unit.calls import WHEN
from tests.unit.load_tiers import loaded, tier

CONFIG = AgentLoadConfig.model_validate(
    {
        "enabled": True,
        "agent_name": "sales",
        "vantage": "iad",
        "windows": [{"days": "sun"}],
        "max_calls": 8,
    }
)
LABELS = {"server": "lk", "agent_name": "sales", "call_type": "default", "vantage": "iad"}


class Kept:
    """The ledger, in memory."""

    retention = Retention()

    def __init__(self) -> None:
        self.store = SqliteStore()
        self.save_ramp, self.forget_ramp = self.store.save_ramp, self.store.forget_ramp

    async def ramps(self) -> tuple[str, ...]:
        """Return all of them."""
        return self.store.ramps()


class Exporter:
    """What shows and keeps loads, with its series."""

    def __init__(self, kept: Kept, config: AgentLoadConfig = CONFIG, days: int = 0) -> None:
        self.registry = CollectorRegistry()
        self.config = config
        self.recorder = Recorder(Metrics(self.registry, "lk"))
        now = WHEN + timedelta(days=days)
        self.loads = AgentLoads(kept, self.recorder.show, lambda: config, lambda: now)

    def start(self) -> None:
        """Restore, then schedule, as the daemon does."""
        asyncio.run(self.loads.restore())
        self.recorder.add("agent_load", self.config)

    @property
    def knee(self) -> float | None:
        """The knee that is shown."""
        labels = LABELS | {"scenario": "default"}
        return self.registry.get_sample_value("voice_agent_knee_calls", labels)


@pytest.fixture
def kept() -> Kept:
    """A ledger with the load of an exporter before."""
    found = Kept()
    before = Exporter(found)
    before.loads.record(loaded(tier(1), tier(2), tier(4, 1600)))
    return found


def test_a_knee_survives_a_restart(kept: Kept) -> None:
    """The next load takes its place."""
    again = Exporter(kept)
    again.start()
    assert again.knee == 2
    again.recorder.record(loaded(tier(1), tier(2), tier(4), tier(8)))
    assert again.knee is None


def test_what_another_version_kept_with_other_labels_is_left_out() -> None:
    """It does not keep the exporter from its start."""
    kept = Kept()
    of = CONFIG.labels()
    readings = (
        KeptReading(name="voice_agent_load_e2e_ms", value=900, labels=of),  # of which tier?
        KeptReading(name="voice_agent_knee_calls", value=2, labels=of),
    )
    load = KeptLoad(vantage="iad", started_at=WHEN, of=of, readings=readings)
    kept.save_ramp("agent_load/iad", load.model_dump_json())
    again = Exporter(kept)
    again.start()
    assert again.knee == 2


def test_a_reload_during_a_load_gives_no_agent_the_knee_of_another(kept: Kept) -> None:
    """The load of the agent before ends; it is neither shown nor kept as that of the new one."""
    other = Exporter(kept, CONFIG.model_copy(update={"agent_name": "other"}))
    other.start()
    late = loaded(tier(1), tier(2, 1600))
    other.recorder.record(late)
    other.loads.record(late)
    page = generate_latest(other.registry).decode()
    assert "voice_agent_knee_calls{" not in page
    again = Exporter(kept)
    again.start()
    assert again.knee == 2, "the last load of its own"


@pytest.mark.parametrize(
    ("changes", "days"), [({"agent_name": "other"}, 0), ({"vantage": "lhr"}, 0), ({}, 40)]
)
def test_what_is_not_configured_or_old_is_not_shown(
    kept: Kept, changes: dict[str, str], days: int
) -> None:
    """Another agent, another vantage, or a load of long ago."""
    again = Exporter(kept, CONFIG.model_copy(update=changes), days)
    again.start()
    assert again.knee is None


def test_ramps_pass_over_loads(kept: Kept, caplog: pytest.LogCaptureFixture) -> None:
    """Both are in one place of the ledger."""
    shown: list[str] = []
    ramps = Ramps(kept, lambda _probe, vantage, _readings: shown.append(vantage), RampConfig)
    asyncio.run(ramps.restore())
    assert (shown, caplog.messages) == ([], [])
