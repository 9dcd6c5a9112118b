"""Queries to Prometheus, and the PromQL that many panels share.

Agents, call types and servers are never averaged together: what is summed keeps their labels.
"""

from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.prometheus import (
    Dataquery,
    PromQueryFormat,
    QueryEditorMode,
)

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="${datasource}")
CALL_STEP = "2m"
"""Least distance of points that are rates over calls.

Grafana makes $__rate_interval at least four of them, so that a call every five minutes, the
default, is in every window, and the demo's first point comes within two minutes.
"""
RARE_STEP = "15m"
"""The same for what runs once an hour: reconnects."""


def series(expr: str, legend: str, step: str = "") -> Dataquery:
    """Return a query over the time range, for a graph.

    Args:
        expr: PromQL.
        legend: Name of each series, unique in its panel.
        step: Least distance of its points.
    """
    return _query(expr, legend_format=legend, range_val=True, interval=step or None)


def value(expr: str, legend: str = "") -> Dataquery:
    """Return a query for the values at the end of the time range."""
    return _query(expr, legend_format=legend, instant=True)


def column(name: str, expr: str) -> Dataquery:
    """Return a query for a column of a table; the field is called `Value #name`."""
    return _query(expr, ref_id=name, instant=True, format_val=PromQueryFormat.TABLE)


def buckets(expr: str, step: str = "") -> Dataquery:
    """Return a query for a heatmap: one series for each upper bound."""
    return _query(
        expr,
        legend_format="{{le}}",
        range_val=True,
        interval=step or None,
        format_val=PromQueryFormat.HEATMAP,
    )


def rate(series: str) -> str:
    """Return the increase of a counter per second, in the window that suits the graph."""
    return f"rate({series}[$__rate_interval])"


def increase(series: str) -> str:
    """Return the increase of a counter over all of the time range."""
    return f"increase({series}[$__range])"


def recent(series: str) -> str:
    """Return the increase of a counter in the window that ends at each point of a graph."""
    return f"increase({series}[$__rate_interval])"


def total(by: str, values: str) -> str:
    """Return the sum for each combination of labels."""
    return f"sum by ({by}) ({values})"


def seen(by: str, values: str) -> str:
    """Return what is there, for each combination of labels, by the exporter that saw most of it.

    Several exporters that watch one server see the same rooms and workers: no sum.
    """
    return f"max by ({by}) ({values})"


def lowest(by: str, values: str) -> str:
    """Return the same where little is bad, by the exporter that saw least."""
    return f"min by ({by}) ({values})"


def quantile(share: float, by: str, values: str) -> str:
    """Return a quantile of a histogram for each combination of labels.

    Where nothing was measured it is NaN, and NaN is not >= 0: the graph has a gap.
    """
    return f"histogram_quantile({share}, {total(f'le, {by}', values)}) >= 0"


def mean(histogram: str, by: str, labels: str) -> str:
    """Return the mean of a histogram for each combination of labels; a gap where it has none."""
    seconds = total(by, rate(f"{histogram}_sum{{{labels}}}"))
    return f"{seconds} / ({total(by, rate(f'{histogram}_count{{{labels}}}'))} > 0)"


def verdict(by: str, labels: str) -> str:
    """Return verdicts as numbers, the worst of each group: see `values.VERDICTS`."""
    unknown, slow, fail = (
        f'voice_verdict{{{labels}, verdict="{word}"}}' for word in ("UNKNOWN", "SLOW", "FAIL")
    )
    return f"max by ({by}) ({unknown} or 2 * {slow} or 3 * {fail})"


def _query(
    expr: str,
    *,
    ref_id: str | None = None,
    legend_format: str | None = None,
    instant: bool = False,
    range_val: bool = False,
    interval: str | None = None,
    format_val: PromQueryFormat = PromQueryFormat.TIME_SERIES,
) -> Dataquery:
    return Dataquery(
        expr=expr,
        ref_id=ref_id,
        legend_format=legend_format,
        instant=instant,
        range_val=range_val,
        interval=interval,
        format_val=format_val,
        editor_mode=QueryEditorMode.CODE,
        datasource=PROMETHEUS,
    )
