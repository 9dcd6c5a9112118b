"""Calls that the machine of the tests spoiled are placed again.

A prober that was late says so: its turns are void, and say nothing of the agent. On a machine full
of other tests that happens, and a test that needs a measured turn can only call again.
"""

from collections.abc import Awaitable, Callable

from exporter.outcome import CallResult, Outcome, Reason, TurnOutcome

TRIES = 5


async def until_measured(place: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Place a call, and again while the prober was too late for it; return the last outcome."""
    for _ in range(TRIES - 1):
        outcome = await place()
        if not _is_void(outcome):
            return outcome
    return await place()


def _is_void(outcome: Outcome) -> bool:
    """Tell whether the prober was too late in every turn, so that nothing is known."""
    if isinstance(outcome.result, CallResult):
        turns = [turn for turn in outcome.result.turns if not turn.warmup]
        return bool(turns) and all(turn.outcome is TurnOutcome.VOID for turn in turns)
    return outcome.reason is Reason.VOID
