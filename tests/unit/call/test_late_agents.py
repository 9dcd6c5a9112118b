"""After which calls an agent may still come, and open the room anew."""

from dataclasses import replace

import pytest

from exporter.outcome import CallResult, Reason
from exporter.run.runner import _may_come_late
from tests.unit.calls import call


@pytest.mark.parametrize(
    ("reason", "time_to_agent_s", "may"),
    [
        (Reason.JOIN_TIMEOUT, None, True),
        (Reason.VOID, None, True),
        (Reason.VOID, 0.4, False),
        (Reason.NO_WORKER, None, False),
        (None, 0.4, False),
    ],
)
def test_an_agent_that_was_not_met_in_time_may_come(
    reason: Reason | None, time_to_agent_s: float | None, may: bool
) -> None:
    """Also where it is void, because the prober stood still: its room is looked at once more."""
    placed = call(reason=reason)
    assert isinstance(placed.result, CallResult)
    result = replace(placed.result, time_to_agent_s=time_to_agent_s)
    assert _may_come_late(replace(placed, result=result)) is may
