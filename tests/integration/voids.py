"""Turns that the machine of the tests spoiled: the product says so, and a watcher confirms it.

A test of real calls fails for what a product did wrong, and not because the machine was busy: each
turn is measured, or void by the prober's own word. That word is believed only where the machine was
seen to be late by a process that has nothing to do with the prober.
"""

from collections.abc import Iterable

from exporter.call.turns import MAX_LAG_S
from exporter.outcome import Outcome, Turn, TurnOutcome
from tests.lateness import Late, Watch

BY_THE_PROBER = "the prober: "
"""How the detail of a turn begins that was spoiled by the prober itself."""


def measured(turns: Iterable[Turn]) -> list[Turn]:
    """Return the turns that have a latency, once every other one is void by the prober's word."""
    replied = []
    for turn in turns:
        if turn.outcome is TurnOutcome.REPLIED:
            replied.append(turn)
            continue
        assert turn.outcome is TurnOutcome.VOID, turn
        assert turn.detail.startswith(BY_THE_PROBER), turn
        assert turn.loop_lag_s is None or turn.loop_lag_s > MAX_LAG_S or "dry" in turn.detail, turn
    return replied


def assert_late(outcomes: Iterable[Outcome], watch: Watch, times: int) -> None:
    """Assert that the machine was late during these runs, as often as turns are void by it."""
    late: set[Late] = set()
    for outcome in outcomes:
        begin = outcome.started_at.timestamp()
        late.update(watch.late(begin, begin + outcome.duration_s))
    assert len(late) >= times, (
        f"{times} void turns, but the machine was late only {len(late)} times"
    )
