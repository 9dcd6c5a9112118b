"""Why a call failed, by its turns."""

import pytest

from exporter.outcome import Reason, Turn, TurnOutcome
from exporter.probes.latency.conversation import worst_turn
from tests.unit.calls import failed, replied, void

SILENT = failed(Reason.NO_REPLY, detail="silence for 6 s")
BROKEN = failed(Reason.AGENT_ERROR, detail="the model is down")
LATE = "the prober was 31 ms late"


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        pytest.param([replied(1.0)], (None, ""), id="answered"),
        pytest.param([replied(1.0), SILENT, BROKEN], (Reason.NO_REPLY, SILENT.detail), id="first"),
        pytest.param([void(), BROKEN], (Reason.AGENT_ERROR, BROKEN.detail), id="failed and void"),
        pytest.param([replied(1.0), void()], (None, ""), id="one was measured"),
        pytest.param([void(), void()], (Reason.VOID, LATE), id="all void"),
        pytest.param(
            [replied(1.0, warmup=True), void()], (Reason.VOID, LATE), id="only the warm-up is good"
        ),
        pytest.param(
            [replied(1.0, warmup=True)], (Reason.VOID, "no turn was measured"), id="warm-up only"
        ),
        pytest.param([], (Reason.VOID, "no turn was measured"), id="no turn"),
        pytest.param(
            [Turn(TurnOutcome.VOID, reason=Reason.VOID)],
            (Reason.VOID, "no turn was measured"),
            id="void without a word",
        ),
    ],
)
def test_reason_of_a_call(turns: list[Turn], expected: tuple[Reason | None, str]) -> None:
    """The first failure; without one, and without a measured turn, why none could be measured."""
    assert worst_turn(turns) == expected
