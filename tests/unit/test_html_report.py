"""`--html FILE`: one file that needs nothing else, with the pictures where calls are kept."""

import re
from base64 import b64decode
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.cli import main
from exporter.cli.html import evidence_for, write_check, write_latency
from exporter.outcome import Reason
from exporter.probes.latency.spec import LatencyConfig
from exporter.report.call_figures import CallReport, LatencyReport
from tests.unit.calls import WHEN, broken, call, replied
from tests.unit.test_check_report import report
from tests.unit.web.kept_calls import kept_call, save

SHOP = LatencyConfig(agent_name="shop")


def found() -> LatencyReport:
    """Return a report of a call that is kept and one that is not."""
    slow = replace(call(replied(2.0), replied(2.4)), run_id="0123")
    return LatencyReport(
        WHEN, "here", (CallReport(SHOP, kept_call().outcome), CallReport(SHOP, slow))
    )


def test_the_report_needs_no_server(tmp_path: Path) -> None:
    """Pictures and sound are in it; nothing is loaded, and the policy forbids to."""
    file = tmp_path / "report.html"
    save(kept_call(), tmp_path / "calls", b"fLaC sound")
    write_latency(file, found(), tmp_path / "calls")
    page = file.read_text("utf-8")

    assert page.count('<svg xmlns="http://www.w3.org/2000/svg"') == 1
    (sound,) = re.findall(r'src="data:audio/flac;base64,([^"]+)"', page)
    assert b64decode(sound) == b"fLaC sound"
    assert re.findall(r'(?:src|href)="(?!data:|#)', page) == []
    assert "default-src &#39;none&#39;" in page
    assert "2.40 s" in page
    assert "Nothing is kept of this call" in page
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_without_evidence_there_are_figures(tmp_path: Path) -> None:
    """Findings and turns of each call, and no picture."""
    file = tmp_path / "report.html"
    write_latency(file, found(), None)
    page = file.read_text("utf-8")
    assert "<audio" not in page
    assert "2.20 s on average is above 1.5 s" in page


def test_a_check_begins_with_its_reasons(tmp_path: Path) -> None:
    """Those of the listing and of the SFU as well, which have no picture."""
    file = tmp_path / "report.html"
    listing = broken(Reason.API_FAILED, "HTTP 500", "agents")
    write_check(file, report(call(replied(0.9)), listing=listing), None)
    page = file.read_text("utf-8")
    assert "<li>agents: FAIL: api_failed: HTTP 500</li>" in page
    write_check(file, report(call(replied(0.9))), None)
    assert "<li>sfu: PASS</li>" in file.read_text("utf-8")


def test_calls_are_kept_for_the_report_alone(tmp_path: Path) -> None:
    """In a folder that goes with the command, unless the user has named one, which stays."""
    file, named = tmp_path / "report.html", tmp_path / "calls"
    with evidence_for(file) as folder:
        assert folder is not None
        assert folder.is_dir()
    assert not folder.exists()
    with evidence_for(file, named) as folder:
        assert folder == named
    with evidence_for(None) as folder:
        assert folder is None


@pytest.mark.parametrize("command", ["latency", "check"])
def test_a_file_that_cannot_be_written_costs_no_call(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line that names the option, before anything is called."""
    server = ("--url", "ws://127.0.0.1:1", "--api-key", "key", "--api-secret", "secret" * 6)
    file = tmp_path / "missing" / "report.html"
    assert main([command, "--html", str(file), *server]) == 2
    wanted = f"--html {file}: No such file or directory; expected a file that can be written"
    assert capsys.readouterr().err == f"voice-exporter: {wanted}\n"
