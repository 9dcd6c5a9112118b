"""The JSON that `--json` prints: keys, order, rounding and what is null."""

import json
import re
from dataclasses import is_dataclass, replace
from pathlib import Path
from typing import get_args, get_type_hints

from pydantic import BaseModel

from exporter.outcome import (
    AgentInRoom,
    Calibration,
    CallResult,
    Components,
    Expectation,
    ExpectationOutcome,
    Listing,
    ModelUsage,
    Outcome,
    PendingDispatch,
    Reason,
)
from exporter.probes.latency.spec import LatencyConfig
from exporter.report.agents import AgentsDocument
from exporter.report.calibrate import CalibrateDocument
from exporter.report.call_documents import LatencyDocument
from exporter.report.call_figures import CallReport, LatencyReport
from exporter.report.check import CheckDocument
from exporter.report.printing import to_json

from .calls import WHEN, broken, call, failed, heard, judged, replied, void

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
CONFIG = LatencyConfig(agent_name="demo", trials=4)
FLOOR = judged(Outcome("calibrate", "", WHEN, 20.0, result=Calibration(0.0942, 0.004, 10)))
FULL = Components(0.1234567891, 0.3, 0.45, 0.09, 0.06)


def report(*outcomes: Outcome, floor: Outcome | None = None) -> LatencyReport:
    """Return a report of calls to the same agent."""
    return LatencyReport(
        WHEN, "127.0.0.1:7880", tuple(CallReport(CONFIG, each) for each in outcomes), floor
    )


def test_latency_document_is_the_golden_one() -> None:
    """The whole document stands as a file, so that no key is renamed unseen."""
    measured = call(
        replied(0.93, warmup=True),
        replied(0.8200000004, split=FULL, depth_s=0.04),
        replied(0.84, split=Components(llm_s=0.55), depth_s=0.06, heard=heard(6, deleted=1)),
        failed(),
        void(),
        usage=(ModelUsage("reader", 1500, 900, 60), ModelUsage("ear", stt_seconds=9.5)),
    )
    assert isinstance(measured.result, CallResult)
    untold = Expectation(2, "tool", ExpectationOutcome.VOID, "why")
    result = replace(measured.result, expectations=(untold,))
    late = replace(measured, loop_lag_s=0.031, result=result)
    found = report(late, broken(Reason.NO_WORKER, "nobody"), floor=FLOOR)
    expected = (GOLDEN / "latency.json").read_text(encoding="utf-8")
    assert to_json(LatencyDocument.of(found)) + "\n" == expected


def test_call_without_turns_still_gives_its_reason() -> None:
    """A call that came to no turn is listed as one failed turn with the reason."""
    document = LatencyDocument.of(report(broken(Reason.CONNECT_FAILED, "no route")))
    [turn] = document.latency[0].turns
    assert (turn.outcome, turn.reason, turn.e2e_s) == ("failed", "connect_failed", None)
    assert document.latency[0].stats.n == 0


def test_reason_of_a_call_is_not_told_twice() -> None:
    """A call that ended with a failed turn lists that turn once."""
    outcome = call(replied(1.0), failed(Reason.AGENT_LEFT), reason=Reason.AGENT_LEFT)
    assert len(LatencyDocument.of(report(outcome)).latency[0].turns) == 2


def test_nothing_found() -> None:
    """No agent anywhere is an empty list, a floor of null and UNKNOWN."""
    document = json.loads(to_json(LatencyDocument.of(report())))
    assert document == {
        "run_at": "2026-11-20T07:30:05Z",
        "server": "127.0.0.1:7880",
        "floor_s": None,
        "latency": [],
        "verdict": "UNKNOWN",
    }


def test_failed_listing_is_fail() -> None:
    """When agents could not even be listed, the verdict is FAIL, not UNKNOWN."""
    failure = broken(Reason.AUTH_FAILED, "401", probe="agents")
    document = LatencyDocument.of(LatencyReport(WHEN, "s", failure=failure))
    assert document.verdict == "FAIL"


def test_agents_document() -> None:
    """Agents in rooms come first, then the dispatched ones that are not there."""
    listing = Listing(
        agents=(
            AgentInRoom("demo", "agent-1", "room-1", "listening", 1, 42.12345678),
            AgentInRoom("old", "agent-2", "room-1", "", 1, 3.0),
        ),
        pending=(PendingDispatch("sales", "room-2", 8.0, 2),),
        rooms=2,
    )
    common = {"room": "room-1", "humans": 1}
    assert json.loads(to_json(AgentsDocument.of(listing))) == {
        "in_room": [
            {"agent_name": "demo", "identity": "agent-1", "state": "listening", "age_s": 42.123457}
            | common,
            {"agent_name": "old", "identity": "agent-2", "state": "active", "age_s": 3.0} | common,
            {
                "agent_name": "sales",
                "identity": None,
                "room": "room-2",
                "state": "dispatched",
                "humans": 2,
                "age_s": 8.0,
            },
        ],
        "workers": [],
    }


def test_calibrate_document() -> None:
    """A calibration says its n; one that failed says why, and has no numbers."""
    good = json.loads(to_json(CalibrateDocument.of("s", replace(FLOOR, loop_lag_s=0.002))))
    assert good["loop_lag_s"] == 0.002
    assert (good["floor_s"], good["spread_s"], good["n"], good["reason"]) == (
        0.0942,
        0.004,
        10,
        None,
    )
    bad = json.loads(to_json(CalibrateDocument.of("s", broken(Reason.DEADLINE, "late"))))
    assert (bad["floor_s"], bad["n"], bad["reason"], bad["detail"]) == (None, 0, "deadline", "late")


def fields_of(kind: object) -> set[str]:
    """Return the names of all fields of a type, and of the types within it."""
    names: set[str] = set()
    if is_dataclass(kind) or (isinstance(kind, type) and issubclass(kind, BaseModel)):
        for name, inner in get_type_hints(kind).items():
            names |= {name} | fields_of(inner)
    for inner in get_args(kind):
        names |= fields_of(inner)
    return names


def test_fields_that_the_comparison_names_are_there() -> None:
    """Who comes from another tool finds what the page promises."""
    page = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
    rows = page.partition("In the JSON of")[2].partition("\n## ")[0].splitlines()
    ours = [row.split("|")[2] for row in rows if row.startswith("| ") and row.count("|") == 4]
    named = {
        name
        for cell in ours
        for quoted in re.findall(r"`([^`]+)`", cell)
        for name in re.findall(r"[a-z][a-z0-9_]+|\bn\b", quoted)
    }
    assert len(named) > 30
    known = fields_of(CheckDocument) | fields_of(AgentsDocument) | {"agents", "check"}
    assert named - known == set()
