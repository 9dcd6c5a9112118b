"""Names and labels of dashboards and rules against the table of metrics, in both directions."""

from dataclasses import dataclass

from exporter.metrics.table import ROWS
from exporter.series import Family
from tests.monitoring import grafana, rules
from tests.monitoring.promql import Parts, Selector, read
from tests.offenders import every


@dataclass(frozen=True, slots=True)
class Expression:
    """One of a rule, a panel or a variable."""

    text: str
    legend: str
    where: str
    """For people."""


RULES = rules.load()
RECORDED = {rule.name: rule for rule in RULES if not rule.is_alert}
DASHBOARDS = grafana.load()
QUERIES = [query for each in DASHBOARDS for query in each.queries]
EXPRESSIONS = [
    *(Expression(rule.expression, "", rule.name) for rule in RULES),
    *(Expression(each.expression, each.legend, each.where) for each in QUERIES),
    *(
        Expression(match, "", f"{each.uid}: ${variable.name}")
        for each in DASHBOARDS
        for variable in each.variables
        if (match := grafana.selector_of(variable))
    ),
]
OF_PROMETHEUS = frozenset(
    {"up", "scrape_duration_seconds", "scrape_samples_scraped", "ALERTS", "ALERTS_FOR_STATE"}
)
OF_PYTHON = ("process_", "python_")
EVERYWHERE = frozenset({"server", "job", "instance"})
OF_ALERTS = EVERYWHERE | {"alertname", "alertstate", "severity"}
OF_SCRAPES = frozenset({"namespace", "pod", "container", "endpoint", "service", "node"})
"""What scrapes in Kubernetes add, and one rule takes off; no metric of ours may have them."""
OF_PROCESSES = frozenset({"generation", "implementation", "version"})
"""Labels of what Python says of itself."""
_SUFFIXES = ("_bucket", "_count", "_sum")
OF_COUNTERS = frozenset({"rate", "irate", "increase", "resets"})
OF_GAUGES = frozenset({"delta", "idelta", "deriv", "predict_linear"}) | {
    f"{each}_over_time" for each in ("avg", "min", "max", "sum", "quantile", "stddev", "stdvar")
}
UNSHOWN: dict[str, str] = {}
"""Metrics that neither a dashboard nor a rule shows, and why."""


@every(EXPRESSIONS, lambda expression: expression.where)
def test_names_and_labels_exist(expression: Expression) -> None:
    """No query asks for a metric or a label that there is not, and each suits its function."""
    parts = _read(expression.text)
    for selector in parts.selectors:
        assert _is_known(selector.name), f"there is no metric {selector.name}"
        labels = _labels(selector.name)
        unknown = {each.label for each in selector.matchers} - labels
        assert not unknown, f"{selector.name} has no label {unknown}"
        _check_function(selector)
    of_all = frozenset[str]().union(*(_labels(each.name) for each in parts.selectors))
    asked = parts.grouping | grafana.legend_labels(expression.legend)
    known = of_all | parts.made | OF_SCRAPES
    assert asked <= known, f"no metric here has {asked - known}"


def test_every_metric_is_shown() -> None:
    """Every metric is in a dashboard or a rule, or it is said why not; no excuse is left over."""
    asked = {selector.name for each in EXPRESSIONS for selector in _read(each.text).selectors}
    shown = {row.name for name in asked if (row := _row(name)) is not None}
    assert shown & UNSHOWN.keys() == set()
    assert ROWS.keys() - shown - UNSHOWN.keys() == set()


def _read(expression: str) -> Parts:
    return read(grafana.blank(expression))


def _check_function(selector: Selector) -> None:
    row = _row(selector.name)
    if row is None:
        return
    counts = row.kind != "gauge"
    wrong = OF_GAUGES if counts else OF_COUNTERS
    assert selector.function not in wrong, f"{selector.function}() of the {row.kind} {row.name}"


def _row(name: str) -> Family | None:
    """Return the row of a metric or of one of a histogram's series."""
    if name in ROWS and ROWS[name].kind != "histogram":
        return ROWS[name]
    for suffix in _SUFFIXES:
        row = ROWS.get(name.removesuffix(suffix)) if name.endswith(suffix) else None
        if row is not None and row.kind == "histogram":
            return row
    return None


def _is_known(name: str) -> bool:
    return (
        _row(name) is not None
        or name in RECORDED
        or name in OF_PROMETHEUS
        or name.startswith(OF_PYTHON)
    )


def _labels(name: str) -> frozenset[str]:
    """Return the labels that a metric may have; those of what is recorded follow from its rule."""
    if rule := RECORDED.get(name):
        parts = _read(rule.expression)
        of_parts = (_labels(each.name) for each in parts.selectors)
        return frozenset(parts.made.union(dict(rule.labels), *of_parts))
    row = _row(name)
    if row is not None:
        return EVERYWHERE | set(row.labels) | ({"le"} if name.endswith("_bucket") else set())
    if name.startswith("ALERTS"):
        return OF_ALERTS.union(*(row.labels for row in ROWS.values()))
    return EVERYWHERE | OF_PROCESSES
