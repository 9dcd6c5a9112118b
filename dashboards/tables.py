"""Tables, and curves over a label: what several instant queries say of the same labels."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.models import table as tables
from grafana_foundation_sdk.models import trend as trends
from grafana_foundation_sdk.models.common import (
    GraphFieldConfig,
    TableFieldOptions,
    TableSortByFieldState,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardFieldConfigSourceOverrides as Override,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLink,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldConfigSource,
    Panel,
    ThresholdsConfig,
    ValueMap,
)
from grafana_foundation_sdk.models.prometheus import Dataquery
from grafana_foundation_sdk.models.units import NoUnit, PercentUnit

from dashboards.overrides import by_name
from dashboards.panels import Card, defaults_of, legend, panel, tooltip
from dashboards.values import NEUTRAL, SHARE_OF_LIMIT, absent

_NOTHING = "\N{EN DASH}"
"""What stands in an empty cell."""
_GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a table."""

    title: str
    source: str
    """A label, or the name of the query that has the values."""
    unit: str = NoUnit
    colors: ThresholdsConfig | None = None
    words: ValueMap | None = None
    decimals: int | None = None
    url: str = ""
    """Where a click on a cell leads to, "" for nowhere."""
    width: int = 80
    """In pixels."""
    grows: bool = False
    """Whether it takes what a wide screen has left; its width is the least then."""
    is_bar: bool = False
    """Whether it is drawn as a bar up to twice its limit, which is 1."""
    is_hidden: bool = False
    """Whether it is there for links only."""


def share(title: str, source: str, width: int) -> Field:
    """Return a column with a bar for what should stay below 100 %."""
    return Field(title, source, PercentUnit, SHARE_OF_LIMIT, decimals=0, width=width, is_bar=True)


def table(
    card: Card, queries: Sequence[Dataquery], fields: Sequence[Field], *, worst: str = ""
) -> Panel:
    """Return a table with a row for each combination of labels.

    Args:
        card: What every panel has.
        queries: By `queries.column`, all with the same labels.
        fields: Its columns, from left to right.
        worst: The column whose largest value comes first; "" to keep Prometheus' order.
    """
    options = tables.Options(sort_by=[TableSortByFieldState(worst, desc=True)] if worst else [])
    defaults = defaults_of(card, NoUnit, custom=TableFieldOptions())
    source = FieldConfigSource(defaults, [_cells(field) for field in fields])
    made = panel(card, "table", queries, options, source)
    made.transformations = [_merged(), _organized(queries, fields)]
    return made


def curve(
    card: Card, queries: Sequence[Dataquery], fields: Sequence[Field], *, along: str
) -> Panel:
    """Return values over a label that is a number.

    Args:
        card: What every panel has.
        queries: By `queries.column`, all with that label alone.
        fields: That label first, then what is drawn; the last of them has the axis on the right.
        along: The title of the first.
    """
    custom = GraphFieldConfig(
        line_width=2, show_points=VisibilityMode.ALWAYS, point_size=8, axis_soft_min=0
    )
    options = trends.Options(legend=legend(0), tooltip=tooltip(), x_field=along)
    right = DynamicConfigValue("custom.axisPlacement", "right")
    overrides = [by_name(field.title, DynamicConfigValue("unit", field.unit)) for field in fields]
    overrides.append(by_name(fields[-1].title, right))
    source = FieldConfigSource(defaults_of(card, NoUnit, custom=custom), overrides)
    made = panel(card, "trend", queries, options, source)
    number = {"conversions": [{"targetField": along, "destinationType": "number"}], "fields": {}}
    made.transformations = [
        _merged(),
        _organized(queries, fields),
        DataTransformerConfig("convertFieldType", options=number),
        DataTransformerConfig("sortBy", options={"fields": {}, "sort": [{"field": along}]}),
    ]
    return made


def _cells(field: Field) -> Override:
    width = "custom.minWidth" if field.grows else "custom.width"
    properties = [
        DynamicConfigValue("unit", field.unit),
        DynamicConfigValue("noValue", _NOTHING),
        DynamicConfigValue("mappings", [*filter(None, (field.words, absent(_NOTHING)))]),
        DynamicConfigValue("thresholds", field.colors or NEUTRAL),
        DynamicConfigValue(width, field.width),
        *_looks(field),
    ]
    if field.decimals is not None:
        properties.append(DynamicConfigValue("decimals", field.decimals))
    if field.url:
        link = DashboardLink(title=f"Open {field.title.lower()}", url=field.url)
        properties.append(DynamicConfigValue("links", [link]))
    return by_name(field.title, *properties)


def _looks(field: Field) -> Iterator[DynamicConfigValue]:
    """Yield how a cell is drawn."""
    if field.is_hidden:
        yield DynamicConfigValue("custom.hidden", value=True)
    if field.is_bar:
        yield DynamicConfigValue("custom.cellOptions", {"type": _GAUGE, "mode": "basic"})
        yield DynamicConfigValue("min", 0)
        yield DynamicConfigValue("max", 2)
    elif field.colors is not None or field.words is not None:
        look = "color-text" if field.words is None else "color-background"
        yield DynamicConfigValue("custom.cellOptions", {"type": look})


def _merged() -> DataTransformerConfig:
    return DataTransformerConfig("merge", options={})


def _organized(queries: Sequence[Dataquery], fields: Sequence[Field]) -> DataTransformerConfig:
    """Return the order and the titles of the columns; Grafana names values by their query."""
    values = {query.ref_id: f"Value #{query.ref_id}" for query in queries}
    if len(queries) == 1:
        values = {queries[0].ref_id: "Value"}
    sources = [values.get(field.source, field.source) for field in fields]
    # A query may be there for its labels alone.
    unshown = dict.fromkeys(sorted({*values.values()} - {*sources}), True)
    return DataTransformerConfig(
        "organize",
        options={
            "excludeByName": {"Time": True, **unshown},
            "indexByName": {source: index for index, source in enumerate(sources)},
            "renameByName": {
                source: field.title for source, field in zip(sources, fields, strict=True)
            },
        },
    )
