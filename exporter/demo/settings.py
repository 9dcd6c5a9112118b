"""Settings of the demo: how its providers and its agent behave.

All of them hold for every call, and are changed by PUT /settings at the providers while they run.
The same JSON as metadata of a dispatch is laid over them for that one call.
"""

import json
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

CALL_HEADER = "X-Demo-Call"
"""Header by which the agent tells the providers which call a request belongs to: a `DemoCall`."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ProviderSettings(_Section):
    """One provider."""

    delay_s: float = Field(ge=0, le=60)
    """Seconds from the request's arrival to the first byte of the answer's content."""
    failure_rate: float = Field(0.0, ge=0, le=1)
    """Part of the requests, 0 to 1, that get an error instead, after the same delay."""


class SttSettings(ProviderSettings):
    """Speech to text. The errors are made in what was heard, or in the given transcript."""

    transcript: str | None = Field(None, max_length=1000)
    """Returned whatever was heard; "" is what a recogniser returns that has heard no word."""
    substituted: int = Field(0, ge=0, le=100)
    """So many words, from the first on, become another one."""
    deleted: int = Field(0, ge=0, le=100)
    """So many words are missing at the end."""
    inserted: int = Field(0, ge=0, le=100)
    """So many words that nobody said come first."""


class Answer(_Section):
    """What the language model answers to the caller."""

    reply: str | None = Field(None, max_length=2000)
    """Said whatever was heard; None follows the caller's words; "" is an empty answer."""
    story: bool = False
    """Tells a story of 20 to 30 s, unless `reply` is given."""
    tool: Literal["look_up_order", "call_colleague"] | None = None
    """Called before the reply; `call_colleague` hands the call over to another agent."""
    tool_s: float = Field(0.0, ge=0, le=60)
    """How long the tool takes."""
    tool_fails: bool = False
    """The tool ends with an error, which the model sees."""
    filler: str = Field("", max_length=200)
    """Said by the agent when the tool begins, such as "One moment."; "" says nothing."""


class LlmSettings(ProviderSettings, Answer):
    """The language model: its answer to every turn, unless `turns` has one for that turn."""

    turns: list[Answer] = Field([], max_length=10)
    """Answers to the first turns of a call, in their order."""
    prompt_tokens: int | None = Field(None, ge=0, le=1_000_000)
    """Reported as read for each answer; None counts the words of the prompt."""
    cached_tokens: int = Field(0, ge=0, le=1_000_000)
    """How many of them are reported as cached; at most all."""
    completion_tokens: int | None = Field(None, ge=0, le=1_000_000)
    """Reported as written for each answer; None counts its words."""

    def answer_to(self, turn: int) -> Answer:
        """Return how the model answers a turn of a call, counted from 1."""
        return self.turns[turn - 1] if 0 < turn <= len(self.turns) else self


class TtsSettings(ProviderSettings):
    """Text to speech."""

    output: Literal["speech", "silence", "nothing"] = "speech"
    """`silence` is as long as the speech would be; `nothing` is an answer without content."""
    gain: float = Field(1.0, ge=0, le=100)
    """How much louder the speech is; from about 1.7 on it is clipped at full scale."""


class AgentSettings(_Section):
    """The agent itself, as it is from the beginning of a call to its end."""

    takes_calls: bool = True
    """Whether its worker accepts calls; they are refused before they begin."""
    deaf: bool = False
    """It mutes its input, and hears nothing."""
    endpointing_s: float | None = Field(None, ge=0, le=600)
    """How long it waits after the caller's last word; None waits as its model for turns says."""
    interruptible: bool = True
    """Whether it stops when the caller speaks."""
    interruption_s: float | None = Field(None, ge=0, le=60)
    """For how long the caller must speak before it stops; None is the SDK's default, 0.5 s."""
    resumes: bool = True
    """Whether it goes on where it was interrupted by what had no words."""
    turn_model: bool = True
    """Whether a model says when the caller's turn is over; without it, silence does."""
    filler: str = Field("", max_length=200)
    """Said at the end of each of the caller's turns, ahead of the answer; "" says nothing."""
    work_s: float = Field(0.0, ge=0, le=60)
    """How long it works after the caller's turn before the language model is asked."""


class DemoSettings(_Section):
    """All of the demo. The defaults are those of a quick, healthy agent."""

    stt: SttSettings = SttSettings(delay_s=0.2)
    """Speech to text: the whole answer, which has one part."""
    llm: LlmSettings = LlmSettings(delay_s=0.35)
    """Language model: the first token."""
    tts: TtsSettings = TtsSettings(delay_s=0.15)
    """Text to speech: the first sound."""
    agent: AgentSettings = AgentSettings()
    """The agent, which reads this when a call begins."""

    def changed(self, change: object) -> "DemoSettings":
        """Return these settings with a change laid over them.

        Args:
            change: Decoded JSON such as `{"llm": {"delay_s": 2.0}}`; what it leaves out stays.

        Raises:
            pydantic.ValidationError: The change names something unknown or has a wrong value.
        """
        merged: object = change
        if isinstance(change, dict):
            now = self.model_dump()
            merged = now | {
                part: now.get(part, {}) | value if isinstance(value, dict) else value
                for part, value in change.items()
            }
        return DemoSettings.model_validate(merged)


class DemoCall(_Section):
    """One call, as the providers know it."""

    room: str = ""
    """Name of its room; "" where the request belongs to none."""
    settings: dict[str, object] = {}
    """What differs from the settings of all calls; a valid change of `DemoSettings`."""

    @classmethod
    def dispatched(cls, room: str, metadata: str) -> Self:
        """Return the call that a dispatch with such metadata makes.

        Raises:
            ValueError: The metadata is no valid change, in one line.
        """
        change = json.loads(metadata) if metadata else {}
        try:
            DemoSettings().changed(change)
        except ValidationError as error:
            raise ValueError(in_one_line(error)) from error
        return cls(room=room, settings=change)

    def header(self) -> dict[str, str]:
        """Return the header that carries it."""
        return {CALL_HEADER: json.dumps(self.model_dump())}


def in_one_line(error: ValidationError) -> str:
    """Return each of the errors with its place."""
    return "; ".join(
        f"{'.'.join(str(step) for step in each['loc']) or 'settings'}: {each['msg']}"
        for each in error.errors()
    )
