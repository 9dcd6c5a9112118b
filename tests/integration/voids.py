"""Turns that the machine of the tests spoiled: the product says so, and a watcher confirms it.

A test of real calls fails for what a product did wrong, and not because the machine was busy: each
turn is measured, or void by the prober's own word. That word is believed only where the machine was
seen to be late by a process that has nothing to do with the prober.
"""

from collections.abc import Iterable

from exporter.outcome import Outcome, Turn, TurnOutcome
from exporter.probes.latency.conversation import TORN
from exporter.probes.latency.reply import MAX_LAG_S
from exporter.probes.latency.speaking import RAN_DRY
from exporter.store.records import RunRecord
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
        late = turn.loop_lag_s is not None and turn.loop_lag_s > MAX_LAG_S
        lost = turn.detail.startswith(f"{BY_THE_PROBER}it stood still")
        assert late or lost or turn.detail in (RAN_DRY, TORN), turn
    return replied


def span(outcome: Outcome | RunRecord) -> tuple[float, float]:
    """Return when a run began and ended, in seconds since the epoch."""
    begin = outcome.started_at.timestamp()
    return begin, begin + outcome.duration_s


def assert_late(
    outcomes: Iterable[Outcome | RunRecord], watch: Watch, turns: Iterable[Turn]
) -> None:
    """Assert that the machine was late during these runs, as often as it spoiled a turn.

    A turn that is void because of the one before it was spoiled by the same lateness.
    """
    spoiled = sum(turn.detail != TORN for turn in turns)
    late: set[Late] = set()
    for outcome in outcomes:
        late.update(watch.late(*span(outcome)))
    what = f"{spoiled} turns were spoiled, but the machine was late only {len(late)} times"
    assert len(late) >= spoiled, what
