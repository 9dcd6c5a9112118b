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
CALL_STEP = "5m"
"""Least distance of points that are about calls: the default interval of calls.

So each bar of what is counted has a call, and a rate, whose window Grafana makes at least four of
them, is over several.
"""
RARE_STEP = "1h"
"""The same for what runs once an hour: reconnects."""
ENOUGH = 20
"""A quantile of fewer values is drawn nowhere."""


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
    """Return how much a counter grew since the point before: each event is in one bar.

    `increase()` would estimate: what happens between two windows is in neither, and the rest is
    scaled up, which makes fractions of whole turns. After a restart a bar may be too low.
    """
    return f"clamp_min({series} - ({series} offset $__interval or 0 * {series}), 0)"


def hourly(series: str) -> str:
    """Return the increase of a counter over the hour before each point."""
    return f"increase({series}[1h])"


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
    """Return a quantile of a histogram for each combination of labels; a gap below `ENOUGH` values.

    Args:
        share: 0 to 1.
        by: The labels that stay.
        values: The rate or the increase of its buckets.
    """
    counted = values.replace("_bucket{", "_count{").replace("rate(", "increase(")
    enough = f"{total(by, counted)} >= {ENOUGH}"
    return f"histogram_quantile({share}, {total(f'le, {by}', values)}) and on ({by}) ({enough})"


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


def spread(by: str, values: str, rows: str, onto: str) -> str:
    """Return values of whole agents or servers once for each of their rows.

    Args:
        by: The labels that both have.
        values: One for each combination of these labels.
        rows: A metric with a series for each row.
        onto: The labels of a row.
    """
    return f"0 * max by ({onto}) ({rows}) + on ({by}) group_left () {values}"


def pages(servers: str, rows: str, onto: str) -> str:
    """Return the rows with the address of their exporter's pages as the label `url`.

    Args:
        servers: Matchers.
        rows: A metric with a series for each row.
        onto: The labels of a row.
    """
    addresses = f"topk by (server) (1, max by (server, url) (voice_exporter_web_info{{{servers}}}))"
    return f"0 * max by ({onto}) ({rows}) + on (server) group_left (url) {addresses}"


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
