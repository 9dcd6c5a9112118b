"""The prober's own faults are nobody else's: UNKNOWN for every probe, no failed turn, no streak."""

from exporter.docs.metrics import verdict_rows
from exporter.outcome import Outcome, Reason, Turn
from exporter.probes import PROBES
from exporter.report.call_figures import CallReport
from tests.offenders import every
from tests.unit.calls import DEMO, WHEN, call, failed, judged, replied
from tests.unit.probe_outcomes import OUTCOMES
from tests.unit.recording import CALL, Page
from tests.unit.recording import DEMO as TARGET

OWN = (Reason.PROBE_CRASHED, Reason.VOID, Reason.QUOTA_EXCEEDED)


@every(verdict_rows(), lambda row: row[0])
def test_every_reason_has_one_verdict_for_every_probe(row: tuple[Reason, tuple[str, ...]]) -> None:
    """UNKNOWN where the prober is to blame, else FAIL: the table in docs/metrics.md."""
    reason, verdicts = row
    expected = "UNKNOWN" if reason in OWN else "FAIL"
    assert dict(zip(PROBES, verdicts, strict=True)) == dict.fromkeys(PROBES, expected)


@every(PROBES)
def test_what_was_measured_before_an_own_fault_is_not_judged(probe: str) -> None:
    """A bad figure of a run that the prober spoiled may be its own doing."""
    for reason in OWN:
        bad = OUTCOMES[probe].bad
        ended = Outcome(probe, bad.agent_name, WHEN, 1.0, reason, "why", bad.result)
        assert judged(ended).verdict == "UNKNOWN", reason


def test_crashes_in_a_row_make_no_streak_of_failures() -> None:
    """Two calls whose process died: no FAIL, no failed turn, and a row of the exporter's own."""
    page = Page(TARGET)
    for _ in range(2):
        page.recorder.record(call(replied(1.0), reason=Reason.PROBE_CRASHED))
    assert page.verdict() == ["UNKNOWN"]
    assert page.streaks() == {"SLOW": 0, "FAIL": 0}
    row = {"check": "latency", **CALL, "verdict": "UNKNOWN"}
    assert page.value("voice_verdict_streak", **row) == 2
    assert page.turns() == {"replied": 2, "failed": 0, "void": 4}


def test_a_turn_that_the_prober_spoiled_is_void() -> None:
    """Whatever ends a turn without a reply: its reason says whose fault it is."""
    outcomes = {reason: Turn.without_reply(reason, "why").outcome for reason in Reason}
    assert {reason for reason, outcome in outcomes.items() if outcome == "void"} == set(OWN)
    assert set(outcomes.values()) == {"void", "failed"}


def test_a_report_lists_a_crash_as_a_void_turn() -> None:
    """A call that failed outside of its turns ends in one that says whose fault it was."""
    crashed = call(replied(1.0), failed(), reason=Reason.PROBE_CRASHED, detail="SIGSEGV")
    assert CallReport(DEMO, crashed).turns[-1] == Turn.without_reply(
        Reason.PROBE_CRASHED, "SIGSEGV"
    )
    assert CallReport(DEMO, crashed).turns[-1].outcome == "void"
