"""Panels of each kind: a card, queries, and what the kind needs beyond them."""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from grafana_foundation_sdk.models import heatmap as heatmaps
from grafana_foundation_sdk.models import stat as stats
from grafana_foundation_sdk.models import statetimeline as timelines
from grafana_foundation_sdk.models import table as tables
from grafana_foundation_sdk.models import timeseries as graphs
from grafana_foundation_sdk.models import trend as trends
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphDrawStyle,
    GraphFieldConfig,
    GraphThresholdsStyleConfig,
    GraphThresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    ReduceDataOptions,
    SortOrder,
    StackingConfig,
    StackingMode,
    TableFieldOptions,
    TableSortByFieldState,
    TooltipDisplayMode,
    VisibilityMode,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardFieldConfigSourceOverrides as Override,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardLink,
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColor,
    FieldColorModeId,
    FieldConfig,
    FieldConfigSource,
    GridPos,
    Panel,
    ThresholdsConfig,
    ValueMap,
)
from grafana_foundation_sdk.models.prometheus import Dataquery
from grafana_foundation_sdk.models.units import NoUnit

from dashboards.overrides import by_name
from dashboards.queries import PROMETHEUS
from dashboards.values import BAD, GOOD, NEUTRAL, steps

_MS_PER_HOUR = 3_600_000
_BRIDGED_MS = 2 * _MS_PER_HOUR
"""Points that are less apart are joined: reconnects are measured each hour."""


@dataclass(frozen=True, slots=True)
class Card:
    """What every panel has."""

    id: int
    """Part of addresses that people keep: it never changes, and is never used again."""
    title: str
    text: str
    """What it means, where it is from, what is bad."""
    empty: str
    """Stands in the panel while there is no value."""
    width: int = 8
    """Of 24 columns."""
    height: int = 8


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


def stat(
    card: Card,
    *queries: Dataquery,
    unit: str = NoUnit,
    colors: ThresholdsConfig = NEUTRAL,
    words: ValueMap | None = None,
    decimals: int | None = None,
    overrides: Sequence[Override] = (),
) -> Panel:
    """Return big figures, one for each series."""
    options = stats.Options(
        color_mode=BigValueColorMode.VALUE,
        graph_mode=BigValueGraphMode.NONE,
        reduce_options=ReduceDataOptions(values=False, calcs=["lastNotNull"], fields=""),
    )
    defaults = _defaults(card, unit, colors=colors, words=words, decimals=decimals)
    return _panel(card, "stat", queries, options, FieldConfigSource(defaults, [*overrides]))


def graph(
    card: Card,
    *queries: Dataquery,
    unit: str,
    lowest: float | None = 0,
    is_stacked: bool = False,
    has_bars: bool = False,
    limit: float | None = None,
    overrides: Sequence[Override] = (),
) -> Panel:
    """Return lines over time.

    Args:
        card: What every panel has.
        queries: By `queries.series`.
        unit: Of the values.
        lowest: Where the axis begins at the latest; None for no such place.
        is_stacked: Series stand on each other.
        has_bars: Bars, for what is counted, instead of lines.
        limit: A fixed limit that is drawn; limits that are configured are series.
        overrides: What is different for some of the series.
    """
    custom = GraphFieldConfig(
        draw_style=GraphDrawStyle.BARS if has_bars else GraphDrawStyle.LINE,
        line_width=1,
        fill_opacity=60 if has_bars else 30 if is_stacked else 0,
        show_points=VisibilityMode.AUTO,
        span_nulls=_BRIDGED_MS,
        axis_soft_min=lowest,
        stacking=StackingConfig(StackingMode.NORMAL, "A") if is_stacked else None,
        thresholds_style=GraphThresholdsStyleConfig(GraphThresholdsStyleMode.DASHED)
        if limit is not None
        else None,
    )
    colors = None if limit is None else steps(GOOD, (limit, BAD))
    defaults = _defaults(card, unit, colors=colors, custom=custom)
    defaults.color = FieldColor(FieldColorModeId.PALETTE_CLASSIC_BY_NAME)
    options = graphs.Options(legend=_legend("mean", "lastNotNull"), tooltip=_tooltip())
    source = FieldConfigSource(defaults, [*overrides])
    return _panel(card, "timeseries", queries, options, source)


def heatmap(card: Card, query: Dataquery, *, unit: str, counted: str) -> Panel:
    """Return a histogram over time.

    Args:
        card: What every panel has.
        query: By `queries.buckets`.
        unit: Of the histogram's bounds.
        counted: What is counted in a cell.
    """
    options = heatmaps.Options(
        calculate=False,
        color=heatmaps.HeatmapColorOptions(
            mode=heatmaps.HeatmapColorMode.SCHEME,
            scheme="Oranges",
            fill="dark-orange",
            scale=heatmaps.HeatmapColorScale.EXPONENTIAL,
            exponent=0.5,
            steps=64,
            min_val=0,
        ),
        filter_values=heatmaps.FilterValueRange(le=1e-9),
        cell_values=heatmaps.CellValues(unit=f"suffix: {counted}", decimals=1),
        y_axis=heatmaps.YAxisConfig(unit=unit),
        legend=heatmaps.HeatmapLegend(show=True),
        tooltip=heatmaps.HeatmapTooltip(
            mode=TooltipDisplayMode.SINGLE, y_histogram=True, show_color_scale=False
        ),
    )
    source = FieldConfigSource(_defaults(card, unit, custom=heatmaps.FieldConfig()), [])
    return _panel(card, "heatmap", [query], options, source)


