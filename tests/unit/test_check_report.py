"""One verdict over agents, latency and the SFU, and every reason for it."""

import json

from exporter.outcome import Listing, Outcome, Reason, Verdict
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.sfu.spec import SfuConfig
from exporter.report.agents import FleetReport
from exporter.report.check import CheckDocument, CheckReport
from exporter.report.latency import CallReport, LatencyReport
from exporter.report.printing import to_json
from exporter.report.sfu import SfuReport
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
    assert reason.startswith("latency: UNKNOWN: no agent is in a room")
