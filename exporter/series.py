"""What a metric is made of, and what a run says of it: the words that probes and registry share."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Literal, Self

Kind = Literal["counter", "gauge", "histogram"]
Group = Literal[
    "calls", "probes", "agents and rooms", "real calls", "workers", "sfu", "ramp", "exporter"
]
"""Under which heading a metric stands, on the page and in the docs, in this order."""

OWN_LABELS = "labels"
"""In a family it stands for the labels that a person named; its value is what `pack` returns."""

Labels = tuple[str, ...]
"""The label values of one series, in the order of its family, without `server`."""


@dataclass(frozen=True, slots=True)
class Family:
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
    has_exemplars: bool = False
    """A histogram whose buckets name the last run that observed something there."""
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """The values that a label may have, of labels that the subject of a run does not have; () for
    a label whose values only runs tell: its series are there from the first of them on."""
    from_start: bool = False
    """A gauge that is 0 until the first run; others are absent. Counters and histograms are 0."""
    keeps: bool = False
    """A gauge that stays when a run says nothing of it; others go."""

    def of(self, **values: tuple[str, ...]) -> Self:
        """Return this family with other values of labels: what one of several probes writes."""
        return replace(self, values={**self.values, **values})

    def at_zero(self) -> Self:
        """Return this gauge as one that is 0 until the first run."""
        return replace(self, from_start=True)

    def read(self, value: float, **labels: str) -> "Reading":
        """Return what a run says of one series; labels that its subject has are left out."""
        return Reading(self, value, labels)

    def label_values(self, labels: Mapping[str, str]) -> Labels:
        """Return label values in the order of this family.

        Raises:
            KeyError: A label has no value.
        """
        return tuple(labels[label] for label in self.labels)

    def named(self, labels: Labels) -> dict[str, str]:
        """Return the labels of one series by their names, those that a person named included."""
        values = dict(zip(self.labels, labels, strict=True))
        if OWN_LABELS not in values:
            return values
        own: dict[str, str] = json.loads(values.pop(OWN_LABELS))
        return values | own

    def first_series(self, subject: Mapping[str, str]) -> Iterator[Labels]:
        """Yield the series that a subject has before its first run."""
        if self.kind == "gauge" and not self.from_start:
            return
        texts = ((subject[each],) if each in subject else self.values[each] for each in self.labels)
        yield from product(*texts)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a run says of one series: a gauge is set, a counter grows, a histogram observes."""

    family: Family
    value: float
    labels: Mapping[str, str] = field(hash=False)


def pack(labels: Mapping[str, str]) -> str:
    """Return the value of `OWN_LABELS` for these labels."""
    return json.dumps(labels, sort_keys=True)


def family(
    group: Group,
    name: str,
    kind: Kind,
    labels: str,
    text: str,
    *,
    buckets: tuple[float, ...] = (),
    has_thresholds: bool = False,
    has_exemplars: bool = False,
    from_start: bool = False,
    keeps: bool = False,
    **values: tuple[str, ...],
) -> Family:
    """Return a family whose labels are written as words.

    Args:
        group: Under which heading it stands.
        name: With its unit, and `_total` for a counter.
        kind: Of the metric.
        labels: Their names, in the order of every use.
        text: The HELP text.
        buckets: As in `Family`.
        has_thresholds: As in `Family`.
        has_exemplars: As in `Family`.
        from_start: As in `Family`.
        keeps: As in `Family`.
        **values: The values that each label may have.
    """
    names = tuple(labels.split())
    return Family(
        *(name, kind, group, names, text),
        buckets,
        has_thresholds,
        has_exemplars,
        values,
        from_start,
        keeps,
    )
