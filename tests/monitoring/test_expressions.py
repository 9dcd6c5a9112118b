"""Every expression of every panel and rule, asked of a Prometheus that has scraped the exporter."""

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.monitoring import grafana, rules
from tests.monitoring.grafana import Query
from tests.monitoring.promql import read
from tests.monitoring.rules import Rule
from tests.monitoring.services import Answer, Prometheus
from tests.monitoring.site import observed_day

DASHBOARDS = grafana.load()
RULES = rules.load()
_BY_UID = {each.uid: each for each in DASHBOARDS}
QUERIES = [pytest.param(query, id=query.where) for each in DASHBOARDS for query in each.queries]
Settled = dict[tuple[str, bool], dict[str, str]]


@pytest.fixture(scope="module")
def prometheus(
    prometheus_programs: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """One that has a day of data, and the rules."""
    with observed_day(tmp_path_factory.mktemp("observed")) as running:
        yield running


@pytest.fixture(scope="module")
def settled(prometheus: Prometheus) -> Settled:
    """The values of each dashboard's variables: All where there is one, and one of each."""

    def ask(selector: str, label: str) -> tuple[str, ...]:
        return prometheus.label_values(label, selector)

    return {
        (each.uid, everything): grafana.settle(each.variables, ask, everything=everything)
        for each in DASHBOARDS
        for everything in (True, False)
    }


def test_dashboards_and_rules_are_there() -> None:
    """The other tests would pass without any."""
    expected = {"voice-fleet", "voice-agent", "voice-sfu", "voice-exporter"}
    assert set(_BY_UID) == expected
    assert all(each.queries for each in DASHBOARDS)
    assert {rule.is_alert for rule in RULES} == {True, False}


@pytest.mark.parametrize("everything", [True, False], ids=["all", "one"])
@pytest.mark.parametrize("query", QUERIES)
def test_query_of_a_panel(
    prometheus: Prometheus, settled: Settled, query: Query, everything: bool
) -> None:
    """It has data and no warning, and no two series are called the same.

    With All chosen for every variable that offers it, and with one value for each.
    """
    values = settled[query.dashboard, everything]
    if query.repeated_by:
        values = values | {query.repeated_by: settled[query.dashboard, False][query.repeated_by]}
    expression = grafana.substitute(query.expression, values)
    assert "$" not in expression.replace('"$1"', "")
    answer = _ask(prometheus, expression, is_instant=query.is_instant)
    assert not answer.error, expression
    assert not answer.warnings, expression
    assert answer.numbers, f"no data: {expression}"
    if not query.has_legend:
        return
    legend = grafana.substitute(query.legend, values)
    names = Counter(grafana.legend(legend, each.labels) for each in answer.series)
    twins = [name for name, number in names.items() if number > 1]
    assert not twins, f"several series are called the same: {expression}"
    for label in grafana.legend_labels(legend):
        assert any(each.labels.get(label) for each in answer.series), f"no label {label!r}"


@pytest.mark.parametrize("rule", [pytest.param(each, id=each.name) for each in RULES])
def test_rule(prometheus: Prometheus, rule: Rule) -> None:
    """It is evaluated without error and warning, and has what it asks for.

    What is recorded has data; of an alert, which had better be silent, each selector has.
    """
    answer = prometheus.ask(rule.expression)
    assert not answer.error
    assert not answer.warnings
    states = [each for each in prometheus.rules() if each["name"] == rule.name]
    assert states
    assert [state["health"] for state in states] == ["ok"] * len(states), states
    if not rule.is_alert:
        assert answer.numbers, f"records nothing: {rule.expression}"
    for selector in read(rule.expression).selectors:
        assert prometheus.series(str(selector)), f"matches nothing: {selector}"


def _ask(prometheus: Prometheus, expression: str, *, is_instant: bool) -> Answer:
    if is_instant:
        return prometheus.ask(expression)
    return prometheus.ask_range(expression, grafana.SPAN_S, grafana.STEP_S)
