"""The JSON of the API: what it answers about targets and runs."""

from collections.abc import Iterable
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from exporter.outcome import Components, Turn
from exporter.store.records import RunRecord


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class TargetView(_View):
    """One agent that is called on a schedule."""

    id: str = Field(description="As `target` of /probe: AGENT, or AGENT/CALL_TYPE/SCENARIO.")
    agent_name: str
    call_type: str
    scenario: str
    interval_s: float
    trials: int = Field(description="Measured turns of one call.")
    target_s: float = Field(description="Above this average the agent is SLOW.")
    verdict: str = Field(description="PASS, SLOW, FAIL or UNKNOWN: of the last run.")
    last_run_at: datetime | None = Field(description="When the last run began.")
    next_run_at: datetime | None
    reason: str | None = Field(description="Why the last run failed; null when it did not.")


class TargetList(_View):
    """The answer to `GET /api/v1/targets`."""

    targets: tuple[TargetView, ...]


class ComponentsView(_View):
    """Where a turn's time went, in seconds; null where it is not known."""

    transcription_s: float | None
    end_of_turn_s: float | None
    llm_s: float | None
    tts_s: float | None
    transport_s: float | None

    @classmethod
    def of(cls, components: Components) -> "ComponentsView":
        """Describe the components of a turn."""
        return cls(
            transcription_s=components.transcription_s,
            end_of_turn_s=components.end_of_turn_s,
            llm_s=components.llm_s,
            tts_s=components.tts_s,
            transport_s=components.transport_s,
        )


class TurnView(_View):
    """One turn of a call, as `latency --json` has it."""

    outcome: str = Field(description="replied, failed or void.")
    warmup: bool
    e2e_s: float | None
    reason: str | None
    detail: str
    components: ComponentsView
    reported_e2e_s: float | None

    @classmethod
    def of(cls, turn: Turn) -> "TurnView":
        """Describe a turn."""
        return cls(
            outcome=turn.outcome,
            warmup=turn.warmup,
            e2e_s=turn.e2e_s,
            reason=turn.reason,
            detail=turn.detail,
            components=ComponentsView.of(turn.components),
            reported_e2e_s=turn.reported_e2e_s,
        )


class RunView(_View):
    """One run that has ended."""

    run_id: str
    probe: str
    agent_name: str
    call_type: str
    scenario: str
    started_at: datetime
    duration_s: float
    outcome: str = Field(description="succeeded or failed.")
    reason: str | None = Field(description="Why it failed; null when it did not.")
    detail: str
    verdict: str
    time_to_agent_s: float | None
    time_to_greeting_s: float | None
    turns: tuple[TurnView, ...]

    @classmethod
    def of(cls, run: RunRecord) -> "RunView":
        """Describe a run."""
        return cls(
            run_id=run.run_id,
            probe=run.probe,
            agent_name=run.agent_name,
            call_type=run.call_type,
            scenario=run.scenario,
            started_at=run.started_at,
            duration_s=run.duration_s,
            outcome="succeeded" if run.reason is None else "failed",
            reason=run.reason,
            detail=run.detail,
            verdict=run.verdict,
            time_to_agent_s=run.time_to_agent_s,
            time_to_greeting_s=run.time_to_greeting_s,
            turns=tuple(map(TurnView.of, run.turns)),
        )


class RunList(_View):
    """The answer to `GET /api/v1/runs`."""

    runs: tuple[RunView, ...] = Field(description="The newest first.")
    next_before: datetime | None = Field(
        description="`before` of the next page; null when there is none."
    )

    @classmethod
    def of(cls, records: Iterable[RunRecord], limit: int) -> "RunList":
        """Describe a page of at most `limit` runs."""
        runs = tuple(map(RunView.of, records))
        return cls(runs=runs, next_before=runs[-1].started_at if len(runs) == limit else None)
