"""Labels of real calls that the server names: the first have series of their own."""

from collections.abc import Iterator

import pytest
from prometheus_client import CollectorRegistry

from exporter.calls.families import CALLS, SIP
from exporter.metrics.agent_names import AgentNames
from exporter.metrics.real_calls import REGIONS, TRUNKS, RealCallSeries
from exporter.metrics.registry import Metrics
from exporter.series import Reading


@pytest.fixture
def metrics() -> Metrics:
    """Return metrics without any value."""
    return Metrics(CollectorRegistry(), "lk")


@pytest.fixture
def series(metrics: Metrics) -> RealCallSeries:
    """Return the series of real calls."""
    return RealCallSeries(metrics, AgentNames(metrics, 10))


def _counted(metrics: Metrics, name: str, label: str) -> dict[str, float]:
    """Return the sum of a counter by one of its labels."""
    found: dict[str, float] = {}
    for family in metrics.registry.collect():
        for sample in family.samples:
            if sample.name == name:
                value = sample.labels[label]
                found[value] = found.get(value, 0) + sample.value
    return found


def _calls(regions: int) -> Iterator[Reading]:
    for place in range(regions):
        yield CALLS.read(1, agent_name="demo", ended_by="caller", region=f"region-{place}")


def test_regions_beyond_the_limit_are_other(metrics: Metrics, series: RealCallSeries) -> None:
    """All calls are counted, and a server without regions takes no place."""
    series.expect_agent("demo", "")
    series.count(_calls(REGIONS + 7))
    series.expect_agent("late", "region-of-nobody")
    series.count([CALLS.read(1, agent_name="demo", ended_by="caller", region="")])

    found = _counted(metrics, "voice_calls_total", "region")
    assert len(found) == REGIONS + 2
    assert (found["other"], found[""]) == (7, 1)
    assert {found[f"region-{place}"] for place in range(REGIONS)} == {1}


def test_a_region_keeps_its_label(metrics: Metrics, series: RealCallSeries) -> None:
    """The zero before the first call and the call itself are one series, at the limit too."""
    for place in range(REGIONS + 1):
        series.expect_agent("demo", f"region-{place}")
    series.count(_calls(REGIONS + 1))

    found = _counted(metrics, "voice_calls_total", "region")
    assert found == {"other": 1, **{f"region-{place}": 1 for place in range(REGIONS)}}


def test_trunks_beyond_the_limit_are_other(metrics: Metrics, series: RealCallSeries) -> None:
    """The same for the trunks of telephone calls."""
    series.count(SIP.read(1, trunk=f"ST_{n}", status="active") for n in range(TRUNKS + 3))

    found = _counted(metrics, "voice_sip_calls_total", "trunk")
    assert (len(found), found["other"]) == (TRUNKS + 1, 3)
