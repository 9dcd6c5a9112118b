"""The roster as metrics: what is written when, and what goes."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder as choose_library
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as openmetrics_families,
)
from prometheus_client.parser import text_string_to_metric_families

from exporter.config.values import ProbeSection
from exporter.metrics.agent_names import AgentNames
from exporter.metrics.exposition import Format
from exporter.metrics.recorder import Recorder
from exporter.metrics.registry import Metrics
from exporter.metrics.table import TABLE
from exporter.metrics.workers import WorkerMetrics
from exporter.outcome import (
    Listing,
    Outcome,
    PendingDispatch,
    Reason,
    RoomWithoutHuman,
    WorkerPage,
    WorkerScrape,
)
from exporter.probes.agents.families import OLDEST_UNCLOSED, UNCLOSED
from exporter.probes.agents.listings import Listings
from exporter.probes.agents.spec import AgentsConfig
from exporter.probes.workers.spec import WorkersConfig
from exporter.roster.roster import Roster
from exporter.roster.types import WorkerReport, WorkerStatus
from exporter.roster.worker_state import RosterLimits
from tests.unit.calls import judged
from tests.unit.test_roster import Clock, beat


def outcome(probe: str, result: Listing | WorkerScrape) -> Outcome:
    """Return a run that found this."""
    return judged(Outcome(probe, "", datetime.now(UTC), 0.1, result=result))


OPENMETRICS = "application/openmetrics-text;version=1.0.0"


class Fixture:
    """A roster and its metrics."""

    def __init__(self, max_workers: int = 10) -> None:
        self.clock = Clock()
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry, 'srv"1')
        self.roster = Roster(
            RosterLimits(max_workers=max_workers), clock=self.clock, wall_clock=self.clock
        )
        names = AgentNames(self.metrics, 500)
        self.listener = WorkerMetrics(self.metrics, self.roster, names, no_job_after_s=15)

    def beat(self, report: WorkerReport) -> None:
        """Take a heartbeat and show it."""
        self.roster.heartbeat(report)
        self.listener.follow()

    def families(self) -> dict[str, Metric]:
        """Return the page, as Prometheus reads it; both formats must tell the same."""
        plain = self._page("text/plain", text_string_to_metric_families)
        other = self._page(OPENMETRICS, openmetrics_families)
        for name, family in plain.items():
            if name.startswith("voice_worker_") and family.type == "gauge":
                assert (other[name].samples, other[name].documentation) == (
                    family.samples,
                    family.documentation,
                )
        return plain

    def page(self, accept: str) -> str:
        """Return the page that a header `Accept` asks for, without metrics of this process."""
        return Format.accepted(accept).page(self.metrics.snapshot(), CollectorRegistry())

    def _page(self, accept: str, parse: object) -> dict[str, Metric]:
        families = list(parse(self.page(accept)))  # type: ignore[operator] # one of two parsers
        assert len({family.name for family in families}) == len(families)
        return {family.name: family for family in families}

    def values(self, name: str, *labels: str) -> Mapping[tuple[str, ...], float]:
        """Return the samples of a metric by the values of these labels."""
        samples = self.families()[name].samples
        assert {sample.labels["server"] for sample in samples} <= {'srv"1'}
        return {tuple(each.labels[label] for label in labels): each.value for each in samples}


@pytest.fixture(name="shown")
def _shown() -> Fixture:
    return Fixture()


def test_a_worker_has_its_series_and_loses_them(shown: Fixture) -> None:
    """Exactly one status is 1; what is unknown has no series; nothing is left of who is gone."""
    shown.beat(beat(memory_bytes=2**40, active_jobs=3, status=WorkerStatus.BUSY))
    assert shown.values("voice_worker_status", "agent_name", "worker_id", "status") == {
        ("demo", "AW_1", status): float(status == "busy") for status in WorkerStatus
    }
    assert shown.values("voice_worker_memory_bytes", "worker_id") == {("AW_1",): 2.0**40}
    assert shown.values("voice_worker_cpu_ratio", "worker_id") == {}
    last = shown.values("voice_worker_last_heartbeat_timestamp_seconds", "worker_id")
    assert last == {("AW_1",): shown.clock.now}
    shown.clock.now += 46
    shown.listener.follow()
    assert shown.values("voice_worker_status", "status")["offline",] == 1
    assert shown.values("voice_worker_memory_bytes") == {}
    assert shown.values("voice_workers", "agent_name", "status") == {
        ("demo", status): float(status == "offline") for status in WorkerStatus
    }
    shown.clock.now += 3600
    shown.listener.follow()
    families = shown.families()
    per_worker = [row.name for row in TABLE if "worker_id" in row.labels]
    assert {name: families[name].samples for name in (*per_worker, "voice_workers")} == {
        name: [] for name in (*per_worker, "voice_workers")
    }


def test_a_worker_has_one_version_and_region_at_a_time(shown: Fixture) -> None:
    """A release changes the labels: the series with the old ones goes, and all with the worker."""

    def info() -> Mapping[tuple[str, ...], float]:
        labels = "agent_name", "worker_id", "sdk_version", "version", "region"
        return shown.values("voice_worker_info", *labels)

    shown.beat(beat(version="41", region="ams"))
    shown.beat(beat(version="42", region="ams"))
    assert info() == {("demo", "AW_1", "1.8", "42", "ams"): 1.0}
    shown.listener.relabel()
    assert len(info()) == 1
    shown.clock.now += 3700
    shown.listener.follow()
    assert info() == {}


def test_who_leaves_without_a_word_is_lost(shown: Fixture) -> None:
    """A goodbye is not a loss, silence is; who comes back is not, and a restart changes nothing."""

    def lost() -> float:
        return shown.values("voice_workers_lost", "agent_name")["demo",]

    shown.beat(beat("AW_1"))
    shown.beat(beat("AW_2", addresses=()))
    shown.beat(beat("AW_2", addresses=(), status=WorkerStatus.OFFLINE))
    assert lost() == 0
    shown.clock.now += 46
    shown.listener.follow()
    assert lost() == 1
    kept, shown = shown.roster.export(), Fixture()
    shown.clock.now += 46
    shown.roster.restore(kept)
    shown.listener.follow()
    assert lost() == 1
    shown.beat(beat("AW_1"))
    assert lost() == 0


def test_a_worker_that_changes_its_agent_is_counted_once(shown: Fixture) -> None:
    """The series of the old name go with it."""
    shown.beat(beat())
    shown.beat(beat(agent_name='o\\"ther\n'))
    assert shown.values("voice_workers", "agent_name", "status")['o\\"ther\n', "idle"] == 1
    assert {key for (key,) in shown.values("voice_workers", "agent_name")} == {'o\\"ther\n'}
    assert len(shown.values("voice_worker_status", "agent_name", "status")) == 5


def test_idle_workers_do_not_take_jobs_while_a_dispatch_waits(shown: Fixture) -> None:
    """Registered, idle, and a dispatch of that agent is older than the threshold."""

    def listed(age_s: float | None, unread: int = 0) -> float:
        pending = () if age_s is None else (PendingDispatch("demo", "room", age_s),)
        found = outcome("agents", result=Listing(pending=pending, unread=unread))
        shown.roster.record(found)
        shown.listener.record(found)
        return shown.values("voice_workers_not_taking_jobs", "agent_name")["demo",]

    shown.beat(beat("AW_1"))
    shown.beat(beat("AW_2", addresses=(), status=WorkerStatus.BUSY))
    assert listed(14) == 0
    assert listed(15) == 1
    shown.beat(beat("AW_2", addresses=()))
    assert shown.values("voice_workers_not_taking_jobs", "agent_name")["demo",] == 2
    assert listed(None, unread=1) == 2, "the dispatch may be in a room that was not read"
    assert listed(None) == 0


def test_what_changes_is_rendered_and_what_does_not_is_kept(shown: Fixture) -> None:
    """The page is at every moment what the client library makes of the registry."""
    write: list[Callable[[], None]] = [
        lambda: shown.metrics.create("voice_rooms"),
        lambda: shown.metrics.set("voice_rooms", 7),
        lambda: shown.metrics.set("voice_participants", 2, "sip"),
        lambda: shown.metrics.add("voice_turns_total", 1, "a", "b", "c", "d", "replied"),
        lambda: shown.metrics.observe("voice_e2e_latency_seconds", 0.7, "a", "b", "c", "d"),
        lambda: shown.metrics.remove("voice_participants", kind="sip"),
        lambda: None,
    ]
    for accept in ("text/plain", OPENMETRICS):
        expect, expected_type = choose_library(accept)
        assert Format.accepted(accept).content_type == expected_type
        for each in write:
            each()
            assert shown.page(accept) == expect(shown.registry).decode()


def test_refused_reports_are_counted() -> None:
    """The roster's limit shows."""
    shown = Fixture(max_workers=1)
    shown.beat(beat("AW_1", addresses=()))
    shown.beat(beat("AW_2", addresses=()))
    assert shown.values("voice_worker_reports_refused")[()] == 1


