"""Baselines as the probe would return them, for the tests of what is made of them."""

from dataclasses import replace
from typing import Any

from exporter.outcome import ConnectTimes, Loss, Outcome, Reason, SfuBaseline
from tests.unit.calls import WHEN, judged

GOOD = SfuBaseline(
    vantage="here",
    round_trips_s=tuple(0.010 + 0.001 * n for n in range(21)),
    pings=23,
    lost=1,
    voids=1,
    floor_s=0.0005,
    ice_round_trips_s=(0.019, 0.021, 0.020),
    jitter_up_s=0.0012,
    jitter_down_s=0.003,
    loss_up=Loss(2000, 0),
    loss_down=Loss(1990, 10),
    concealed=0.001,
    connect=ConnectTimes(0.045, 0.120, 0.210),
    transport="udp",
    candidate_type="host",
    quality=(("sender", "excellent"), ("receiver", "good")),
    udp_addresses=("192.0.2.9:7882",),
)


def baseline(reason: Reason | None = None, detail: str = "", **changes: Any) -> Outcome:
    """Return the outcome of a baseline like the good one but for these changes."""
    return judged(Outcome("sfu", "", WHEN, 12.0, reason, detail, replace(GOOD, **changes)))


def failed(reason: Reason = Reason.CONNECT_FAILED, detail: str = "no route") -> Outcome:
    """Return the outcome of a baseline that measured nothing."""
    return judged(Outcome("sfu", "", WHEN, 10.0, reason, detail))
