"""The JSON of real turns: what `attach` in an agent posts, and what follows from it."""

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from exporter.config.values import Printable
from exporter.outcome import Components, TurnReport

MAX_BODY_BYTES = 256 * 1024
"""A turn is some 500 bytes, and a batch has 100 of them."""
MAX_TURNS = 500
_MAX_MODELS = 50
_MANY = 10**12

LiveOutcome = Literal["answered", "interrupted", "unanswered"]
LIVE_OUTCOMES: tuple[LiveOutcome, ...] = get_args(LiveOutcome)
"""What became of a turn: the caller cut the answer short (interrupted), or went on speaking or left
before any (unanswered)."""

LONGEST_E2E_S = 60.0
"""A latency above it is no turn's: no caller waits so long, and agents have reported 200 s."""


_Seconds = Annotated[float | None, Field(ge=-_MANY, le=_MANY)]
"""Also one that cannot be true: it is counted as such, and the rest of the batch is good."""
_Count = Annotated[int, Field(ge=0, le=_MANY)]


class _Message(BaseModel):
    # A newer agent may send more than this exporter knows.
    model_config = ConfigDict(
        frozen=True, strict=True, extra="ignore", allow_inf_nan=False, hide_input_in_errors=True
    )


class LiveUsage(_Message):
    """What was used of one model since the report before."""

    model: Printable = Field(max_length=256)
    llm_input: _Count = 0
    llm_cached: _Count = 0
    llm_output: _Count = 0
    tts_characters: _Count = 0
    stt_seconds: float = Field(0.0, ge=0, le=_MANY)


class LiveTurn(_Message):
    """One turn of a real call, by the agent's clock. Absent is unknown, never 0."""

    agent_name: Printable = Field(max_length=256)
    call_type: Printable = Field("default", min_length=1, max_length=128)
    outcome: LiveOutcome | None = Field(
        None, description="Absent: no turn, but what was used besides."
    )
    e2e_s: _Seconds = Field(None, description="End of the caller's speech to the first sound.")
    transcription_delay_s: _Seconds = None
    end_of_turn_delay_s: _Seconds = None
    on_user_turn_completed_s: _Seconds = None
    llm_ttft_s: _Seconds = None
    llm_ttfs_s: _Seconds = None
    tts_ttfb_s: _Seconds = None
    tools_s: _Seconds = Field(None, description="Tools that ended before the first sound.")
    tool_requests_s: _Seconds = None
    tools_ok: _Count = 0
    tools_failed: _Count = 0
    usage: tuple[LiveUsage, ...] = Field((), max_length=_MAX_MODELS)

    @property
    def is_plausible(self) -> bool:
        """Whether its latency may be true; so where there is none."""
        return self.e2e_s is None or 0 <= self.e2e_s <= LONGEST_E2E_S

    def split(self) -> tuple[Components, tuple[str, ...]]:
        """Return the parts of its latency, and the names of those that exceed it.

        As of the turns of probes, but measured against the agent's own latency: nobody heard it,
        so there is no `transport`. Nothing where it has none, or none that may be true.
        """
        if self.e2e_s is None or not self.is_plausible:
            return Components(), () if self.is_plausible else ("reported_e2e",)
        report = TurnReport(
            transcription_delay_s=self.transcription_delay_s,
            end_of_turn_delay_s=self.end_of_turn_delay_s,
            on_user_turn_completed_s=self.on_user_turn_completed_s,
            llm_ttft_s=self.llm_ttft_s,
            llm_ttfs_s=self.llm_ttfs_s,
            tts_ttfb_s=self.tts_ttfb_s,
            tools_s=self.tools_s,
            tool_requests_s=self.tool_requests_s or 0.0,
        )
        return report.split(self.e2e_s, whole=False)


class TurnBatch(_Message):
    """The body of `POST /api/v1/turns`; unknown keys are ignored.

    Parse it from JSON (`model_validate_json`), for which `strict` holds.
    """

    id: str = Field(
        pattern=r"^[A-Za-z0-9_\-]{1,64}$", description="A batch that is sent again has the same."
    )
    dropped: _Count = Field(0, description="Reports that the agent dropped since the batch before.")
    turns: tuple[LiveTurn, ...] = Field((), max_length=MAX_TURNS)