def recorder_of(shown: Fixture, probe: str, config: ProbeSection) -> Recorder:
    """Return a recorder that knows one probe."""
    recorder = Recorder(shown.metrics)
    recorder.add(probe, config)
    return recorder


def test_pages_are_counted_by_result(shown: Fixture) -> None:
    """How many configured pages answered at the last read."""
    page = WorkerPage("http://127.0.0.1:1/worker")
    failed = replace(page, reason=Reason.CONNECT_FAILED)
    recorder = recorder_of(shown, "workers", WorkersConfig())
    recorder.record(outcome("workers", result=WorkerScrape((page, failed, failed))))
    assert shown.values("voice_worker_pages", "result") == {("answered",): 1, ("failed",): 2}


def test_a_room_without_human_for_long_never_closes() -> None:
    """The time counts from the first listing without a human; a human, or a new room, resets it."""
    clock = Clock(0)
    read = Listings(clock)

    def unclosed(*found: RoomWithoutHuman) -> tuple[float, float]:
        listing = outcome("agents", result=Listing(without_human=found))
        values = {each.family: each.value for each in read(AgentsConfig(), listing)}
        return values[UNCLOSED], values[OLDEST_UNCLOSED]

    old, new = RoomWithoutHuman("a", "RM_1", 5000.0), RoomWithoutHuman("a", "RM_2", 1.0)
    assert unclosed(old) == (0, 0)
    clock.now = 601
    assert unclosed(old, new) == (1, 5000)
    assert unclosed() == (0, 0)
    assert unclosed(old) == (0, 0)
