"""Every expression of every panel and rule, asked of a Prometheus that has scraped the exporter."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping

import pytest

from tests.monitoring import grafana, rules
from tests.monitoring.grafana import Query
from tests.monitoring.promql import read
from tests.monitoring.rules import Rule
from tests.monitoring.services import Answer, Prometheus
from tests.monitoring.site import observed_day
from tests.offenders import every

DASHBOARDS = grafana.load()
RULES = rules.load()
_BY_UID = {each.uid: each for each in DASHBOARDS}
CASES = [
    (query, everything)
    for each in DASHBOARDS
    for query in each.queries
    for everything in (True, False)
]
EMPTY_WHEN_WELL = (
    *("Runs in a row", "Targets of the agent why", "Agents by call type and scenario why"),
    *("Checks of the servers why", "Not zero", "Messages without an answer"),
)
"""Their panels say what is wrong now; of these each selector has series."""
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
    expected = {"voice-fleet", "voice-agent", "voice-real-calls", "voice-sfu", "voice-exporter"}
    assert set(_BY_UID) == expected
    assert all(each.queries for each in DASHBOARDS)
    assert {rule.is_alert for rule in RULES} == {True, False}


def test_queries_of_panels(prometheus: Prometheus, settled: Settled) -> None:
    """Each has data and no warning, and no two series are called the same.

    With All chosen for every variable that offers it, and with one value for each.
    """

    @every(CASES, lambda case: f"{case[0].where}, {'all' if case[1] else 'one'}")
    def rule(case: tuple[Query, bool]) -> None:
        query, everything = case
        values = settled[query.dashboard, everything]
        if query.repeated_by:
            one = settled[query.dashboard, False][query.repeated_by]
            values = values | {query.repeated_by: one}
        _check_query(prometheus, query, values)

    rule()


def _check_query(prometheus: Prometheus, query: Query, values: Mapping[str, str]) -> None:
    expression = grafana.substitute(query.expression, values)
    assert not re.search(r"\$\D", expression)
    answer = _ask(prometheus, expression, is_instant=query.is_instant)
    assert not answer.error, expression
    assert not answer.warnings, expression
    if not answer.numbers and query.place.startswith(EMPTY_WHEN_WELL):
        for selector in read(expression).selectors:
            assert prometheus.series(str(selector)), f"matches nothing: {selector}"
        return
    assert answer.numbers, f"no data: {expression}"
    if not query.has_legend:
        return
    legend = grafana.substitute(query.legend, values)
    names = Counter(grafana.legend(legend, each.labels) for each in answer.series)
    twins = [name for name, number in names.items() if number > 1]
    assert not twins, f"several series are called the same: {expression}"
    for label in grafana.legend_labels(legend):
        assert any(each.labels.get(label) for each in answer.series), f"no label {label!r}"


def test_rules(prometheus: Prometheus) -> None:
    """Each is evaluated without error and warning, and has what it asks for.

    What is recorded has data; of an alert, which had better be silent, each selector has.
    """
    evaluated = prometheus.rules()

    @every(RULES, lambda rule: rule.name)
    def holds(rule: Rule) -> None:
        answer = prometheus.ask(rule.expression)
        assert not answer.error
        assert not answer.warnings
        states = [each for each in evaluated if each["name"] == rule.name]
        assert states
        assert [state["health"] for state in states] == ["ok"] * len(states), states
        if not rule.is_alert:
            assert answer.numbers, f"records nothing: {rule.expression}"
        for selector in read(rule.expression).selectors:
            assert prometheus.series(str(selector)), f"matches nothing: {selector}"

    holds()


def _ask(prometheus: Prometheus, expression: str, *, is_instant: bool) -> Answer:
    if is_instant:
        return prometheus.ask(expression)
    return prometheus.ask_range(expression, grafana.SPAN_S, grafana.STEP_S)
