"""The families of every probe: what its row declares, and what its runs write."""

import asyncio
import sys
from collections.abc import Iterator
from itertools import count

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from exporter.metrics.exposition import Format
from exporter.metrics.registry import Metrics
from exporter.outcome import Outcome, Verdict
from exporter.probes import PROBES
from exporter.series import Reading
from exporter.web.metrics_page import Renderer
from tests.unit.probe_outcomes import OUTCOMES
from tests.unit.recording import Page
from tests.unit.test_probe_table import config_of


def readings(probe: str, outcome: Outcome) -> list[Reading]:
    """Return what a run says on /metrics."""
    return [*PROBES[probe].reader()(config_of(probe), outcome)]


@pytest.mark.parametrize("probe", PROBES)
def test_a_run_writes_what_its_row_declares(probe: str) -> None:
    """No family that the row has not, no label value that the family has not declared."""
    declared = {family.name: family for family in PROBES[probe].families}
    for outcome in (OUTCOMES[probe].good, OUTCOMES[probe].bad):
        for each in readings(probe, outcome):
            family = declared[each.family.name]
            for label, value in each.labels.items():
                assert label in family.labels, (family.name, label)
                assert value in family.values.get(label, (value,)), (family.name, label, value)


@pytest.mark.parametrize("probe", PROBES)
def test_a_good_run_says_something(probe: str) -> None:
    """A probe without figures of its own needs no run."""
    assert readings(probe, OUTCOMES[probe].good)


@pytest.mark.parametrize("probe", PROBES)
def test_counters_and_histograms_are_there_before_the_first_run(probe: str) -> None:
    """The first increase must not be a new series, which a rate does not see."""
    page = Page()
    page.recorder.add(probe, config_of(probe))
    before = {line.rpartition(" ")[0] for line in growing(page)}
    page.recorder.record(PROBES[probe].judged(config_of(probe), OUTCOMES[probe].good))
    assert {line.rpartition(" ")[0] for line in growing(page)} == before


@pytest.mark.parametrize("probe", PROBES)
def test_nothing_stays_of_what_is_probed_no_more(probe: str) -> None:
    """1. A run ends. 2. Its probe is removed. Result: no series."""
    page = Page()
    page.recorder.add(probe, config_of(probe))
    page.recorder.record(PROBES[probe].judged(config_of(probe), OUTCOMES[probe].good))
    page.recorder.remove(probe, config_of(probe))
    assert [line for line in page.text().splitlines() if line.startswith("voice_")] == []


def growing(page: Page) -> Iterator[str]:
    """Yield the samples of counters and histograms."""
    kinds = {family.name: family.type for family in page.registry.collect()}
    for line in page.text().splitlines():
        name = line.partition("{")[0].removesuffix("_total")
        for suffix in ("_bucket", "_count", "_sum"):
            name = name.removesuffix(suffix)
        if kinds.get(name) in ("counter", "histogram"):
            yield line


SUBJECT = ("", "", "", "here")


def test_states_that_change_together_are_seen_together() -> None:
    """While the verdict changes all the time, exactly one state is 1 on every page."""
    metrics = Metrics(CollectorRegistry(), "s")
    verdicts = list(Verdict)

    def change(turn: int) -> None:
        for each in verdicts:
            metrics.set("voice_verdict", each is verdicts[turn % 4], "sfu", *SUBJECT, each)

    async def pages() -> list[str]:
        renderer = Renderer(metrics, CollectorRegistry())
        change(0)
        found, turns = [], count(1)
        for _ in range(300):
            asked = asyncio.ensure_future(renderer.page("", ""))
            while not asked.done():
                change(next(turns))
                await asyncio.sleep(0)
            found.append((await asked).body.decode())
        return found

    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        texts = asyncio.run(pages())
    finally:
        sys.setswitchinterval(interval_s)
    sums = [
        sum(sample.value for sample in family.samples)
        for text in texts
        for family in text_string_to_metric_families(text)
        if family.name == "voice_verdict"
    ]
    assert sums == [1.0] * 300


def test_a_snapshot_never_changes() -> None:
    """What is written later is on the next one."""
    metrics = Metrics(CollectorRegistry(), "s")
    metrics.set("voice_rooms", 1)
    first = metrics.snapshot()
    text = Format.accepted("").page(first, CollectorRegistry())
    metrics.set("voice_rooms", 2)
    metrics.add("voice_worker_reports_refused_total", 1)
    assert Format.accepted("").page(first, CollectorRegistry()) == text
    assert 'voice_rooms{server="s"} 2.0' in Format.accepted("").page(
        metrics.snapshot(), CollectorRegistry()
    )
