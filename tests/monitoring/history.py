"""Put a day before now into a Prometheus: the series of one page, growing up to what they are."""

import subprocess
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from exporter.metrics.table import ROWS
from tests.monitoring.services import Labels, find_program

DAY_S = 25 * 3600
"""A little more than a day: `offset 1d` has data."""
_LATELY_S = 3600
_STEP_S = 240
"""Between two samples: below the five minutes after which Prometheus takes a series for gone."""
_STEP_LATELY_S = 30
_BEGINS_AT = 0.2
"""Share of its value now that a counter had at the beginning."""


def backfill(page: str, target: Labels, now: float, data: Path) -> None:
    """Make blocks of a day of samples, of which the last is `now`.

    Args:
        page: In the text format.
        target: The labels that Prometheus adds to every series of this target.
        now: Unix time.
        data: Takes the blocks: the storage of a Prometheus that is not yet started.
    """
    program = find_program("promtool")
    assert program is not None
    file = data.with_suffix(".openmetrics")
    ages = _ages()
    stamps = [f" {now - age:.0f}\n" for age in ages]
    with file.open("w", encoding="utf-8") as out:
        for name, labels, values in _series(page, target, ages):
            series = f"{name}{labels} "
            texts = (f"{value:.6f}" for value in values)
            out.writelines(series + text + at for text, at in zip(texts, stamps, strict=True))
        out.write("# EOF\n")
    # One block instead of one for every two hours: the file is read once for each.
    argv = [program, "tsdb", "create-blocks-from", "--max-block-duration=54h", "--quiet"]
    subprocess.run([*argv, "openmetrics", file, data], check=True, stdout=subprocess.DEVNULL)
    file.unlink()


def _ages() -> list[float]:
    """Return how long ago each sample is, the earliest first."""
    days = range(0, DAY_S - _LATELY_S, _STEP_S)
    lately = range(DAY_S - _LATELY_S, DAY_S + 1, _STEP_LATELY_S)
    return [float(DAY_S - past) for past in chain(days, lately)]


def _series(page: str, target: Labels, ages: list[float]) -> Iterator[tuple[str, str, list[float]]]:
    shares = [_BEGINS_AT + (1 - _BEGINS_AT) * (1 - age / DAY_S) for age in ages]
    yield "up", _labels(target), [1.0] * len(ages)
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels = _labels({**sample.labels, **target})
            if family.type in {"counter", "histogram"}:
                yield sample.name, labels, [sample.value * share for share in shares]
            elif _is_time_of_something(sample):
                yield sample.name, labels, [sample.value - age for age in ages]
            else:
                yield sample.name, labels, [sample.value] * len(ages)


def _is_time_of_something(sample: Sample) -> bool:
    is_last = sample.name in ROWS and "last" in sample.name and sample.value > 0
    return is_last and sample.name.endswith("_timestamp_seconds")


def _labels(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}"
