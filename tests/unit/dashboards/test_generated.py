"""The committed files are those that the code builds, in a form that Grafana's own schema knows."""

import json
from pathlib import Path

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards.__main__ import main
from dashboards.catalogue import GENERATED, documents, in_sight
from dashboards.chart import CHART, copies
from tests.offenders import every
from tests.unit.dashboards.reading import DASHBOARDS, Json


def test_all_are_there() -> None:
    """Alerts link to these uids."""
    uids = ("fleet", "agent", "real-calls", "sfu", "exporter")
    assert set(DASHBOARDS) == {f"voice-{uid}" for uid in uids}


def test_committed_files_are_what_is_built() -> None:
    """Else run `python -m dashboards`."""
    committed = {path: path.read_text("utf-8") for path in GENERATED.glob("*.json")}
    assert committed == documents()
    assert {path: path.read_text("utf-8") for path in CHART.glob("files/*/*")} == copies(committed)


def test_check_names_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A changed file, one that is missing, and one that nothing builds; nothing is written."""
    chart = tmp_path / "chart"
    assert main([], tmp_path, chart) == 0
    assert main(["--check"], tmp_path, chart) == 0
    (tmp_path / "voice-sfu.json").write_text("{}", encoding="utf-8")
    (tmp_path / "voice-agent.json").unlink()
    (tmp_path / "stray.json").write_text("{}", encoding="utf-8")
    (chart / "files" / "rules" / "alerts.yaml").unlink()
    assert capsys.readouterr().out == ""
    assert main(["--check"], tmp_path, chart) == 1
    told = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in told] == [
        "deploy/helm/voice-exporter/files/rules/alerts.yaml",
        "dashboards/generated/stray.json",
        "dashboards/generated/voice-agent.json",
        "dashboards/generated/voice-sfu.json",
    ]
    assert (tmp_path / "voice-sfu.json").read_text("utf-8") == "{}"


@every(DASHBOARDS)
def test_the_schema_knows_all_of_it(uid: str) -> None:
    """Reading a file by the schema's models and writing it again loses and adds nothing."""
    register_default_plugins()
    written = JSONEncoder().encode(Dashboard.from_json(DASHBOARDS[uid]))
    again: Json = json.loads(written, object_hook=in_sight)
    assert again == DASHBOARDS[uid]
