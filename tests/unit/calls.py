"""Calls as a probe would return them, for the tests of what is made of them."""

from datetime import UTC, datetime

from pydantic import BaseModel

from exporter.outcome import (
    CallResult,
    Components,
    Outcome,
    Reason,
    Transcription,
    Turn,
    TurnOutcome,
    WordErrors,
)
from exporter.probes import PROBES
from exporter.probes.latency.spec import LatencyConfig

WHEN = datetime(2026, 11, 20, 7, 30, 5, 999999, tzinfo=UTC)


DEMO = LatencyConfig(agent_name="demo")


def judged(outcome: Outcome, config: BaseModel | None = None) -> Outcome:
    """Return an outcome as the runner hands it on; judged by the defaults if not told otherwise."""
    row = PROBES[outcome.probe]
    return row.judged(config or (DEMO if row.name == "latency" else row.config()), outcome)


def replied(
    e2e_s: float,
    *,
    warmup: bool = False,
    split: Components | None = None,
    answer_s: float | None = None,
    depth_s: float | None = None,
    heard: Transcription | None = None,
) -> Turn:
    """Return a turn that was answered; with `answer_s` a filler came first."""
    return Turn(
        TurnOutcome.REPLIED,
        warmup,
        e2e_s,
        components=split or Components(),
        jitter_buffer_s=depth_s,
        time_to_answer_s=answer_s,
        transcription=heard,
    )


def heard(
    words: int, *, substituted: int = 0, deleted: int = 0, inserted: int = 0
) -> Transcription:
    """Return how much was understood; as written two words more are wrong."""
    raw = WordErrors(words, substituted + 2, deleted, inserted)
    return Transcription(words, substituted, deleted, inserted, raw=raw)


def failed(reason: Reason = Reason.NO_REPLY, *, warmup: bool = False, detail: str = "") -> Turn:
    """Return a turn without an answer."""
    return Turn(TurnOutcome.FAILED, warmup, reason=reason, detail=detail)


def void() -> Turn:
    """Return a turn that says nothing about the agent."""
    return Turn(TurnOutcome.VOID, reason=Reason.VOID, detail="the prober was 31 ms late")


def call(*turns: Turn, reason: Reason | None = None, detail: str = "", absent: str = "") -> Outcome:
    """Return the outcome of a call to the agent `demo`."""
    result = CallResult("demo", "default", "default", turns, split_absent=absent)
    return judged(Outcome("latency", "demo", WHEN, 12.5, reason, detail, result))


def broken(reason: Reason, detail: str, probe: str = "latency") -> Outcome:
    """Return the outcome of a run that has no result at all."""
    return judged(Outcome(probe, "demo", WHEN, 0.1, reason, detail))
