"""Read the generated dashboards, and ask what Grafana would ask."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.monitoring.services import Labels

GENERATED = Path(__file__).parents[2] / "dashboards" / "generated"
_VARIABLE = re.compile(r"\$\{(\w+)(?::\w+)?\}|\$([a-zA-Z_]\w*)|\[\[(\w+)\]\]")
_LEGEND_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_LABEL_VALUES = re.compile(r"label_values\((?:(.*),)?\s*(\w+)\s*\)", re.DOTALL)
AUTOMATIC = ("", "__auto")
"""Legends by which Grafana names each series by its labels."""
SPAN_S = 1800.0
"""What a person looks at: the time span that graphs are drawn over here."""
STEP_S = 30.0
_BUILT_IN = {
    "__interval": f"{STEP_S:g}s",
    "__interval_ms": f"{STEP_S * 1000:g}",
    "__rate_interval": f"{STEP_S * 4:g}s",
    "__range": f"{SPAN_S:g}s",
    "__range_s": f"{SPAN_S:g}",
    "__range_ms": f"{SPAN_S * 1000:g}",
}
"""What Grafana sets itself; $__rate_interval is four steps, its own rule."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query of one dashboard, with its variables still in it."""

    dashboard: str
    """Its uid."""
    place: str
    """The panel's title and the query's letter, for people."""
    expression: str
    legend: str = ""
    is_instant: bool = False
    has_legend: bool = False
    """Whether its series are told apart by their legend; rows of a table are not."""
    repeated_by: str = ""
    """The variable of which each value has a panel of its own; "" for none."""

    @property
    def where(self) -> str:
        """Where to look for it."""
        return f"{self.dashboard}: {self.place}"


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable whose values Grafana asks Prometheus for."""

    name: str
    query: str
    """Such as `label_values(up, job)`."""
    all_value: str
    """What All stands for; "" for every value, joined."""
    has_all: bool


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard, as far as it concerns Prometheus."""

    uid: str
    queries: tuple[Query, ...]
    variables: tuple[Variable, ...]


def load() -> tuple[Dashboard, ...]:
    """Return every dashboard that was generated."""
    files = sorted(GENERATED.glob("*.json"))
    return tuple(_dashboard(json.loads(file.read_text("utf-8"))) for file in files)


def substitute(text: str, values: Mapping[str, str]) -> str:
    """Put values into a text, as Grafana does.

    Raises:
        KeyError: There is no such variable.
    """
    known = {**_BUILT_IN, **values}
    return _VARIABLE.sub(lambda match: known[next(filter(None, match.groups()))], text)


def blank(expression: str) -> str:
    """Return an expression that can be read without knowing the values of its variables.

    What stands where a name or a duration is expected becomes one; strings may keep theirs.
    """
    return _VARIABLE.sub("1m", expression)


def selector_of(variable: Variable) -> str:
    """Return the selector that a variable takes its values from, "" for none."""
    match = _LABEL_VALUES.fullmatch(variable.query.strip())
    return (match[1] or "").strip() if match else ""


def settle(
    variables: tuple[Variable, ...],
    ask: Callable[[str, str], tuple[str, ...]],
    *,
    everything: bool,
) -> dict[str, str]:
    """Choose a value for every variable, each in view of those before it.

    Args:
        variables: In the order of the dashboard.
        ask: Returns the values of a label (second) of what a selector (first, or "") matches.
        everything: Choose All where it is offered, else the first value.
    """
    chosen: dict[str, str] = {}
    for variable in variables:
        options = _options(substitute(variable.query, chosen), ask)
        assert options, f"${variable.name} has no values: {variable.query}"
        if everything and variable.has_all:
            chosen[variable.name] = variable.all_value or f"({'|'.join(options)})"
        else:
            chosen[variable.name] = options[0]
    return chosen


def legend(text: str, labels: Labels) -> str:
    """Return what stands beside a series."""
    if text in AUTOMATIC:
        return str(sorted(labels.items()))
    return _LEGEND_LABEL.sub(lambda match: labels.get(match[1], ""), text)


def legend_labels(text: str) -> frozenset[str]:
    """Return the labels that a legend names."""
    return frozenset(_LEGEND_LABEL.findall(text))


def _options(query: str, ask: Callable[[str, str], tuple[str, ...]]) -> tuple[str, ...]:
    match = _LABEL_VALUES.fullmatch(query.strip())
    assert match, f"only label_values() is understood here, not {query!r}"
    return tuple(sorted(ask((match[1] or "").strip(), match[2])))


def _dashboard(content: Mapping[str, Any]) -> Dashboard:
    uid = content["uid"]
    queries = [query for panel in _panels(content) for query in _queries(uid, *panel)]
    queries += (
        Query(uid, f"annotation {each['name']}", text)
        for each in content.get("annotations", {}).get("list", ())
        if (text := each.get("expr") or each.get("target", {}).get("expr"))
    )
    return Dashboard(uid, tuple(queries), tuple(_variables(content)))


def _panels(content: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Yield each panel with the variable that it, or the row it is in, is repeated by."""
    by_row = ""
    for panel in content.get("panels", ()):
        repeated_by = panel.get("repeat") or ""
        if panel.get("type") == "row":
            by_row = repeated_by
        yield panel, repeated_by or by_row
        for inner, own in _panels(panel):  # of a row that is folded
            yield inner, own or by_row


def _queries(uid: str, panel: Mapping[str, Any], repeated_by: str) -> Iterator[Query]:
    for target in panel.get("targets", ()):
        if not target.get("expr"):
            continue
        shape = target.get("format", "time_series")
        yield Query(
            dashboard=uid,
            place=f"{panel.get('title') or panel.get('id')} {target.get('refId', '')}".strip(),
            expression=target["expr"],
            legend=target.get("legendFormat", ""),
            is_instant=bool(target.get("instant")) and not target.get("range"),
            has_legend=shape == "time_series",
            repeated_by=repeated_by,
        )


def _variables(content: Mapping[str, Any]) -> Iterator[Variable]:
    for each in content.get("templating", {}).get("list", ()):
        if each["type"] != "query":
            continue
        query = each["query"]
        yield Variable(
            name=each["name"],
            query=query if isinstance(query, str) else query["query"],
            all_value=each.get("allValue") or "",
            has_all=bool(each.get("includeAll")),
        )
