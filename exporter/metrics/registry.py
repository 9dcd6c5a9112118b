"""The registry of the table's metrics, and the one place that writes to it."""

from collections.abc import Iterable
from functools import partial

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from exporter.metrics.exposition import PageRegistry
from exporter.metrics.series_index import SeriesIndex
from exporter.metrics.table import TABLE, Row


class Metrics:
    """The registry, and the one place that writes to it.

    Label values are given by position, in the order of the row, without `server`.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        server: str,
        thresholds: Iterable[float] = (),
        rows: Iterable[Row] = TABLE,
    ) -> None:
        """Create every metric of the table.

        Args:
            registry: Where they are registered; process_* and python_* are added to it.
            server: The label `server` of every series.
            thresholds: Latencies in seconds that histograms of turns get a bucket for. They hold
                until the exporter is restarted: buckets that change break the series.
            rows: The metrics to create, less those of single workers: see `WorkerSeries`.
        """
        # A restart shows as a counter reset anyway, and these would double the page. The library
        # offers the switch for the whole process only.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = registry
        self._server = server
        self._rows = {row.name: row for row in rows if not row.per_worker}
        extra = tuple(thresholds)
        self._metrics = {row.name: _create(row, registry, extra) for row in self._rows.values()}
        self._series = {name: SeriesIndex() for name in self._rows}
        self._versions = dict.fromkeys(self._rows, 0)
        if isinstance(registry, PageRegistry):
            for name, metric in self._metrics.items():
                registry.keep_text(metric, partial(self._versions.__getitem__, name))
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)

    def create(self, name: str, *labels: str) -> None:
        """Let the series exist, at 0 if it is new."""
        self._note(name, labels)
        self._metrics[name].labels(self._server, *labels)
        self._versions[name] += 1

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge."""
        gauge = self._metrics[name]
        if not isinstance(gauge, Gauge):
            raise TypeError(f"{name} is not a gauge")
        self._note(name, labels)
        gauge.labels(self._server, *labels).set(value)
        self._versions[name] += 1

    def add(self, name: str, amount: float, *labels: str) -> None:
        """Add to a counter."""
        counter = self._metrics[name]
        if not isinstance(counter, Counter):
            raise TypeError(f"{name} is not a counter")
        self._note(name, labels)
        counter.labels(self._server, *labels).inc(amount)
        self._versions[name] += 1

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Add a value to a histogram."""
        histogram = self._metrics[name]
        if not isinstance(histogram, Histogram):
            raise TypeError(f"{name} is not a histogram")
        self._note(name, labels)
        histogram.labels(self._server, *labels).observe(value)
        self._versions[name] += 1

    def has(self, name: str, *labels: str) -> bool:
        """Return whether the series exists."""
        return labels in self._series[name]

    def remove(self, name: str, **labels: str) -> None:
        """Remove every series whose labels match."""
        places = {self._rows[name].labels.index(label): text for label, text in labels.items()}
        series = self._series[name]
        for values in series.matching(places):
            self._metrics[name].remove(self._server, *values)
            series.discard(values)
            self._versions[name] += 1

    def _note(self, name: str, labels: tuple[str, ...]) -> None:
        """Remember a series, for its removal."""
        self._series[name].add(tuple(map(str, labels)))


def _create(
    row: Row, registry: CollectorRegistry, thresholds: tuple[float, ...]
) -> Counter | Gauge | Histogram:
    labels = ("server", *row.labels)
    if row.kind == "counter":
        return Counter(row.name, row.help, labels, registry=registry)
    if row.kind == "gauge":
        return Gauge(row.name, row.help, labels, registry=registry)
    more = thresholds if row.has_thresholds else ()
    buckets = sorted({float(bound) for bound in (*row.buckets, *more)})
    return Histogram(row.name, row.help, labels, registry=registry, buckets=buckets)
