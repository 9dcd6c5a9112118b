"""Means of what a call's turns know: unknown values are left out, and so is the warm-up turn."""

import pytest

from exporter.outcome import Components
from exporter.probes.latency.split import LAST_COMPONENTS, readings
from exporter.stats import mean, mean_jitter_buffer_s
from tests.unit.calls import failed, replied


@pytest.mark.parametrize(
    ("values", "expected"),
    [((0.5, None, 1.0), 0.75), ((0.0,), 0.0), ((None, None), None), ((), None)],
)
def test_mean_of_what_is_known(values: tuple[float | None, ...], expected: float | None) -> None:
    """None is not 0, and 0 is not None."""
    assert mean(values) == expected


def test_the_jitter_buffer_of_the_warm_up_turn_does_not_count() -> None:
    """It settles during that turn; a turn that does not know its depth counts as little."""
    warmup = replied(1.0, warmup=True, depth_s=0.9)
    turns = (warmup, replied(1.0, depth_s=0.02), replied(1.0), replied(1.0, depth_s=0.04))
    assert mean_jitter_buffer_s(turns) == pytest.approx(0.03)
    assert mean_jitter_buffer_s([warmup, replied(1.0)]) is None


def test_the_split_of_a_call_is_the_mean_of_each_part_that_is_known() -> None:
    """Over the measured turns; what clocks made negative is 0, and what none reports is absent."""
    turns = (
        replied(2.0, warmup=True, split=Components(llm_s=9.0)),
        failed(),
        replied(1.0, split=Components(llm_s=0.5, tts_s=-0.2)),
        replied(1.0, split=Components(llm_s=0.25)),
    )
    assert list(readings(turns)) == [
        LAST_COMPONENTS.read(0.375, component="llm"),
        LAST_COMPONENTS.read(0.0, component="tts"),
    ]
