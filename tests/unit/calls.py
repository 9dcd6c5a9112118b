"""Calls as a probe would return them, for the tests of what is made of them."""

from datetime import UTC, datetime

from exporter.outcome import CallResult, Components, Outcome, Reason, Turn, TurnOutcome

WHEN = datetime(2026, 11, 20, 7, 30, 5, 999999, tzinfo=UTC)


def replied(e2e_s: float, *, warmup: bool = False, split: Components | None = None) -> Turn:
    """Return a turn that was answered."""
    return Turn(TurnOutcome.REPLIED, warmup, e2e_s, components=split or Components())


def failed(reason: Reason = Reason.NO_REPLY, *, warmup: bool = False, detail: str = "") -> Turn:
    """Return a turn without an answer."""
    return Turn(TurnOutcome.FAILED, warmup, reason=reason, detail=detail)


def void() -> Turn:
    """Return a turn that says nothing about the agent."""
    return Turn(TurnOutcome.VOID, reason=Reason.VOID, detail="the prober was 31 ms late")


def call(*turns: Turn, reason: Reason | None = None, detail: str = "", absent: str = "") -> Outcome:
    """Return the outcome of a call to the agent `demo`."""
    result = CallResult("demo", "default", "default", turns, split_absent=absent)
    return Outcome("latency", "demo", WHEN, 12.5, reason, detail, result)


def broken(reason: Reason, detail: str, probe: str = "latency") -> Outcome:
    """Return the outcome of a run that has no result at all."""
    return Outcome(probe, "demo", WHEN, 0.1, reason, detail)
