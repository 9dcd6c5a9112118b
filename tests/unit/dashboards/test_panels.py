"""What every panel must have for a person, and its place on the page."""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

from grafana_foundation_sdk.models import units

from tests.offenders import every
from tests.unit.dashboards.reading import DASHBOARDS, PANELS, Json, Panel, strings

ROOT = Path(__file__).parents[3]
COLUMNS = 24
NARROWEST = {"stat": 4}
"""Columns that a panel needs to be read on 1280 pixels; graphs and tables need 8."""
UNITS = {value for name, value in vars(units).items() if not name.startswith("_")}
WORDLESS = {"state-timeline"}
"""Their values are words: they have no unit."""


@every(PANELS)
def test_a_panel_explains_itself(panel: Panel) -> None:
    """It says what it means, from which metric, what is bad, and why it may be empty."""
    text = panel.content["description"]
    assert "Bad: " in text
    assert re.search(r"\b[Ff]rom\b.*\b(voice_|ALERTS|process_|the workers)", text), text
    assert text.endswith(".")
    assert panel.content["fieldConfig"]["defaults"]["noValue"]


@every(PANELS)
def test_a_value_has_a_unit(panel: Panel) -> None:
    """One that Grafana knows. Words that stand for numbers, and bare counts in stats, have none."""
    content = panel.content
    defaults = content["fieldConfig"]["defaults"]
    if content["type"] in {"timeseries", "heatmap"}:
        assert defaults["unit"] in UNITS - {units.NoUnit}
    elif content["type"] in {"table", "trend"}:
        fields = [each["matcher"]["options"] for each in content["fieldConfig"]["overrides"]]
        shown = _organized(content)["renameByName"].values()
        assert set(shown) <= set(fields)
        assert all(_unit(content, field) in UNITS for field in shown)
    elif content["type"] in WORDLESS:
        assert defaults["mappings"]
    else:
        assert defaults["unit"] in UNITS


@every(DASHBOARDS)
def test_ids_and_titles_are_unique_and_stay(uid: str) -> None:
    """A panel's id is told by its section, not by where it stands: moving it keeps its links."""
    panels = DASHBOARDS[uid]["panels"]
    assert _repeated(panel["id"] for panel in panels) == []
    assert _repeated(panel["title"] for panel in panels) == []
    section = None
    astray = []
    for panel in panels:
        if panel["type"] == "row":
            section = panel["id"]
            assert section % 10 == 0, panel["title"]
        elif panel["id"] // 10 * 10 != section:
            astray.append(panel["title"])
    assert astray == []


def _repeated(names: Iterable[object]) -> list[object]:
    return [name for name, count in Counter(names).items() if count > 1]


@every(DASHBOARDS)
def test_panels_fit_and_do_not_overlap(uid: str) -> None:
    """All are within 24 columns, wide enough to be read, and beside each other."""
    panels = DASHBOARDS[uid]["panels"]
    assert [panel["title"] for panel in panels if not _fits(panel)] == []
    assert [
        (one["title"], other["title"])
        for one, other in combinations(panels, 2)
        if _overlap(one["gridPos"], other["gridPos"])
    ] == []


def _fits(panel: Json) -> bool:
    place = panel["gridPos"]
    inside: bool = 0 <= place["x"] < place["x"] + place["w"] <= COLUMNS
    wide_enough: bool = place["w"] >= NARROWEST.get(panel["type"], 8)
    return inside and wide_enough


@every(DASHBOARDS)
def test_lines_of_panels_are_full(uid: str) -> None:
    """No hole is left where a panel would have been expected."""
    widths: Counter[int] = Counter()
    for panel in DASHBOARDS[uid]["panels"]:
        widths[panel["gridPos"]["y"]] += panel["gridPos"]["w"]
    assert {y: width for y, width in widths.items() if width != COLUMNS} == {}


@every(PANELS)
def test_names_of_series_are_unique(panel: Panel) -> None:
    """No two queries of a panel call their series the same."""
    targets = panel.content["targets"]
    assert targets
    assert _repeated(target["refId"] for target in targets) == []
    if targets[0]["format"] == "time_series":
        assert _repeated(target.get("legendFormat") for target in targets) == []


@every(PANELS)
def test_overrides_match_a_series(panel: Panel) -> None:
    """What is to look different is there, by the legend or the title of a column."""
    content = panel.content
    names = [target.get("legendFormat", "") for target in content["targets"]]
    names += _organized(content).get("renameByName", {}).values()
    for override in content["fieldConfig"]["overrides"]:
        matcher = override["matcher"]
        if matcher["id"] == "byRegexp":
            pattern = re.compile(matcher["options"].strip("/"))
            assert any(pattern.search(name) for name in names), matcher
        else:
            assert matcher["options"] in names, matcher


@every(PANELS)
def test_columns_are_of_queries(panel: Panel) -> None:
    """Every query of a table has a column, and every column a query or a label of all queries."""
    content = panel.content
    organized = _organized(content)
    if not organized:
        return
    targets = content["targets"]
    values = {f"Value #{target['refId']}" for target in targets}
    if len(targets) == 1:
        values = {"Value"}
    sources = set(organized["renameByName"])
    assert values <= sources
    for label in sources - values:
        for target in targets:
            assert re.search(rf"by \([^)]*\b{label}\b", target["expr"]), (label, target["expr"])


@every(link for board in DASHBOARDS.values() for link in strings(board) if link.startswith("/d/"))
def test_links_lead_to_dashboards_that_exist(link: str) -> None:
    """By uid, with the time range and the data source kept."""
    uid, query = link.removeprefix("/d/").split("?")
    assert "${datasource:queryparam}" in query
    assigned = re.findall(r"var-(\w+)=|\$\{(\w+):queryparam\}", query)
    assert {one or other for one, other in assigned} <= _variables(uid)


@every(re.findall(r"/d/[\w-]+.*", (ROOT / "alerts" / "alerts.yaml").read_text("utf-8")))
def test_alerts_lead_to_dashboards_that_exist(link: str) -> None:
    """By uid, and with variables that the dashboard has."""
    uid, query = re.findall(r"/d/([\w-]+)(.*)", link)[0]
    assert set(re.findall(r"\bvar-(\w+)=", query)) <= _variables(uid)


def _variables(uid: str) -> set[str]:
    """Return the variables of a dashboard, which must be there."""
    assert uid in DASHBOARDS
    return {each["name"] for each in DASHBOARDS[uid]["templating"]["list"]}


@every(DASHBOARDS)
def test_every_dashboard_links_to_the_others(uid: str) -> None:
    """And keeps the time range."""
    links = DASHBOARDS[uid]["links"]
    led_to = {link["url"].split("?")[0].removeprefix("/d/") for link in links}
    assert led_to == {*DASHBOARDS} - {uid}
    assert all(link["keepTime"] for link in links)


def _organized(content: Json) -> Json:
    for each in content.get("transformations", ()):
        if each["id"] == "organize":
            return dict(each["options"])
    return {}


def _unit(content: Json, field: str) -> str | None:
    for override in content["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == field:
            for each in override["properties"]:
                if each["id"] == "unit":
                    return str(each["value"])
    return None


def _overlap(one: Json, other: Json) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    below = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not (beside or below)
