"""What the dashboards ask Prometheus for, as far as it can be told without one."""

import re
from pathlib import Path

import yaml

from exporter.metrics.table import ROWS
from tests.monitoring import rules
from tests.offenders import every
from tests.unit.dashboards.reading import DASHBOARDS, QUERIES, Query, groups, selected, strings

RULES = Path(__file__).parents[3] / "alerts" / "recording.yaml"
RECORDED = frozenset(
    rule["record"]
    for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    for rule in group["rules"]
)
OF_PROMETHEUS = frozenset({"ALERTS"})
BUILT_IN = frozenset({"__rate_interval", "__range", "__interval", "__url_time_range", "__data"})
LOW_IS_BAD = frozenset({"voice_reply_level_dbfs", "voice_reply_bandwidth_hertz", "voice_reply_mos"})
OF_CONVERSATIONS = (
    "voice_reply_",
    "voice_speech_",
    "voice_overlap_",
    "voice_call_packets_",
    "voice_call_concealed_",
    "voice_call_jitter_seconds",
    "voice_tasks_",
    "voice_expectations_",
)
BY_CALL_TYPE = frozenset(
    name
    for name, row in ROWS.items()
    if "call_type" in row.labels
    # The worst of several is one, and failures and leases add up.
    and not name.startswith(
        (
            *("voice_verdict", "voice_probe_failures", "voice_probe_loop_lag"),
            *("voice_probe_last_run_failed", "voice_lease_"),
        )
    )
)


@every(QUERIES)
def test_metrics_exist(query: Query) -> None:
    """Every name is in the table of metrics, recorded by a rule, or Prometheus' own."""
    assert [name for name in selected(query.expr) if not _exists(name)] == []


def _exists(name: str) -> bool:
    histogram = ROWS.get(re.sub(r"_(bucket|count|sum)$", "", name))
    is_histogram = histogram is not None and histogram.kind == "histogram"
    return name in ROWS or is_histogram or name in RECORDED | OF_PROMETHEUS


@every(QUERIES)
def test_windows_are_grafanas(query: Query) -> None:
    """Rates have the window that suits the graph; figures at one time are of all of the range."""
    windows = set(re.findall(r"\[(.*?)\](?: @ end\(\))?", query.expr))
    if query.content["instant"]:
        assert windows <= {"$__range", "1d"}  # of yesterday
    else:
        ends = {"$__range"} if "[$__range] @ end()" in query.expr else set()
        assert windows <= {"$__rate_interval", "1h", *ends}
    counted = re.findall(r"\b(rate|increase)\(", query.expr)
    assert len(counted) == len(re.findall(r"\[\S+\](?: @ end\(\)| offset 1d)?\)", query.expr))


@every([query for query in QUERIES if "offset $__interval" in query.expr])
def test_what_is_counted_is_in_one_bar(query: Query) -> None:
    """Bars are as wide as what they count, and no narrower than the interval of what is run."""
    least_s = rules.seconds(query.content["interval"])
    assert least_s >= (60 if query.panel.uid == "voice-sfu" else 300), query.content["interval"]
    assert "$__rate_interval" not in query.expr


@every([query for query in QUERIES if "histogram_quantile" in query.expr])
def test_no_quantile_is_of_a_handful(query: Query) -> None:
    """Twenty values at least, counted in the window of the quantile itself."""
    windows = set(re.findall(r"\[(.*?)\]", query.expr))
    assert len(windows) == 1
    assert re.search(r"and on \([^)]*\) \(sum by \([^)]*\) \(increase\(\w+_count\{", query.expr)
    assert ">= 20" in query.expr


@every(QUERIES)
def test_what_is_bad_when_low_is_shown_by_its_lowest(query: Query) -> None:
    """A good exporter or scenario does not hide a bad one."""
    for name in LOW_IS_BAD & set(selected(query.expr)):
        assert re.search(rf"min by \([^)]*\bscenario\b[^)]*\) \({name}", query.expr)


@every(QUERIES)
def test_scenarios_of_conversations_are_never_mixed(query: Query) -> None:
    """A scenario has a bad line, or another dialogue, on purpose."""
    for name in selected(query.expr):
        if name.startswith(OF_CONVERSATIONS):
            for kept in groups(query.expr, name):
                assert kept is not None
                assert "scenario" in kept, query.expr


@every(QUERIES)
def test_call_types_are_never_mixed(query: Query) -> None:
    """What knows call types keeps them apart, also where a panel is there once for each."""
    for name in selected(query.expr):
        if re.sub(r"_(bucket|count|sum)$", "", name) in BY_CALL_TYPE:
            for kept in groups(query.expr, name):
                assert kept is not None
                assert "call_type" in kept, query.expr


@every(QUERIES)
def test_a_quantile_keeps_its_buckets(query: Query) -> None:
    """Quantiles are of sums by `le`, never of averages, and no quantile is averaged."""
    if "histogram_quantile" in query.expr:
        assert re.search(r"histogram_quantile\([\d.]+, sum by \(le, ", query.expr)
    assert not re.search(r"\bavg\b", query.expr)


@every(DASHBOARDS)
def test_variables_are_defined_and_used(uid: str) -> None:
    """No query or link uses an unknown variable; none is offered that changes nothing."""
    dashboard = DASHBOARDS[uid]
    defined = [variable["name"] for variable in dashboard["templating"]["list"]]
    used = {
        name
        for text in strings({key: dashboard[key] for key in ("panels", "annotations", "links")})
        for name in re.findall(r"\$\{?([a-zA-Z_]\w*)", text)
    }
    assert used - BUILT_IN == set(defined)
    assert defined[0] == "datasource"


@every(DASHBOARDS)
def test_a_variable_depends_on_those_before_it(uid: str) -> None:
    """The values of each follow from what is chosen to its left."""
    known: set[str] = {"datasource"}
    for variable in DASHBOARDS[uid]["templating"]["list"]:
        text = variable["query"] if isinstance(variable["query"], str) else variable["definition"]
        assert set(re.findall(r"\$(\w+)", text)) <= known
        known.add(variable["name"])


@every(QUERIES)
def test_single_variables_match_exactly_and_others_by_pattern(query: Query) -> None:
    """Grafana escapes values of several for a pattern, and a single one not."""
    listed = DASHBOARDS[query.panel.uid]["templating"]["list"]
    multi = {variable["name"] for variable in listed if variable.get("multi")}
    for operator, name in re.findall(r'(=~|!~|!=|=)"\$(\w+)', query.expr):
        assert operator == ("=~" if name in multi else "="), query.expr


def test_groups_are_read() -> None:
    """The reader of this test sees nested aggregations, and none."""
    expr = 'max(sum by (a, b) (rate(x_total{l=")"}[5m]))) + y{} + sum by (c) (x_total{})'
    assert groups(expr, "x_total") == [frozenset(), frozenset({"c"})]
    assert groups(expr, "y") == [None]
