"""Percentiles, against those of the standard library."""

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.stats import quantile

SECONDS = st.floats(0, 60, allow_subnormal=False)


@given(st.lists(SECONDS, min_size=2, max_size=60))
def test_every_twentieth(values: list[float]) -> None:
    """Each of them is what `statistics` has for the same samples, with both ends included."""
    ordered = sorted(values)
    expected = [ordered[0], *statistics.quantiles(ordered, n=20, method="inclusive"), ordered[-1]]
    assert [quantile(ordered, part / 20) for part in range(21)] == pytest.approx(expected)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.95, 1.0])
def test_one_sample_is_each_of_its_percentiles(share: float) -> None:
    """There is nothing to interpolate."""
    assert quantile([1.25], share) == 1.25
