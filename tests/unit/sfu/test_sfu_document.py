"""The JSON and the table of `sfu`."""

import json
from dataclasses import replace

import pytest

from exporter.outcome import Outcome, Reason, Reconnect
from exporter.probes.sfu.spec import SfuConfig
from exporter.report.printing import to_json
from exporter.report.ramp import RoundTrips
from exporter.report.sfu import SfuDocument, SfuReport, print_sfu

from .baselines import baseline, failed


def report(outcome: Outcome) -> SfuReport:
    """Return a report under the default thresholds."""
    return SfuReport(SfuConfig(), outcome)


def test_document_of_a_baseline() -> None:
    """The keys that are promised, in milliseconds and percent."""
    measured = replace(baseline(), loop_lag_s=0.004)
    document = json.loads(to_json(SfuDocument.of(report(measured))))
    keys = ["baseline", "ramp", "knee_clients", "knee", "verdict", "findings", "loop_lag_ms"]
    assert list(document) == keys
    assert document["loop_lag_ms"] == 4.0
    told = document["baseline"]
    assert told["vantage"] == "here"
    assert told["rtt_ms"] == {"p50": 20.0, "p95": 29.0, "max": 30.0, "n": 21}
    assert (told["ice_rtt_ms"], told["jitter_ms"]) == (20.0, 3.0)
    assert (told["loss_up_pct"], told["loss_down_pct"]) == (0.0, pytest.approx(0.502513))
    assert told["connect_ms"] == {"signal": 45.0, "ice": 120.0, "media": 210.0}
    assert (told["transport"], told["candidate_type"]) == ("udp", "host")
    assert told["quality"] == "good"
    assert (told["packets_up"], told["pings_lost"], told["floor_ms"]) == (2000, 1, 0.5)
    assert told["reconnects"] == []
    assert (document["ramp"], document["knee_clients"]) == ([], None)
    assert (document["verdict"], document["findings"]) == ("PASS", [])


def test_document_of_reconnects() -> None:
    """A connection that was lost is told with its times, or with the reason that it stayed so."""
    lost = Reconnect("unprovoked", reason=Reason.CONNECT_FAILED, detail="not connected again")
    outcome = baseline(reconnects=(Reconnect("unprovoked", 34.4, 34.65), lost))
    document = json.loads(to_json(SfuDocument.of(report(outcome))))
    assert document["baseline"]["reconnects"] == [
        {
            "kind": "unprovoked",
            "resume_s": 34.4,
            "media_gap_s": 34.65,
            "reason": None,
            "detail": "",
        },
        {
            "kind": "unprovoked",
            "resume_s": None,
            "media_gap_s": None,
            "reason": "connect_failed",
            "detail": "not connected again",
        },
    ]


def test_document_of_a_failure() -> None:
    """Nothing measured is null, and the reason is told."""
    document = json.loads(to_json(SfuDocument.of(report(failed()))))
    assert document["baseline"] is None
    assert (document["verdict"], document["findings"]) == (
        "FAIL",
        ["FAIL: connect_failed: no route"],
    )


def test_few_round_trips_have_no_p95() -> None:
    """Below twenty samples it would only be the maximum under another name."""
    assert RoundTrips.of([0.003, 0.001, 0.002]) == RoundTrips(2.0, None, 3.0, 3)
    assert RoundTrips.of([]) == RoundTrips(None, None, None, 0)


def test_table(capsys: pytest.CaptureFixture[str]) -> None:
    """A row, what is behind it, and the verdict last."""
    print_sfu(report(baseline(transport="tcp")))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == [
        *("here", "20.0ms", "29.0ms", "30.0ms", "0.0%", "0.5%", "3.0ms"),
        *("tcp", "good"),
    ]
    assert lines[2] == "round trip over 21 data messages · ICE 20.0ms"
    assert lines[3].startswith("loss over 2000 packets up, 1990 down · concealed 0.1%")
    assert lines[4] == "connect: signal 45.0ms · ice 120.0ms · media 210.0ms · host candidate"
    assert lines[-2].startswith("SLOW: UDP is blocked, media uses TCP: open UDP to 192.0.2.9")
    assert lines[-1] == "VERDICT: SLOW"


def test_table_of_a_silence(capsys: pytest.CaptureFixture[str]) -> None:
    """A silence is told whether the SDK said that the connection was lost, or nothing."""
    print_sfu(report(baseline(media_gap_s=0.04)))
    assert "silence" not in capsys.readouterr().out
    print_sfu(report(baseline(media_gap_s=3.04)))
    assert "silence: no packet for 3.04 s" in capsys.readouterr().out.splitlines()
    lost = Reconnect("unprovoked", 34.4, 34.65)
    print_sfu(report(baseline(media_gap_s=34.65, reconnects=(lost,))))
    lines = capsys.readouterr().out.splitlines()
    assert (
        "SLOW: a connection was lost that nobody broke on purpose: back after 34.40 s" in lines[-2]
    )
