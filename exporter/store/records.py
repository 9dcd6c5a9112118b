"""What a store holds: frozen records, the same for every implementation."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import ConfigDict, computed_field, with_config

from exporter.outcome import (
    Backchannel,
    Calibration,
    CallerToken,
    CallReconnect,
    CallResult,
    Cause,
    Expectation,
    Finding,
    InnerPause,
    Interruption,
    LineCounts,
    Media,
    ModelUsage,
    Outcome,
    Reason,
    Sending,
    SpeechSeconds,
    Turn,
    Verdict,
)
from exporter.stats import mean_jitter_buffer_s

LOG_LINES_KEPT = 200
"""Of one run: a listing may log a line for each room."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What calls to an agent cost: one run's plan, or the sum of a day."""

    turns: int = 0
    """Warm-up turns as well: they cost the same."""
    call_seconds: float = 0.0
    tokens: int = 0
    """Read and written by language models, as agents report; no plan knows them before."""

    def __add__(self, other: "Spending") -> "Spending":
        return Spending(
            self.turns + other.turns,
            self.call_seconds + other.call_seconds,
            self.tokens + other.tokens,
        )

    def __sub__(self, other: "Spending") -> "Spending":
        return Spending(
            self.turns - other.turns,
            self.call_seconds - other.call_seconds,
            self.tokens - other.tokens,
        )


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """What may be spent on one target in one day; None where there is no limit."""

    turns: int | None = None
    call_seconds: float | None = None
    tokens: int | None = None

    def allow(self, spent: Spending) -> bool:
        """Return whether a call may begin that brings the spending to so much.

        Of tokens something must be left: how many the call takes is known only after it.
        """
        return (
            (self.turns is None or spent.turns <= self.turns)
            and (self.call_seconds is None or spent.call_seconds <= self.call_seconds)
            and (self.tokens is None or spent.tokens < self.tokens)
        )


NO_BUDGET_LIMITS = BudgetLimits()


@dataclass(frozen=True, slots=True)
class Remaining:
    """What the targets of one agent have left today, together; None: no target has a limit."""

    turns: int | None = None
    call_seconds: float | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that was begun. It is in the store until it ends, whatever becomes of the exporter."""

    run_id: str
    probe: str
    agent_name: str
    call_type: str
    scenario: str
    started_at: datetime
    """When it was admitted, UTC."""
    target: str = ""
    """Whose budget it is charged to: the id of the target."""
    day: str = ""
    """The day that it is charged to, in the target's time zone: 2026-11-21."""
    plan: Spending = Spending()
    """Reserved when it begins; at its end what was really spent takes the place."""
    room_name: str | None = None
    """The room's name where the target sets it; else it follows from the run's id."""


