"""Every series of the exporter: written by one thread, and read as a snapshot."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from math import inf
from time import time
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Metric,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.registry import Collector

from exporter.metrics.exposition import (
    Block,
    exemplar_text,
    number_text,
    sample_heads,
    sample_lines,
)
from exporter.metrics.series_index import SeriesIndex
from exporter.metrics.table import TABLE
from exporter.series import OWN_LABELS, Family, Kind, Labels


def process_metrics() -> CollectorRegistry:
    """Return the usual metrics of this process, as the client library has them."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class _Series:
    """The series of one family, and their lines on the page."""

    def __init__(self, family: Family, server: str, thresholds: tuple[float, ...]) -> None:
        self.family = family
        self.index = SeriesIndex()
        self._server = server
        self._bounds: tuple[float, ...] = ()
        if family.kind == "histogram":
            more = thresholds if family.has_thresholds else ()
            self._bounds = (*sorted({float(bound) for bound in (*family.buckets, *more)}), inf)
        self._bound_texts = tuple(map(number_text, self._bounds))
        # A value; of a histogram how many are in each bucket by itself, and their sum.
        self._held: dict[Labels, list[float]] = {}
        self._lines: dict[Labels, str] = {}
        self._exemplars: dict[Labels, dict[int, str]] = {}
        self._exemplary: dict[Labels, str] = {}  # lines with exemplars, of series that have some
        self._changed: set[Labels] = set()
        self._block = Block(family)

    def held(self, labels: Labels) -> list[float]:
        """Return what a series holds, for whoever changes it; it is made if it is new."""
        if labels not in self._held:
            self._held[labels] = [0.0] * (len(self._bounds) + 1)
            self.index.add(labels)
        self._changed.add(labels)
        return self._held[labels]

    def observe(self, labels: Labels, value: float, run_id: str, at: float) -> None:
        """Add a value to a histogram, of a run that its bucket names if the family wants it."""
        held = self.held(labels)
        place = bisect_left(self._bounds, value)
        held[place] += 1
        held[-1] += value
        if run_id and self.family.has_exemplars:
            self._exemplars.setdefault(labels, {})[place] = exemplar_text(run_id, value, at)

    def remove(self, labels: Labels) -> None:
        """Let a series go."""
        self.index.discard(labels)
        for kept in (self._held, self._lines, self._exemplars, self._exemplary):
            kept.pop(labels, None)
        self._changed.add(labels)

    def block(self) -> Block:
        """Return the lines as of now; the same object as before if nothing has changed."""
        if self._changed:
            for labels in self._changed & self._held.keys():
                heads = tuple(sample_heads(self.family, self._server, labels, self._bound_texts))
                values = self._samples(labels)
                self._lines[labels] = sample_lines(heads, values)
                if found := self._exemplars.get(labels):
                    self._exemplary[labels] = sample_lines(heads, values, found)
            self._changed.clear()
            exemplary = self._lines | self._exemplary
            self._block = Block(self.family, tuple(self._lines.values()), tuple(exemplary.values()))
        return self._block

    def metric(self) -> Any:
        """Return the family as the client library has it: a `Metric`, whose makers are untyped."""
        family, names = self.family, ("server", *self.family.labels)
        metric = _LIBRARY_KINDS[family.kind](family.name, family.help, labels=names)
        for labels in self._held:
            samples: Any = self._samples(labels)
            if OWN_LABELS in family.labels:
                metric.add_sample(
                    family.name, {"server": self._server, **family.named(labels)}, *samples
                )
                continue
            if self._bounds:
                *counts, _, total = samples
                samples = [*zip(self._bound_texts, counts, strict=True)], total
            metric.add_metric([self._server, *labels], *samples)
        return metric

    def _samples(self, labels: Labels) -> list[float]:
        """Return the values of a series in the order of its lines."""
        held = self._held[labels]
        if not self._bounds:
            return held
        counts = [*accumulate(held[:-1])]
        return [*counts, counts[-1], held[-1]]


_LIBRARY_KINDS: dict[Kind, Callable[..., Any]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}


class Metrics(Collector):
    """The one place that series are written to. All methods belong to one thread.

    Label values are given by position, in the order of the family, without `server`.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        server: str,
        thresholds: Iterable[float] = (),
        families: Iterable[Family] = TABLE,
    ) -> None:
        """Create every metric of the table.

        Args:
            registry: Of the client library, for others than our own page.
            server: The label `server` of every series.
            thresholds: Latencies in seconds that histograms of turns get a bucket for. They hold
                until the exporter is restarted: buckets that change break the series.
            families: The metrics to create.
        """
        extra = tuple(thresholds)
        self._all = {family.name: _Series(family, server, extra) for family in families}
        registry.register(self)
        self.registry = registry

    def create(self, name: str, *labels: str) -> None:
        """Let the series exist, at 0 if it is new."""
        self._all[name].held(labels)

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge."""
        self._of(name, "gauge").held(labels)[0] = float(value)

    def add(self, name: str, amount: float, *labels: str) -> None:
        """Add to a counter, at least 0."""
        if amount < 0:
            raise ValueError(f"{name} cannot grow by {amount}: it is a counter")
        self._of(name, "counter").held(labels)[0] += amount

    def observe(self, name: str, value: float, *labels: str, run_id: str = "") -> None:
        """Add a value to a histogram.

        Args:
            name: Of the histogram.
            value: In its unit.
            *labels: Their values.
            run_id: Of the run that it is from, for the exemplar; "" for none.
        """
        self._of(name, "histogram").observe(labels, value, run_id, time())

    def has(self, name: str, *labels: str) -> bool:
        """Return whether the series exists."""
        return labels in self._all[name].index

    def remove(self, name: str, **labels: str) -> None:
        """Remove every series whose labels match."""
        series = self._all[name]
        places = {series.family.labels.index(label): text for label, text in labels.items()}
        for values in series.index.matching(places):
            series.remove(values)

    def discard(self, name: str, labels: Labels) -> None:
        """Remove one series if there is such a one."""
        if labels in self._all[name].index:
            self._all[name].remove(labels)

    def snapshot(self) -> tuple[Block, ...]:
        """Return every series as of now.

        Nothing writes while this runs, so states that change together are seen together; what is
        returned never changes, so any thread may render it.
        """
        return tuple(series.block() for series in self._all.values())

    def collect(self) -> Iterator[Metric]:
        """Yield the families as the client library has them, for others than our own page."""
        for series in self._all.values():
            yield series.metric()

    def _of(self, name: str, kind: str) -> _Series:
        series = self._all[name]
        if series.family.kind != kind:
            raise TypeError(f"{name} is not a {kind}")
        return series