def timeline(card: Card, *queries: Dataquery, words: ValueMap) -> Panel:
    """Return states over time, one line for each series."""
    options = timelines.Options(
        show_value=VisibilityMode.AUTO,
        merge_values=True,
        legend=VizLegendOptions(LegendDisplayMode.LIST, LegendPlacement.BOTTOM, show_legend=False),
        tooltip=_tooltip(),
    )
    defaults = _defaults(card, NoUnit, words=words, custom=timelines.FieldConfig(fill_opacity=80))
    defaults.color = FieldColor(FieldColorModeId.THRESHOLDS)
    source = FieldConfigSource(defaults, [])
    return _panel(card, "state-timeline", queries, options, source)


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
    defaults = _defaults(card, NoUnit, custom=TableFieldOptions())
    source = FieldConfigSource(defaults, [_cells(field) for field in fields])
    panel = _panel(card, "table", queries, options, source)
    panel.transformations = [_merged(), _organized(queries, fields)]
    return panel


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
    options = trends.Options(legend=_legend(), tooltip=_tooltip(), x_field=along)
    right = DynamicConfigValue("custom.axisPlacement", "right")
    overrides = [_cells(field) for field in fields]
    overrides.append(by_name(fields[-1].title, right))
    source = FieldConfigSource(_defaults(card, NoUnit, custom=custom), overrides)
    panel = _panel(card, "trend", queries, options, source)
    number = {"conversions": [{"targetField": along, "destinationType": "number"}], "fields": {}}
    panel.transformations = [
        _merged(),
        _organized(queries, fields),
        DataTransformerConfig("convertFieldType", options=number),
        DataTransformerConfig("sortBy", options={"fields": {}, "sort": [{"field": along}]}),
    ]
    return panel


def _panel(
    card: Card,
    kind: str,
    queries: Sequence[Dataquery],
    options: object,
    field_config: FieldConfigSource,
) -> Panel:
    for letter, query in zip(ascii_uppercase, queries, strict=False):
        query.ref_id = query.ref_id or letter
    return Panel(
        type_val=kind,
        id_val=card.id,
        title=card.title,
        description=card.text,
        datasource=PROMETHEUS,
        grid_pos=GridPos(w=card.width, h=card.height),
        targets=[*queries],
        options=options,
        field_config=field_config,
    )


def _defaults(
    card: Card,
    unit: str,
    *,
    colors: ThresholdsConfig | None = None,
    words: ValueMap | None = None,
    decimals: int | None = None,
    custom: object = None,
) -> FieldConfig:
    return FieldConfig(
        unit=unit,
        thresholds=colors or NEUTRAL,
        mappings=[words] if words else [],
        decimals=decimals,
        no_value=card.empty,
        custom=custom,
    )


def _cells(field: Field) -> Override:
    properties = [DynamicConfigValue("unit", field.unit)]
    if field.decimals is not None:
        properties.append(DynamicConfigValue("decimals", field.decimals))
    if field.words is not None:
        properties.append(DynamicConfigValue("mappings", [field.words]))
    if field.colors is not None:
        properties.append(DynamicConfigValue("thresholds", field.colors))
    if field.colors is not None or field.words is not None:
        look = "color-text" if field.words is None else "color-background"
        properties.append(DynamicConfigValue("custom.cellOptions", {"type": look}))
    if field.url:
        link = DashboardLink(title=f"Open {field.title.lower()}", url=field.url)
        properties.append(DynamicConfigValue("links", [link]))
    return by_name(field.title, *properties)


def _merged() -> DataTransformerConfig:
    return DataTransformerConfig("merge", options={})


def _organized(queries: Sequence[Dataquery], fields: Sequence[Field]) -> DataTransformerConfig:
    """Return the order and the titles of the columns; Grafana names values by their query."""
    values = {query.ref_id: f"Value #{query.ref_id}" for query in queries}
    if len(queries) == 1:
        values = {queries[0].ref_id: "Value"}
    sources = [values.get(field.source, field.source) for field in fields]
    return DataTransformerConfig(
        "organize",
        options={
            "excludeByName": {"Time": True},
            "indexByName": {source: index for index, source in enumerate(sources)},
            "renameByName": {
                source: field.title for source, field in zip(sources, fields, strict=True)
            },
        },
    )


def _legend(*calcs: str) -> VizLegendOptions:
    return VizLegendOptions(
        display_mode=LegendDisplayMode.TABLE if calcs else LegendDisplayMode.LIST,
        placement=LegendPlacement.BOTTOM,
        show_legend=True,
        calcs=[*calcs],
    )


def _tooltip() -> VizTooltipOptions:
    return VizTooltipOptions(mode=TooltipDisplayMode.MULTI, sort=SortOrder.DESCENDING)
