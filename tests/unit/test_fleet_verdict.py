"""What the verdict of the listing says of agents, dispatches and workers."""

from dataclasses import dataclass
from time import time

import pytest
from prometheus_client import CollectorRegistry

from exporter.daemon.fleet import Fleet
from exporter.metrics.agent_names import AgentNames
from exporter.metrics.registry import Metrics
from exporter.outcome import (
    AgentInRoom,
    Listing,
    Outcome,
    PendingDispatch,
    Reason,
    Verdict,
    WorkerPage,
    WorkerScrape,
)
from exporter.probes.agents.spec import AgentsConfig, Judge, judge, judge_workers
from exporter.roster.roster import Roster
from exporter.roster.types import Worker, WorkerReport, WorkerStatus
from exporter.roster.wire import WorkerView
from exporter.settings.settings import Settings
from tests.unit.calls import WHEN, broken, judged

CONFIG = AgentsConfig(stuck_after=30, no_job_after=15)


@dataclass
class Clock:
    """A clock that the test sets."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Return the time it was set to."""
        return self.now


def listed(state: str = "listening", *pending: PendingDispatch, age_s: float = 5.0) -> Outcome:
    """Return a listing of one agent in that state, and of dispatches."""
    agent = AgentInRoom("demo", "agent-1", "r", state, humans=1, age_s=age_s)
    return Outcome("agents", "", WHEN, 0.1, result=Listing((agent,), pending, rooms=1))


def texts(outcome: Outcome) -> list[str]:
    """Return what one listing alone says."""
    return [str(finding) for finding in judge(CONFIG, outcome)]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (listed(), []),
        (listed("listening", PendingDispatch("demo", "r", 14)), []),
        (
            listed(
                "listening",
                PendingDispatch("demo", "r", 15),
                PendingDispatch("demo", "s", 40),
                PendingDispatch("other", "t", 20),
            ),
            [
                "FAIL: 2 dispatches to 'demo' pending, for up to 40 s",
                "FAIL: 1 dispatch to 'other' pending, for up to 20 s",
            ],
        ),
        (listed("initializing", age_s=30), []),
        (listed("initializing", age_s=31), ["FAIL: 1 agent of 'demo' stuck in state initializing"]),
        (listed("thinking", age_s=900), []),
        (broken(Reason.API_FAILED, "HTTP 500", "agents"), ["FAIL: api_failed: HTTP 500"]),
    ],
)
def test_one_listing(outcome: Outcome, expected: list[str]) -> None:
    """Callers who wait for nothing make it FAIL; what one listing cannot show is no fault."""
    assert texts(outcome) == expected


def test_an_agent_that_thinks_for_ever_fails_by_several_listings() -> None:
    """One that is heard in between does not."""
    clock = Clock()
    judges = Judge(clock)
    verdicts = []
    for state in ("thinking", "thinking", "thinking", "speaking", "thinking"):
        verdicts.append([str(each) for each in judges(CONFIG, listed(state))])
        clock.now += 16
    stuck = ["FAIL: 1 agent of 'demo' stuck in state thinking"]
    assert verdicts == [[], [], stuck, [], []]


@pytest.mark.parametrize(
    ("workers", "expected"),
    [
        ((), []),
        ((Worker("a", "demo", WorkerStatus.IDLE),), []),
        ((Worker("a", "demo", WorkerStatus.OFFLINE),), []),
        (
            (Worker("a", "demo", WorkerStatus.OFFLINE, is_lost=True),),
            ["FAIL: no worker of 'demo' is in service, 1 lost"],
        ),
        (
            (
                Worker("a", "", WorkerStatus.OFFLINE, is_lost=True),
                Worker("b", "", WorkerStatus.DRAINING),
            ),
            ["FAIL: no worker of agents without a name is in service, 1 lost"],
        ),
        (
            (
                Worker("a", "demo", WorkerStatus.OFFLINE, is_lost=True),
                Worker("b", "demo", WorkerStatus.OFFLINE, is_lost=True),
                Worker("c", "demo", WorkerStatus.FULL),
            ),
            ["SLOW: 2 workers of 'demo' lost, 1 in service"],
        ),
    ],
)
def test_workers(workers: tuple[Worker, ...], expected: list[str]) -> None:
    """Those that said that they leave are no fault; those that went without a word are."""
    assert [str(finding) for finding in judge_workers(workers)] == expected


def test_daemon_judges_a_listing_by_its_workers() -> None:
    """1. A worker reports, and falls silent. Result: the verdict of the listing is FAIL."""
    metrics = Metrics(CollectorRegistry(), "s")
    fleet = Fleet(Settings(), metrics, AgentNames(metrics, 500))
    clock = Clock(time())
    fleet.roster._clock = clock
    fleet.roster.heartbeat(WorkerReport("AW_1", "demo", WorkerStatus.IDLE))
    good = judged(listed())
    assert fleet.judged(good).verdict is Verdict.PASS

    clock.now += 46
    assert fleet.judged(good).verdict is Verdict.FAIL
    failed = broken(Reason.API_FAILED, "HTTP 500", "agents")
    assert fleet.judged(failed) == failed


def test_nobody_is_lost_because_the_exporter_was_down() -> None:
    """1. Workers report. 2. The exporter is down for long. Result: a silence of its own is none."""
    clock = Clock(time())
    before = Roster(clock=clock, wall_clock=clock)
    before.heartbeat(WorkerReport("AW_1", "demo", WorkerStatus.IDLE))
    before.heartbeat(WorkerReport("AW_2", "demo", WorkerStatus.IDLE))
    kept = before.export()
    clock.now += 600
    metrics = Metrics(CollectorRegistry(), "s")
    fleet = Fleet(Settings(), metrics, AgentNames(metrics, 500))
    fleet.roster._clock = fleet.roster._wall_clock = clock
    fleet.roster.restore(kept)

    def found() -> list[str]:
        outcome = judged(listed())
        fleet.record(outcome)
        lost = metrics.registry.get_sample_value(
            "voice_workers_lost", {"server": "s", "agent_name": "demo"}
        )
        return [f"{lost:g} lost", *map(str, fleet.judged(outcome).findings or ())]

    assert found() == ["0 lost"]
    clock.now += 45
    fleet.roster.heartbeat(WorkerReport("AW_1", "demo", WorkerStatus.IDLE))
    assert found() == ["0 lost"]
    clock.now += 1
    assert found() == ["1 lost", "SLOW: 1 worker of 'demo' lost, 1 in service"]


def test_a_lost_worker_is_lost_for_who_asks_the_exporter() -> None:
    """`check --collector` restores what the running exporter tells: no lost worker has left."""
    told = WorkerView.of(
        Worker("AW_1", "demo", WorkerStatus.OFFLINE, last_heartbeat=100.0, is_lost=True), 200.0
    )
    roster = Roster(clock=lambda: 200.0, wall_clock=lambda: 200.0)
    roster.restore([WorkerView.model_validate_json(told.model_dump_json()).worker(200.0)])

    assert [str(each) for each in judge_workers(roster.workers())] == [
        "FAIL: no worker of 'demo' is in service, 1 lost"
    ]


def test_a_page_that_does_not_answer_is_no_pass() -> None:
    """Behind it a worker may be dead."""
    pages = (
        WorkerPage("http://a:8081"),
        WorkerPage("http://b:8081", reason=Reason.CONNECT_FAILED, detail="refused"),
    )
    found = judged(Outcome("workers", "", WHEN, 0.1, result=WorkerScrape(pages)))
    assert [str(each) for each in found.findings or ()] == [
        "SLOW: 1 of 2 worker pages did not answer; http://b:8081: refused"
    ]
