"""What every panel must have for a person, and its place on the page."""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.models import units

from dashboards.colors import OF_LABELS, PLAIN
from exporter.colors import COMPONENTS
from tests.offenders import every
from tests.unit.dashboards.reading import DASHBOARDS, PANELS, Json, Panel, strings, unfolded

ROOT = Path(__file__).parents[3]
COLUMNS = 24
SCREEN, BORDERS = 1248, 24
"""Pixels that a board has on a screen of 1280, and what a panel's own borders take."""
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
    panels = unfolded(uid)
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
    assert [panel["title"] for panel in unfolded(uid) if not _fits(panel)] == []
    # What is folded is placed below its row, where the next rows are until it is opened.
    assert [
        (one["title"], other["title"])
        for one, other in combinations(DASHBOARDS[uid]["panels"], 2)
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
    widths: Counter[tuple[int, int]] = Counter()
    row = 0
    for panel in unfolded(uid):
        row = panel["id"] if panel["type"] == "row" else row
        widths[row, panel["gridPos"]["y"]] += panel["gridPos"]["w"]
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
    legends = [target.get("legendFormat", "") for target in content["targets"]]
    names = [name for legend in legends for name in _series_of(legend)]
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
    """Every query of a table has a column, and every column a query or a label of one."""
    content = panel.content
    organized = _organized(content)
    if not organized:
        return
    targets = content["targets"]
    values = {f"Value #{target['refId']}" for target in targets}
    if len(targets) == 1:
        values = {"Value"}
    sources = set(organized["renameByName"])
    unshown = {key for key in _organized(content)["excludeByName"] if key.startswith("Value")}
    assert values <= sources | unshown
    for label in sources - values:
        having = [t for t in targets if re.search(rf"(by|left) \([^)]*\b{label}\b", t["expr"])]
        assert having, label


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


@every([panel for panel in PANELS if panel.content["type"] == "table"])
def test_a_table_fits_the_screen(panel: Panel) -> None:
    """Every column has a width, one takes what is left, and all are there on 1280 pixels."""
    columns = panel.content["fieldConfig"]["overrides"]
    shown = [each for each in columns if not _property(each, "custom.hidden")]
    widths = [
        _property(each, "custom.width") or _property(each, "custom.minWidth") for each in shown
    ]
    assert all(widths)
    assert sum(1 for each in shown if _property(each, "custom.minWidth")) == 1
    room = SCREEN * panel.content["gridPos"]["w"] / COLUMNS - BORDERS
    assert sum(widths) <= room, (sum(widths), room)


@every([panel for panel in PANELS if panel.content["type"] == "table"])
def test_an_empty_cell_says_nothing(panel: Panel) -> None:
    """A dash in neutral ink, whatever stands in the table when it has no row at all."""
    for column in panel.content["fieldConfig"]["overrides"]:
        assert _property(column, "noValue") == "\N{EN DASH}"
        nothing = _property(column, "mappings")[-1]
        assert (nothing["type"], nothing["options"]["match"]) == ("special", "null+nan")
        assert nothing["options"]["result"]["color"] == PLAIN


@every([panel for panel in PANELS if panel.content["type"] == "stat"])
def test_an_empty_stat_is_no_alarm(panel: Panel) -> None:
    """Its text is in neutral ink, also where 0 would be red."""
    mappings = panel.content["fieldConfig"]["defaults"]["mappings"]
    assert mappings[-1]["options"]["result"]["color"] == PLAIN


@every([panel for panel in PANELS if panel.content["type"] == "timeseries"])
def test_a_legend_leaves_room(panel: Panel) -> None:
    """A plain line below what is narrow; at the right of what is wide, the largest first."""
    legend = panel.content["options"]["legend"]
    if panel.content["gridPos"]["w"] < COLUMNS / 2:
        assert (legend["displayMode"], legend["calcs"]) == ("list", [])
    else:
        assert (legend["placement"], legend["calcs"]) == ("right", ["lastNotNull"])
        assert legend["sortDesc"]


@every([panel for panel in PANELS if panel.content["type"] == "timeseries"])
def test_words_with_a_meaning_have_their_color(panel: Panel) -> None:
    """A value of a label that the table of colours knows is never drawn in a colour by chance."""
    overrides = panel.content["fieldConfig"]["overrides"]
    for target in panel.content["targets"]:
        legend = target.get("legendFormat", "")
        for label in re.findall(r"\{\{(\w+)\}\}", legend):
            for word, color in OF_LABELS.get(label, {}).items():
                name = re.sub(r"\{\{\w+\}\}", "x", legend.replace(f"{{{{{label}}}}}", word))
                found = [_color(each) for each in overrides if _matches(each, name)]
                assert color in found, (name, found)


def test_components_have_the_colors_of_the_picture() -> None:
    """A reader who has seen one picture can read all of them."""
    picture = (ROOT / "docs" / "pictures" / "one-call.svg").read_text("utf-8")
    drawn = dict(re.findall(r'fill="(#\w{6})"/>\n<text x="154.0"[^>]*>(\w+)<', picture))
    assert len(drawn) >= 5
    assert {COMPONENTS[name]: name for name in drawn.values()} == drawn
    assert OF_LABELS["component"] is COMPONENTS


def _series_of(legend: str) -> list[str]:
    """Return names that series of a legend may have: one for each word that has a colour."""
    labels = re.findall(r"\{\{(\w+)\}\}", legend)
    names = [legend]
    for label in labels:
        words = [*OF_LABELS.get(label, {}), "x"]
        names = [name.replace(f"{{{{{label}}}}}", word) for name in names for word in words]
    return names


def _property(override: Json, name: str) -> Any:
    found = (each["value"] for each in override["properties"] if each["id"] == name)
    return next(found, None)


def _color(override: Json) -> str:
    color = _property(override, "color")
    return str(color["fixedColor"]) if color else ""


def _matches(override: Json, name: str) -> bool:
    matcher = override["matcher"]
    if matcher["id"] == "byRegexp":
        return bool(re.search(matcher["options"].strip("/"), name))
    return bool(matcher["options"] == name)


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
