"""Panels of each kind: a card, queries, and what the kind needs beyond them."""

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_uppercase

from grafana_foundation_sdk.models import heatmap as heatmaps
from grafana_foundation_sdk.models import stat as stats
from grafana_foundation_sdk.models import statetimeline as timelines
from grafana_foundation_sdk.models import statushistory as grids
from grafana_foundation_sdk.models import timeseries as graphs
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
    TooltipDisplayMode,
    VisibilityMode,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardFieldConfigSourceOverrides as Override,
)
from grafana_foundation_sdk.models.dashboard import (
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
from grafana_foundation_sdk.models.units import Milliseconds, NoUnit, PercentUnit, Seconds

from dashboards.colors import BAD, GOOD
from dashboards.overrides import by_meaning
from dashboards.queries import PROMETHEUS
from dashboards.values import NEUTRAL, absent, steps

_MS_PER_HOUR = 3_600_000
_BRIDGED_MS = 2 * _MS_PER_HOUR
"""Points that are less apart are joined: reconnects are measured each hour."""
_HALF = 12
"""Columns from which on a legend has room at the right; below it stands in a line."""
_DECIMALS = {Milliseconds: 1, Seconds: 2, PercentUnit: 1}
"""What a person reads of a value; without it Grafana writes 93.637 ms."""


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
    defaults = defaults_of(card, unit, colors=colors, words=words, decimals=decimals)
    defaults.mappings = [*(defaults.mappings or ()), absent(card.empty)]
    return panel(card, "stat", queries, options, FieldConfigSource(defaults, [*overrides]))


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
    defaults = defaults_of(card, unit, colors=colors, custom=custom)
    defaults.color = FieldColor(FieldColorModeId.PALETTE_CLASSIC_BY_NAME)
    options = graphs.Options(legend=legend(card.width), tooltip=tooltip())
    painted = [each for query in queries for each in by_meaning(query.legend_format or "")]
    source = FieldConfigSource(defaults, [*painted, *overrides])
    return panel(card, "timeseries", queries, options, source)


def grid(card: Card, query: Dataquery, *, unit: str, colors: ThresholdsConfig) -> Panel:
    """Return a line of cells for each series, coloured by their values: for many series."""
    options = grids.Options(
        show_value=VisibilityMode.NEVER,
        legend=VizLegendOptions(LegendDisplayMode.LIST, LegendPlacement.BOTTOM, show_legend=False),
        tooltip=tooltip(),
    )
    defaults = defaults_of(card, unit, colors=colors, custom=grids.FieldConfig(fill_opacity=80))
    defaults.color = FieldColor(FieldColorModeId.THRESHOLDS)
    source = FieldConfigSource(defaults, [])
    return panel(card, "status-history", (query,), options, source)


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
    source = FieldConfigSource(defaults_of(card, unit, custom=heatmaps.FieldConfig()), [])
    return panel(card, "heatmap", [query], options, source)


def timeline(card: Card, *queries: Dataquery, words: ValueMap) -> Panel:
    """Return states over time, one line for each series."""
    options = timelines.Options(
        show_value=VisibilityMode.AUTO,
        merge_values=True,
        legend=VizLegendOptions(LegendDisplayMode.LIST, LegendPlacement.BOTTOM, show_legend=False),
        tooltip=tooltip(),
    )
    defaults = defaults_of(card, NoUnit, words=words, custom=timelines.FieldConfig(fill_opacity=80))
    defaults.color = FieldColor(FieldColorModeId.THRESHOLDS)
    source = FieldConfigSource(defaults, [])
    return panel(card, "state-timeline", queries, options, source)


def panel(
    card: Card,
    kind: str,
    queries: Sequence[Dataquery],
    options: object,
    field_config: FieldConfigSource,
) -> Panel:
    """Return a panel of a kind that Grafana knows by that name."""
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


def defaults_of(
    card: Card,
    unit: str,
    *,
    colors: ThresholdsConfig | None = None,
    words: ValueMap | None = None,
    decimals: int | None = None,
    custom: object = None,
) -> FieldConfig:
    """Return what holds for every value of a panel without an override."""
    return FieldConfig(
        unit=unit,
        thresholds=colors or NEUTRAL,
        mappings=[words] if words else [],
        decimals=_DECIMALS.get(unit) if decimals is None else decimals,
        no_value=card.empty,
        custom=custom,
    )


def legend(width: int) -> VizLegendOptions:
    """Return a legend that leaves the panel its room: at the right with the last value, or a line.

    Args:
        width: Of the panel, in columns.
    """
    if width < _HALF:
        return VizLegendOptions(
            LegendDisplayMode.LIST, LegendPlacement.BOTTOM, show_legend=True, calcs=[]
        )
    return VizLegendOptions(
        display_mode=LegendDisplayMode.TABLE,
        placement=LegendPlacement.RIGHT,
        show_legend=True,
        calcs=["lastNotNull"],
        sort_by="Last *",
        sort_desc=True,
    )


def tooltip() -> VizTooltipOptions:
    """Return one that names every series of a moment, the largest first."""
    return VizTooltipOptions(mode=TooltipDisplayMode.MULTI, sort=SortOrder.DESCENDING)
