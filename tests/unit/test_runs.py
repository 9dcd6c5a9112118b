"""`runs` and `runs show`: from a ledger that an exporter is using, or from a running exporter."""

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from exporter.evidence.reading import SEAL_NAME, Seal, to_seal
from exporter.outcome import Cause, Finding, Reason, Verdict
from exporter.store.records import RunRecord
from exporter.store.sqlite import open_sqlite
from tests.command import run_here
from tests.unit.evidence.calls import outcome, write


@pytest.fixture(name="config")
def _config(tmp_path: Path) -> Iterator[str]:
    """The configuration of an exporter that has its ledger open, with three runs."""
    state = tmp_path / "state"
    good, failed = outcome("a1", Verdict.PASS), outcome("b2", reason=Reason.NO_REPLY)
    other = replace(good, run_id="c3", agent_name="other")
    with closing(open_sqlite(state)) as store:
        for age, each in enumerate((other, failed, good)):
            at = each.started_at - timedelta(minutes=age)
            store.end(RunRecord.of(replace(each, started_at=at)))
        write(state / "evidence" / "b2")
        log = replace(failed, log=("   0.1 in room r",))
        (state / "evidence" / "b2" / SEAL_NAME).write_bytes(to_seal(Seal(log, 1.5)))
        file = tmp_path / "exporter.yaml"
        file.write_text(json.dumps({"store": {"folder": str(state)}}))
        yield str(file)


def ids(*arguments: str) -> list[str]:
    """Return the ids of the runs that the command lists."""
    status, out, err = run_here(None, "runs", *arguments, "--json")
    assert status == 0, err
    return [each["run_id"] for each in json.loads(out)["runs"]]


def test_runs_are_listed_the_newest_first(config: str) -> None:
    """All of them, of one agent, those that failed, or the last ones."""
    assert ids("--config", config) == ["c3", "b2", "a1"]
    assert ids("--config", config, "--agent", "demo") == ["b2", "a1"]
    assert ids("--config", config, "--failed") == ["b2"]
    assert ids("--config", config, "--last", "1") == ["c3"]


def test_the_table_is_for_people(config: str) -> None:
    """Verdict and reason stand in the row of the run."""
    _, out, _ = run_here(None, "runs", "--config", config)
    [row] = [line for line in out.splitlines() if line.startswith("b2")]
    assert "FAIL" in row
    assert "no_reply" in row


def test_one_run_is_shown(config: str) -> None:
    """With its log, and what is kept of it."""
    status, out, err = run_here(None, "runs", "show", "b2", "--config", config)
    assert status == 0, err
    assert "in room r" in out
    assert "kept: 1.0 s, with sound" in out
    _, out, _ = run_here(None, "runs", "show", "b2", "--config", config, "--json")
    assert json.loads(out)["evidence"]["sound"] == "b2/sound"
    status, _, err = run_here(None, "runs", "show", "d4", "--config", config)
    assert (status, err) == (1, ["voice-exporter: no such run"])


def test_a_run_says_what_made_it_slow(tmp_path: Path) -> None:
    """Also where no turn was slow: in the list in a word, in the run in full."""
    words = Finding(Verdict.SLOW, "40% of the words are wrong", Cause.WORDS)
    with closing(open_sqlite(tmp_path / "state")) as store:
        slow = outcome("a1", Verdict.SLOW)
        store.end(RunRecord.of(replace(slow, findings=(words,))))
    file = tmp_path / "exporter.yaml"
    file.write_text(json.dumps({"store": {"folder": str(tmp_path / "state")}}))

    _, out, _ = run_here(None, "runs", "show", "a1", "--config", str(file))
    assert "SLOW     words" in out
    assert "SLOW: 40% of the words are wrong" in out.splitlines()
    _, out, _ = run_here(None, "runs", "show", "a1", "--config", str(file), "--json")
    found = [{"verdict": "SLOW", "text": words.text, "cause": "words"}]
    assert json.loads(out)["findings"] == found


def test_no_ledger_is_one_line(tmp_path: Path) -> None:
    """It says what to give instead."""
    file = tmp_path / "exporter.yaml"
    file.write_text(json.dumps({"store": {"folder": str(tmp_path / "none")}}))
    status, _, err = run_here(None, "runs", "--config", str(file))
    assert status == 2
    [line] = err
    assert "there is no ledger in" in line
    assert "--collector URL" in line
