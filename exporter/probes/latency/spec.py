"""Call an agent as a synthetic caller and measure what a person would hear."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from exporter.config.schedule import BudgetConfig, WindowConfig
from exporter.config.values import FILE, Duration, Name, ProbeSection, Section, fault
from exporter.errors import ConfigError
from exporter.outcome import (
    CallResult,
    Finding,
    Outcome,
    Reason,
    Turn,
    TurnOutcome,
    Verdict,
    failure,
)
from exporter.probe import Probe, always
from exporter.probes.latency.families import FAMILIES, configured, readings
from exporter.stats import Stats

_SHORTEST_DEADLINE_S = 180.0
_AROUND_S = 10.0
"""To make the room, to enter and to leave it."""
_TURN_S = 20.0
"""To say the utterance and to hear the reply to its end; waiting for the reply comes on top."""

KEY = ("agent_name", "call_type", "scenario")
"""The labels that no two targets share."""
TargetKey = tuple[str, str, str]
"""Their values."""


def joined(key: TargetKey) -> str:
    """Return one text for a target, as of no other: a slash within a name is written %2F."""
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in key)


def _check_clip(file: Path) -> Path:
    """Refuse a WAV file that the caller could not say."""
    from exporter.rtc.clip import load_clip  # noqa: PLC0415 - only who has a WAV pays for numpy

    try:
        load_clip(file)
    except ConfigError as error:
        if isinstance(error.__cause__, OSError):
            why = error.__cause__.strerror
            raise fault(f"{{value}} cannot be read: {why}; expected a WAV file") from None
        raise fault("{value}: " + str(error).removeprefix(f"{file}: ")) from None
    return file


class Utterance(Section):
    """What the caller says."""

    wav: Annotated[Path, AfterValidator(_check_clip), FILE] | None = Field(
        None, description="WAV file (PCM, any rate, mono or stereo); the built-in clip if not set."
    )
    transcript: str = Field("", description="The words in the WAV file, for people.")


class Caller(Section):
    """Whom the caller appears to be."""

    identity: str | None = Field(None, description="Participant identity; random if not set.")
    name: str = Field("", description="Participant name.")
    attributes: dict[str, str] = Field(
        default_factory=dict,
        description="Participant attributes that the agent expects.",
    )


def _long_enough(target: dict[str, Any]) -> float:
    """Return the seconds that a call may need, from its timeouts and its turns.

    A timeout that could not be understood has an error of its own, and counts as none here.
    """
    waits = sum(target.get(f"{name}_timeout", 0.0) for name in ("join", "track", "greeting"))
    turns = target.get("trials", 1) + target.get("warmup", True)
    turn_s = _TURN_S + target.get("reply_timeout", 0.0)
    return float(max(_SHORTEST_DEADLINE_S, _AROUND_S + waits + turns * turn_s))


class LatencyConfig(ProbeSection):
    """One target: an agent, how to call it and what is good enough."""

    agent_name: Name = Field(description="Name that the worker registers with.")
    call_type: Name = Field(
        "default",
        min_length=1,
        description="Label; two call types are never averaged.",
    )
    scenario: Name = Field(
        "default", min_length=1, description="Label for variants of a call type."
    )
    interval: Duration = Field(300.0, ge=10, description="Time between two calls.")
    trials: int = Field(3, ge=1, le=100, description="Measured turns in each call.")
    warmup: bool = Field(
        True, description="Take one more turn first, which is listed but not measured."
    )
    target_ms: float = Field(1500, gt=0, description="Above this the agent is SLOW.")
    fail_ms: float | None = Field(
        None, gt=0, description="Above this the agent is FAIL; not set: slowness never fails."
    )
    dispatch: Literal["explicit", "automatic"] = Field(
        "explicit",
        description="automatic: the agent joins every room, so no dispatch is requested.",
    )
    metadata: str = Field("", description="Metadata of the dispatch, as the agent expects it.")
    room_name: str | None = Field(None, min_length=1, description="Room name; random if not set.")
    utterance: Utterance = Field(default_factory=Utterance, description="What the caller says.")
    caller: Caller = Field(default_factory=Caller, description="Whom the caller appears to be.")
    greeting: Literal["auto", "expected", "none"] = Field(
        "auto",
        description=(
            "auto: wait for a greeting as long as `greeting_wait`; expected: no greeting is a "
            "failure; none: speak as soon as the agent listens."
        ),
    )
    greeting_wait: Duration = Field(
        3.0, ge=0, description="With auto: silence after which the agent is taken not to greet."
    )
    join_timeout: Duration = Field(20.0, gt=0, description="Dispatch to agent in the room.")
    track_timeout: Duration = Field(
        10.0, gt=0, description="Agent in the room to its microphone track."
    )
    greeting_timeout: Duration = Field(
        20.0, gt=0, description="Microphone track to the end of the greeting."
    )
    reply_timeout: Duration = Field(
        10.0, gt=0, description="End of the caller's speech to the first sound of the reply."
    )
    deadline: Duration = Field(
        default_factory=_long_enough,
        gt=0,
        description=(
            "The whole call; past it the probe is killed and counted. Not set: as long as the "
            "turns may need, at least 3m."
        ),
    )

    budget: BudgetConfig = Field(
        default=BudgetConfig(), description="What these calls may cost in a day."
    )
    windows: tuple[WindowConfig, ...] = Field(
        (), description="Calls start only inside any of these; none: at any time."
    )

    @property
    def most(self) -> tuple[int, float]:
        """Turns and seconds that one call has at most; the warm-up turn counts."""
        return self.trials + self.warmup, self.deadline

    @property
    def key(self) -> TargetKey:
        """What tells this target from all others."""
        return self.agent_name, self.call_type, self.scenario

    @model_validator(mode="after")
    def _check(self) -> "LatencyConfig":
        if not self.agent_name and self.dispatch == "explicit":
            raise fault("needed unless dispatch is automatic", "agent_name")
        if self.fail_ms is not None and self.fail_ms <= self.target_ms:
            raise fault("{value} must be above target_ms", "fail_ms")
        self.budget.check_plan(*self.most)
        return self


def judge(config: LatencyConfig, outcome: Outcome) -> tuple[Finding, ...]:
    """Judge one call by its target's thresholds.

    FAIL when the call or a measured turn failed, or the average is above `fail_ms`; SLOW when the
    average is above `target_ms`; UNKNOWN when nothing could be measured or every turn is void.
    """
    turns = outcome.result.turns if isinstance(outcome.result, CallResult) else ()
    if outcome.reason not in (None, Reason.VOID):
        return failure(outcome)
    if failed := next((turn for turn in turns if _counts_as_failed(turn)), None):
        return (Finding(Verdict.FAIL, f"{failed.reason}: {failed.detail}"),)
    average_s = Stats.of(turns).avg_s
    if average_s is None:
        return failure(outcome) or (Finding(Verdict.UNKNOWN, "no turn was measured"),)
    if config.fail_ms is not None and average_s * 1000 > config.fail_ms:
        return (_slow(Verdict.FAIL, average_s, config.fail_ms),)
    if average_s * 1000 > config.target_ms:
        return (_slow(Verdict.SLOW, average_s, config.target_ms),)
    return ()


def _counts_as_failed(turn: Turn) -> bool:
    return turn.outcome is TurnOutcome.FAILED and not turn.warmup


def _slow(verdict: Verdict, average_s: float, limit_ms: float) -> Finding:
    return Finding(verdict, f"{average_s:.2f} s on average is above {limit_ms / 1000:g} s")


def summary(result: CallResult) -> str:
    """Say what the measured turns took."""
    stats = Stats.of(result.turns)
    if stats.avg_s is None or stats.max_s is None:
        return "nothing measured"
    return f"average {stats.avg_s:.3f} s, max {stats.max_s:.3f} s, n = {stats.n}"


PROBE = Probe(
    name="latency",
    config=LatencyConfig,
    measure="exporter.probes.latency.measure:place_call",
    lane="call",
    judge=judge,
    summary=summary,
    families=FAMILIES,
    reader=always(readings),
    configured=configured,
    labels=lambda target: dict(zip(KEY, target.key, strict=True)),
)
