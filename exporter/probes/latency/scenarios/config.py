"""A scenario as it is configured: how its calls differ from those of the target it stands under."""

from collections.abc import Iterable
from typing import Any, Literal, get_args

from pydantic import Field

from exporter.config.rules import Faults, rule
from exporter.config.values import Duration, Name, Section, invalid
from exporter.errors import ConfigError
from exporter.probes.latency.line import LINES, LineConfig
from exporter.probes.latency.utterances import Utterance

Kind = Literal["turns", "barge_in", "backchannel", "cough", "pause", "reconnect"]
"""What happens in a call; `turns` is what happens in every call."""

PAUSES_S = (0.6, 1.2, 2.0)
"""For each of these lengths there is a built-in clip with such a pause."""

YIELD_TARGET_MS = 1000.0
"""Default of the time to yield. LiveKit's agents wait for 0.5 s of speech before they yield."""

BACK_S = 30.0
"""A connection that is not back so long after it was broken is lost."""

_BUILT_IN_S = 3.0
"""No built-in clip that is said into the agent's speech is longer."""

_KINDS: tuple[Kind, ...] = tuple(kind for kind in get_args(Kind) if kind != "turns")
BUILT_IN: tuple[str, ...] = (*_KINDS, *LINES)
"""Names that need nothing else: those of a kind, and those of a line."""

_INTO_SPEECH = ("barge_in", "backchannel", "cough")
_KINDS_OF = {
    "after": _INTO_SPEECH,
    "interruption": _INTO_SPEECH,
    "into": ("barge_in",),
    "pause": ("pause",),
    "breaks": ("reconnect",),
    "silence": ("reconnect",),
}
"""Keys that only some kinds have."""


def _named(names: Iterable[str]) -> str:
    *others, last = (f"`{name}`" for name in names)
    return f"{', '.join(others)} and {last}"


def _line_of(scenario: dict[str, Any]) -> LineConfig | None:
    return LINES.get(scenario.get("name", ""))


def _kind_of(scenario: dict[str, Any]) -> Kind:
    return next((kind for kind in _KINDS if kind == scenario.get("name")), "turns")


class ScenarioConfig(Section):
    """A variant of the target: other things are said or done in the call.

    All that is not set is as of the target, which also pays for its calls.
    """

    name: Name = Field(
        min_length=1,
        description=f"Value of the label scenario. {_named(BUILT_IN)} need nothing else.",
    )
    kind: Kind = Field(
        default_factory=_kind_of,
        description="What happens in a call. turns: the same as in calls of the target; barge_in: "
        "the caller interrupts the agent; backchannel, cough: a short sound into the agent's "
        "speech; pause: the caller pauses within an utterance; reconnect: the caller's connection "
        "breaks after the first measured turn. Not set: as the name says, else turns.",
    )
    every: int = Field(
        1,
        ge=1,
        le=10_000,
        description="It is called at every so many-th interval of the target.",
    )
    trials: int | None = Field(
        None,
        ge=1,
        le=100,
        description="Measured turns in each call; as of the target if not set. At least 2 with "
        "kind reconnect.",
    )
    utterance: Utterance | None = Field(
        None,
        description="The caller's speech; as of the target if not set. What is to be interrupted "
        "should have a long answer.",
    )
    line: LineConfig | None = Field(
        default_factory=_line_of,
        description="A bad line, in place of that of the target. Not set: as the name says "
        f"({_named(LINES)}), else as of the target.",
    )
    after: Duration = Field(
        2.0,
        ge=0,
        le=25,
        description="Time from the first sound of the agent's answer to the caller's sound.",
    )
    into: Literal["answer", "greeting"] = Field(
        "answer", description="What barge_in interrupts: the answers, or the greeting."
    )
    interruption: Utterance | None = Field(
        None, description="What is said into the agent's speech; a built-in clip if not set."
    )
    pause: Duration = Field(
        1.2, description="Length of the pause within the utterance: 0.6s, 1.2s or 2s."
    )
    breaks: Literal["signal", "full", "migration"] = Field(
        "full",
        description="What breaks. signal: the WebSocket; full: the whole connection, which is "
        "built anew; migration: the server drops the caller, as when it moves to another node.",
    )
    silence: Duration | None = Field(
        None,
        ge=0.5,
        le=60,
        description="Let nothing through in both directions for so long, in place of `breaks`.",
    )
    target_ms: float | None = Field(
        None,
        gt=0,
        description="Threshold above which it is SLOW. For barge_in it is of the average time to "
        "yield, and 1000 if not set; else of the average latency, and that of the target.",
    )
    fail_ms: float | None = Field(
        None, gt=0, description="Average latency above which it is FAIL; as of the target."
    )
    max_wer: float | None = Field(
        None, ge=0, description="Word error rate above which it is SLOW; as of the target."
    )
    slo: bool = Field(False, description="Its turns count for the objective.")
    page_on: Literal["slow", "fail", "none"] = Field(
        "none", description="Verdict from which it pages, as for a target; none: it warns."
    )

    @rule
    def _keys_of_its_kind(self) -> Faults:
        for key, kinds in _KINDS_OF.items():
            if key in self.model_fields_set and self.kind not in kinds:
                yield invalid(
                    f"has no effect with kind {self.kind}; expected kind {' or '.join(kinds)}", key
                )

    @rule
    def _pause_has_a_clip(self) -> Faults:
        if self.pause not in PAUSES_S:
            yield invalid("{value} has no built-in clip; expected 0.6s, 1.2s or 2s", "pause")

    @rule
    def _pause_has_its_words(self) -> Faults:
        if self.kind == "pause" and self.utterance is not None:
            yield invalid("conflicts with kind pause, which has clips of its own", "utterance")

    @rule
    def _breaks_one_thing(self) -> Faults:
        if self.silence is not None and "breaks" in self.model_fields_set:
            yield invalid("conflicts with breaks; expected one of them", "silence")

    @rule
    def _has_a_turn_after_the_break(self) -> Faults:
        if self.kind == "reconnect" and self.trials == 1:
            yield invalid("{value} leaves no turn after the break; expected 2 or more", "trials")

    @property
    def speaks_into(self) -> bool:
        """Whether something is said into the agent's speech."""
        return self.kind in _INTO_SPEECH

    @property
    def needs_control(self) -> bool:
        """Whether the first turn of a call is left alone, to compare the others with it."""
        return self.speaks_into and self.into == "answer"

    @property
    def answers(self) -> bool:
        """Whether what is said into the agent's speech asks for an answer."""
        return self.kind == "barge_in"

    @property
    def broken(self) -> str:
        """What breaks: signal, full, migration or silence."""
        return self.breaks if self.silence is None else "silence"

    @property
    def longest_break_s(self) -> float:
        """How long the connection may be broken, in seconds; 0 where it is not."""
        return BACK_S + (self.silence or 0.0) if self.kind == "reconnect" else 0.0

    @property
    def longest_sound_s(self) -> float:
        """How long what is said into the agent's speech may be, in seconds."""
        return _BUILT_IN_S if self.interruption is None else self.interruption.longest_s

    @property
    def yield_target_s(self) -> float:
        """The time to yield above which an interruption is SLOW, in seconds."""
        return (self.target_ms or YIELD_TARGET_MS) / 1000


def built_in(name: str) -> ScenarioConfig:
    """Return the built-in scenario of that name.

    Raises:
        ConfigError: There is none; it says which there are.
    """
    if name not in BUILT_IN:
        raise ConfigError(f"no scenario {name!r}; built in are {', '.join(BUILT_IN)}")
    return ScenarioConfig(name=name)
