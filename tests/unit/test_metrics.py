"""The table of metrics and the registry made from it."""

import re

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from exporter.docs.__main__ import DOCS
from exporter.docs.metrics import metrics_page
from exporter.metrics import exposition
from exporter.metrics.registry import Metrics
from exporter.metrics.table import ROWS, TABLE
from exporter.series import OWN_LABELS, Family
from tests.golden_metrics import GOLDEN, blanked, golden_page

LABELS = {
    "calls",
    "clients",
    "agent_name",
    "call_type",
    "scenario",
    "component",
    "model",
    "source",
    "outcome",
    "probe",
    "lane",
    "reason",
    "stage",
    "check",
    "verdict",
    "state",
    "kind",
    "form",
    "worker_id",
    "status",
    "result",
    "version",
    "python_version",
    "vantage",
    "method",
    "direction",
    "speaker",
    "phase",
    "transport",
    "alert",
    "client",
    "quality",
    "operation",
    "backend",
    "url",
    "slo",
    "page_on",
    "ended_by",
    "region",
    "sdk_version",
    "node",
    "event",
    "trunk",
    "claim",
    OWN_LABELS,
}


def test_page_is_the_golden_page() -> None:
    """No name, type, label or help changes unseen; `python -m tests.golden_metrics` accepts it."""
    assert golden_page() == GOLDEN.read_text(encoding="utf-8")


def test_blanking_keeps_what_queries_use() -> None:
    """Values and labels of this machine are blanked; names and other labels stay."""
    page = """voice_x{agent_name="a b",server="h:1"} 1.5e+09
process_open_fds 7
# HELP voice_x Hm.
"""

    assert blanked(page) == (
        'voice_x{agent_name="a b",server="*"} *\nprocess_open_fds\n# HELP voice_x Hm.\n'
    )


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_row_keeps_the_conventions(row: Family) -> None:
    """A counter ends in _total, a histogram has a base unit, labels are of the bounded set."""
    assert re.fullmatch(r"voice_[a-z0-9_]+", row.name)
    assert row.name.endswith("_total") == (row.kind == "counter")
    assert row.name.endswith("_seconds") or row.kind != "histogram"
    assert bool(row.buckets) == (row.kind == "histogram")
    assert row.help.endswith(".")
    assert set(row.labels) <= LABELS


def test_names_are_unique() -> None:
    """No two rows make the same metric."""
    assert len(ROWS) == len(TABLE)


def test_thresholds_become_buckets() -> None:
    """Someone's target is a bucket of the turns' histograms and of no other."""
    registry = CollectorRegistry()
    metrics = Metrics(registry, "here", [0.777])
    metrics.create("voice_e2e_latency_seconds", "a", "b", "c", "d")
    metrics.create("voice_time_to_agent_seconds", "a", "b", "c", "d")

    page = generate_latest(registry).decode()

    assert re.findall(r'(voice_\w+)_bucket{.*le="0.777"', page) == ["voice_e2e_latency_seconds"]


def test_labels_of_a_series_are_written_once_and_when_they_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not for each bucket, not when a series is made, and not where nothing has changed."""
    written: list[str] = []
    pair = exposition._pair

    def counted(name: str, value: str) -> str:
        written.append(name)
        return pair(name, value)

    monkeypatch.setattr(exposition, "_pair", counted)
    metrics = Metrics(CollectorRegistry(), "here")
    for agent in ("a", "b", "c"):
        metrics.create("voice_e2e_latency_seconds", agent, "b", "c", "d")
    assert written == []
    metrics.snapshot()
    assert len(written) == 3 * 2 * 5  # before and after each bucket, then of count and sum
    metrics.snapshot()
    metrics.observe("voice_e2e_latency_seconds", 1.0, "b", "b", "c", "d")
    metrics.snapshot()
    assert len(written) == 4 * 2 * 5


@pytest.mark.parametrize(
    ("method", "name"),
    [("set", "voice_turns_total"), ("add", "voice_rooms"), ("observe", "voice_rooms")],
)
def test_wrong_use_of_a_metric_is_an_error(method: str, name: str) -> None:
    """Setting a counter, or observing a gauge, fails where it is written."""
    metrics = Metrics(CollectorRegistry(), "here")

    with pytest.raises(TypeError, match=name):
        getattr(metrics, method)(name, 1)


def test_docs_name_every_metric() -> None:
    """Each row stands on the page, and the committed page is what the code says."""
    page = metrics_page()

    assert [row.name for row in TABLE if f"| `{row.name}` |" not in page] == []
    assert page == (DOCS / "metrics.md").read_text(encoding="utf-8")
