"""What a metric is made of."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
Group = Literal["calls", "probes", "agents and rooms", "sfu", "ramp", "workers", "exporter"]


@dataclass(frozen=True, slots=True)
class Row:
    """One metric. Every one also has the label `server`."""

    name: str
    kind: Kind
    group: Group
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()
    """Upper bounds in seconds; of histograms only."""
    has_thresholds: bool = False
    """The buckets hold every latency threshold of the configuration, too."""

    @property
    def per_worker(self) -> bool:
        """Whether every worker has a series: these are written by `WorkerSeries`."""
        return "worker_id" in self.labels


def row(
    group: Group,
    name: str,
    kind: Kind,
    labels: str,
    text: str,
    *,
    buckets: tuple[float, ...] = (),
    has_thresholds: bool = False,
) -> Row:
    """Return a row whose labels are written as words; the file of a group binds `group`."""
    return Row(name, kind, group, tuple(labels.split()), text, buckets, has_thresholds)