@with_config(ConfigDict(use_attribute_docstrings=True))
@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run that has ended, as the history keeps it."""

    run_id: str
    probe: str
    agent_name: str
    call_type: str
    scenario: str
    started_at: datetime
    """UTC."""
    duration_s: float
    reason: Reason | None
    """None when it measured all that it set out to measure."""
    detail: str
    verdict: Verdict
    turns: tuple[Turn, ...] = ()
    time_to_agent_s: float | None = None
    time_to_greeting_s: float | None = None
    split_absent: str = ""
    """As in `CallResult`."""
    log: tuple[str, ...] = ()
    """The run's own log lines, oldest first, each with its seconds since the start; only of runs
    that failed, and of a long log the end."""
    agents: int = 1
    """As in `CallResult`."""
    loop_lag_s: float | None = None
    """As in `Outcome`: that of a turn is of its two ends only."""
    speech_s: SpeechSeconds | None = None
    """As in `CallResult`."""
    overlap_s: float | None = None
    """As in `CallResult`."""
    media: Media | None = None
    """As in `CallResult`."""
    usage: tuple[ModelUsage, ...] = ()
    """As in `CallResult`: tokens, characters and seconds by model."""
    expectations: tuple[Expectation, ...] = ()
    """Of a dialogue (`script`): what was expected in each step, and what became of it."""
    sending: Sending | None = None
    """As in `CallResult`: noise, microphone and encoding of a bad line (`line`)."""
    line: LineCounts | None = None
    """As in `CallResult`: what the relay of a bad line (`line`) did to RTP."""
    reconnects: tuple[CallReconnect, ...] = ()
    """As in `CallResult`: times of connections that were broken on purpose."""
    interruptions: tuple[Interruption, ...] = ()
    """As in `CallResult`."""
    backchannels: tuple[Backchannel, ...] = ()
    """As in `CallResult`."""
    pauses: tuple[InnerPause, ...] = ()
    """As in `CallResult`."""
    token: CallerToken | None = None
    """As in `CallResult`: how long the caller's token took, and what is dangerous in it; never the
    token."""
    fence: int | None = None
    """Fencing number of the lease under which it ran; null where no `group` is configured."""
    findings: tuple[Finding, ...] = ()
    """What keeps it from PASS, each with its verdict; `cause` says what of the call it is about,
    where more is to be read of that."""

    @computed_field  # type: ignore[prop-decorator] # mypy takes none above a property
    @property
    def outcome(self) -> Literal["succeeded", "failed"]:
        """succeeded, or failed where it has a reason: of the JSON only."""
        return "succeeded" if self.reason is None else "failed"

    @computed_field  # type: ignore[prop-decorator] # mypy takes none above a property
    @property
    def jitter_buffer_s(self) -> float | None:
        """Mean depth of the caller's jitter buffer, without the warm-up turn; null if unknown.

        Of the JSON only: it follows from the turns.
        """
        return mean_jitter_buffer_s(self.turns)

    @property
    def cause(self) -> Cause | None:
        """What of the call its verdict is about, where a finding says so."""
        worst = (each.cause for each in self.findings if each.verdict is self.verdict)
        return next(filter(None, worst), None)

    @property
    def further_findings(self) -> tuple[Finding, ...]:
        """The findings that do not only repeat `reason` and `detail`."""
        told = f"{self.reason}: {self.detail}"
        return tuple(each for each in self.findings if each.text != told)

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        """Return the record of a finished run."""
        call = outcome.result
        of_call: dict[str, Any] = {"call_type": "", "scenario": ""}
        if isinstance(call, CallResult):
            of_call = {name: getattr(call, name) for name in _OF_CALL}
        return cls(
            run_id=outcome.run_id,
            probe=outcome.probe,
            agent_name=outcome.agent_name,
            started_at=outcome.started_at,
            duration_s=outcome.duration_s,
            reason=outcome.reason,
            detail=outcome.detail,
            verdict=outcome.verdict,
            log=outcome.log[-LOG_LINES_KEPT:] if outcome.reason is not None else (),
            loop_lag_s=outcome.loop_lag_s,
            fence=outcome.fence,
            findings=outcome.findings or (),
            **of_call,
        )


_OF_CALL = {each.name for each in fields(CallResult)} - {"agent_name"}
"""All that a call has found is of its record as well, under the same names."""


@with_config(ConfigDict(use_attribute_docstrings=True))
@dataclass(frozen=True, slots=True)
class EvidencePlace:
    """Which of several exporters keeps a call to be seen and heard."""

    exporter: str
    """The name of its host."""
    url: str
    """Where its pages are, without a slash at the end."""


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs to read; the newest come first."""

    limit: int = 100
    agent_name: str | None = None
    failed: bool | None = None
    """True: those with a reason; False: those without; None: both."""
    before: datetime | None = None
    """Runs that began earlier than this."""
    before_id: str = ""
    """And of those that began in the same moment, the ones with a smaller id: for the next page."""
    probe: str | None = None
    call_type: str | None = None
    scenario: str | None = None
    verdicts: tuple[Verdict, ...] | None = None
    """Runs with one of these; None: with any."""


@dataclass(frozen=True, slots=True)
class CalibrationRecord:
    """A measurement of the floor."""

    at: datetime
    """When it began, UTC."""
    result: Calibration


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what ended is kept."""

    successes_s: float = 7 * 86400.0
    failures_s: float = 30 * 86400.0
    max_runs: int = 100_000
    """The oldest successes go first, then the oldest failures."""

    @property
    def longest_s(self) -> float:
        """How long what is neither is kept."""
        return max(self.successes_s, self.failures_s)


SPENDING_KEPT_DAYS = 35
"""Sums of older days are dropped: no budget and no page asks for them."""
