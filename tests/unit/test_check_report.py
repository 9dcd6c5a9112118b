"""One verdict over agents, latency and the SFU, and every reason for it."""

import json

from exporter.outcome import Finding, Listing, Outcome, Reason, Verdict
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.sfu.spec import SfuConfig
from exporter.report.agents import FleetReport
from exporter.report.call_figures import CallReport, LatencyReport
from exporter.report.check import CheckDocument, CheckReport
from exporter.report.latency import NONE_FOUND
from exporter.report.printing import to_json
from exporter.report.sfu import SfuReport
from exporter.roster.types import Worker, WorkerStatus
from tests.unit.calls import WHEN, broken, call, failed, judged, replied
from tests.unit.sfu import baselines

LISTED = judged(Outcome("agents", "", WHEN, 0.1, result=Listing(rooms=0)))
TARGET = LatencyConfig(agent_name="demo", target_ms=1500)


def report(*calls: Outcome, listing: Outcome = LISTED, sfu: Outcome | None = None) -> CheckReport:
    """Return a check of so many calls to one agent."""
    return CheckReport(
        FleetReport(listing, (), asked=False, now=0.0),
        LatencyReport(WHEN, "here", tuple(CallReport(TARGET, each) for each in calls)),
        SfuReport(SfuConfig(), sfu or baselines.baseline()),
    )


def test_all_is_well() -> None:
    """Three verdicts, one over them, and nothing to say."""
    document = json.loads(to_json(CheckDocument.of(report(call(replied(0.8), replied(0.9))))))
    assert document["verdict"] == "PASS"
    assert document["reasons"] == []
    assert [document[part]["verdict"] for part in ("agents", "latency", "sfu")] == ["PASS"] * 3
    assert document["agents"] == {"in_room": [], "workers": [], "verdict": "PASS"}
    assert document["latency"]["latency"][0]["stats"]["n"] == 2
    assert document["sfu"]["baseline"]["vantage"] == "here"


def test_every_reason_is_told() -> None:
    """Of the listing, of each agent that did not pass, and of the SFU."""
    found = report(
        call(replied(2.0)),
        call(replied(0.5), failed(detail="silence for 10 s")),
        broken(Reason.NO_WORKER, "no worker named 'demo'"),
        listing=broken(Reason.API_FAILED, "HTTP 500", "agents"),
        sfu=baselines.failed(),
    )
    assert list(found.reasons()) == [
        "agents: FAIL: api_failed: HTTP 500",
        "latency: SLOW: demo: 2.00 s on average is above 1.5 s",
        "latency: FAIL: demo: no_reply: silence for 10 s",
        "latency: FAIL: demo: no_worker: no worker named 'demo'",
        "sfu: FAIL: connect_failed: no route",
    ]
    assert found.verdict is Verdict.FAIL


def test_the_worst_wins() -> None:
    """A slow network makes the whole SLOW, whatever the agents do well."""
    found = report(call(replied(0.5)), sfu=baselines.baseline(transport="tcp"))
    assert found.verdict is Verdict.SLOW


def test_nothing_called_is_not_known() -> None:
    """No agent anywhere is no PASS."""
    found = report()
    assert found.verdict is Verdict.UNKNOWN
    [reason] = found.reasons()
    assert reason == f"latency: UNKNOWN: {NONE_FOUND}"


def test_sick_fleet_is_no_pass() -> None:
    """Calls are fast; a worker is lost, and the running exporter cannot be asked."""
    workers = (
        Worker("a", "demo", WorkerStatus.IDLE),
        Worker("b", "demo", WorkerStatus.OFFLINE, is_lost=True),
    )
    unasked = (Finding(Verdict.UNKNOWN, "cannot read the roster"),)
    sfu = SfuReport(SfuConfig(), baselines.baseline())
    called = LatencyReport(WHEN, "here", (CallReport(TARGET, call(replied(0.8))),))

    found = CheckReport(FleetReport(LISTED, workers, True, 0.0, (), unasked), called, sfu)
    assert found.verdict is Verdict.SLOW
    assert list(found.reasons()) == [
        "agents: SLOW: 1 worker of 'demo' lost, 1 in service",
        "agents: UNKNOWN: cannot read the roster",
    ]

    blind = CheckReport(FleetReport(LISTED, (), True, 0.0, (), unasked), called, sfu)
    assert blind.verdict is Verdict.UNKNOWN
