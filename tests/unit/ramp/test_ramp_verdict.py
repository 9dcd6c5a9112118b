"""Thresholds over ramps."""

from dataclasses import replace

import pytest

from exporter.outcome import Outcome, Reason, verdict_of
from exporter.probes.ramp.judge import KneeKind
from exporter.probes.ramp.spec import RampConfig, judge, judged_tiers, ramp_knee
from tests.unit.calls import broken
from tests.unit.ramp.tiers import IDLE, ramp, tier

CONFIG = RampConfig(target_rtt_ms=50)
BUSY = replace(IDLE, lag_s=1.0, send_wait_s=1.0)


@pytest.mark.parametrize(
    ("outcome", "verdict", "said"),
    [
        pytest.param(ramp(tier(2), tier(10, 60)), "PASS", [], id="a knee"),
        pytest.param(ramp(tier(2), tier(10)), "PASS", [], id="none within"),
        pytest.param(
            ramp(tier(2, 60, quality="poor"), tier(10, 70)),
            "SLOW",
            [
                "2 clients: p95 of the round trip 60.0 ms is above 50 ms",
                "2 clients: LiveKit reports the connection quality poor",
            ],
            id="the first tier broke",
        ),
        pytest.param(
            ramp(tier(2, load=BUSY)),
            "UNKNOWN",
            [
                "2 clients: its event loop was 1000 ms late (p99)",
                "2 clients: its data messages waited 1000 ms to be sent (p95)",
            ],
            id="the prober was the limit at once",
        ),
        pytest.param(
            ramp(tier(2), tier(10, load=BUSY)), "PASS", [], id="the prober was the limit later"
        ),
        pytest.param(
            ramp(tier(2), reason=Reason.DEADLINE), "FAIL", ["ramp: deadline: why"], id="cut short"
        ),
        pytest.param(
            broken(Reason.CONNECT_FAILED, "no route", "ramp"),
            "FAIL",
            ["ramp: connect_failed: no route"],
            id="no tier at all",
        ),
    ],
)
def test_verdict_and_its_reasons(outcome: Outcome, verdict: str, said: list[str]) -> None:
    """A knee is no fault; a first tier that does not hold is, and a ramp that was not made."""
    assert verdict_of(judge(CONFIG, outcome)) == verdict
    assert [each.text for each in judge(CONFIG, outcome)] == said


def test_the_knee_is_by_the_targets_of_the_configuration() -> None:
    """60 ms pass a target of 50 and hold one of 100."""
    outcome = ramp(tier(2), tier(10, 60), tier(25, 150))
    assert [each.held for each in judged_tiers(CONFIG, outcome)] == [True, False, False]
    assert ramp_knee(CONFIG, outcome).clients == 2
    assert ramp_knee(RampConfig(), outcome).clients == 10


def test_a_ramp_that_was_cut_short_has_no_knee() -> None:
    """All of its tiers held, but the planned ones after them were not made."""
    assert ramp_knee(CONFIG, ramp(tier(2), reason=Reason.DEADLINE)).kind is KneeKind.UNKNOWN
    assert ramp_knee(CONFIG, ramp(tier(2))).kind is KneeKind.NONE_WITHIN
