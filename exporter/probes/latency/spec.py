"""Call an agent as a synthetic caller and measure what a person would hear."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from exporter.config.labels import OwnLabels
from exporter.config.rules import Faults, rule
from exporter.config.schedule import BudgetConfig, WindowConfig
from exporter.config.values import Duration, Name, ProbeSection, above, holds_needed, invalid
from exporter.probe import Probe
from exporter.probes.latency.caller import CallerIdentity, RoomConfig, TurnConfig
from exporter.probes.latency.deadline import needed_s, shortest_deadline_s
from exporter.probes.latency.endurance import EnduranceConfig
from exporter.probes.latency.families import FAMILIES, CallReader, configured
from exporter.probes.latency.judge import judge, summary
from exporter.probes.latency.key import KEY, TargetKey
from exporter.probes.latency.line import LineConfig
from exporter.probes.latency.scenarios.config import ScenarioConfig
from exporter.probes.latency.script import Step
from exporter.probes.latency.sound import SoundConfig
from exporter.probes.latency.utterances import Utterance
from exporter.probes.latency.way_in.config import TokenConfig, one_way_in


def _default_page_on(target: dict[str, Any]) -> Literal["slow", "none"]:
    return "slow" if target.get("scenario") == "default" else "none"


class LatencyConfig(ProbeSection):
    """One target: an agent, its calls and its thresholds."""

    agent_name: Name = Field(description="Agent name that the worker registers with.")
    call_type: Name = Field(
        "default",
        min_length=1,
        description="Value of the label call_type. Different call types are never averaged.",
    )
    scenario: Name = Field(
        "default",
        min_length=1,
        description="Value of the label scenario: a variant of the call type.",
    )
    scenarios: tuple[ScenarioConfig, ...] = Field(
        (),
        description="Variants of this target, each with series of its own: interruptions, "
        "backchannels, pauses.",
    )
    interval: Duration = Field(300.0, ge=10, description="Time between two calls.")
    trials: int = Field(3, ge=1, le=100, description="Measured turns in each call.")
    warmup: bool = Field(True, description="Run one unmeasured warm-up turn first.")
    target_ms: float = Field(
        1500, gt=0, description="Average latency above which the agent is SLOW."
    )
    fail_ms: float | None = Field(
        None, gt=0, description="Average latency above which the agent is FAIL; not set: no limit."
    )
    max_wer: float | None = Field(
        None,
        ge=0,
        description="Word error rate of the agent's transcripts of a call, 0 to 1, above which it "
        "is SLOW; not set: no limit.",
    )
    sound: SoundConfig = Field(
        default=SoundConfig(),
        description="Thresholds of what the caller hears, and its quality; off by default.",
    )
    slo: bool = Field(
        default_factory=lambda target: target.get("scenario") == "default",
        description=(
            "Its turns count for the objective. Not set: only those of the scenario `default`."
        ),
    )
    page_on: Literal["slow", "fail", "none"] = Field(
        default_factory=_default_page_on,
        description=(
            "slow: it pages when it is SLOW three times or FAIL twice in a row; fail: for FAIL "
            "alone; none: it warns. Not set: slow for the scenario `default`, else none. The "
            "error budget pages by itself unless `slo` is false."
        ),
    )
    may_end: bool = Field(
        False,
        description=(
            "The agent may end the call after a measured turn: the turns so far count, and the "
            "rest is no failure."
        ),
    )
    follow: bool = Field(
        False,
        description=(
            "The agent may hand over: when it leaves and another agent comes within "
            "`join_timeout`, the call goes on with that one, once."
        ),
    )
    labels: OwnLabels = Field(
        default_factory=dict,
        description=(
            "Labels of your own, such as `team: support`: on voice_target_info and on the alerts "
            "about this target."
        ),
    )
    token: TokenConfig | None = Field(
        None,
        description="The endpoint of your application that gives callers their tokens; not set: "
        "the exporter makes the caller's token itself.",
    )
    dispatch: Literal["explicit", "automatic", "token"] = Field(
        "explicit",
        description="explicit: request a dispatch; automatic: the agent joins every room; token: "
        "the room configuration in the token of `token` calls the agent.",
    )
    metadata: str = Field("", description="Metadata of the dispatch.")
    room_name: str | None = Field(None, min_length=1, description="Room name; random if not set.")
    e2ee: bool = Field(
        True,
        description=(
            "Encrypt the call end to end if `livekit.e2ee_key_file` is set; false for an agent "
            "that does not."
        ),
    )
    utterance: Utterance = Field(default_factory=Utterance, description="The caller's speech.")
    utterances: tuple[Utterance, ...] = Field(
        (),
        description="Several utterances, in place of `utterance`: each turn has the next one, and "
        "each call begins with another one.",
    )
    script: tuple[Step, ...] = Field(
        (),
        max_length=50,
        description="A dialogue, in place of `utterance`: what the caller says in each step, and "
        "what is expected of the agent. A call goes through it once, and `trials` has no effect.",
    )
    stop_at: Literal["joins", "none"] = Field(
        "none",
        description=(
            "joins: the call ends as soon as a participant joins of a kind that the script expects "
            "(`joins`), so that nobody has to answer it."
        ),
    )
    endurance: EnduranceConfig | None = Field(
        None,
        description="A long call, in place of `trials`: whether answers keep coming, and keep "
        "their speed.",
    )
    turn: TurnConfig = Field(
        default=TurnConfig(),
        description="Push-to-talk: RPCs by which the agent knows the caller's turn.",
    )
    line: LineConfig = Field(
        default=LineConfig(),
        description="A bad line: noise, a poor microphone or encoding, a bad network.",
    )
    caller: CallerIdentity = Field(
        default_factory=CallerIdentity,
        description="What the agent can read of the caller, as a participant.",
    )
    room: RoomConfig = Field(
        default=RoomConfig(), description="What the agent can read of the room."
    )
    greeting: Literal["auto", "expected", "none"] = Field(
        "auto",
        description=(
            "auto: wait up to `greeting_wait` for a greeting; expected: a missing greeting is a "
            "failure; none: speak as soon as the agent listens."
        ),
    )
    greeting_wait: Duration = Field(
        5.0, ge=0, description="With auto: silence after which no greeting is expected any more."
    )
    join_timeout: Duration = Field(
        20.0, gt=0, description="Time limit from the dispatch to the agent in the room."
    )
    track_timeout: Duration = Field(
        10.0, gt=0, description="Time limit from the agent in the room to its microphone track."
    )
    greeting_timeout: Duration = Field(
        20.0, gt=0, description="Time limit from the microphone track to the end of the greeting."
    )
    reply_timeout: Duration = Field(
        10.0,
        gt=0,
        description="Time limit from the end of the caller's speech to the first sound of the "
        "reply.",
    )
    deadline: Duration = Field(
        default_factory=lambda config: shortest_deadline_s(needed_s(config)),
        gt=0,
        description=(
            "Time limit of the whole call, after which it is ended and counts as failed. Not set: "
            "derived from waits, utterances and the longest replies, at least 3m; a shorter one "
            "is refused."
        ),
    )

    budget: BudgetConfig = Field(default=BudgetConfig(), description="Daily budget of these calls.")
    windows: tuple[WindowConfig, ...] = Field(
        (), description="Time windows in which calls may start; none: at any time."
    )

    @property
    def does(self) -> ScenarioConfig | None:
        """What happens in its calls, if not what happens in every call."""
        return None

    @property
    def account(self) -> TargetKey:
        """The key of the target whose budget pays for it."""
        return self.key

    @property
    def turns(self) -> int:
        """Turns that one call takes; the warm-up turn counts."""
        if self.endurance is not None:
            return self.endurance.most_turns + self.warmup
        return len(self.script) or self.trials + self.warmup

    @property
    def most(self) -> tuple[int, float]:
        """Turns of the agent and seconds that one call has at most."""
        answers = self.trials if self.does is not None and self.does.answers else 0
        return self.turns + answers, self.deadline

    @property
    def measured(self) -> int:
        """Turns that one call is to measure."""
        if self.endurance is not None:
            return self.endurance.most_turns
        return len(self.script) - self.warms_up if self.script else self.trials

    @property
    def warms_up(self) -> bool:
        """Whether a turn is a warm-up; the only step of a script is none."""
        return self.warmup and len(self.script) != 1

    @property
    def expects(self) -> int:
        """How many things the script expects in a call."""
        return sum(len(step.expect.kinds) for step in self.script)

    @property
    def stops_at(self) -> frozenset[str]:
        """Kinds of participants that end the call when one joins."""
        kinds = {step.expect.joins for step in self.script if self.stop_at == "joins"}
        return frozenset(kind for kind in kinds if kind is not None)

    @property
    def says(self) -> tuple[Utterance, ...]:
        """What the caller says, in turn."""
        return self.script or self.utterances or (self.utterance,)

    @property
    def key(self) -> TargetKey:
        """What tells this target from all others."""
        return self.agent_name, self.call_type, self.scenario

    @rule
    def _has_a_name(self) -> Faults:
        if not self.agent_name and self.dispatch != "automatic":
            yield invalid("required unless dispatch is automatic", "agent_name")

    @rule
    def _has_one_way_in(self) -> Faults:
        return one_way_in(self.token, self.dispatch, self.metadata, self.model_fields_set)

    @rule
    def _fails_above_target(self) -> Faults:
        return above(self, "fail_ms", "target_ms")

    @rule
    def _says_one_thing(self) -> Faults:
        one = self.utterance != Utterance()
        if self.utterances and one:
            yield invalid("conflicts with utterance; expected one of them", "utterances")
        if self.script and self.endurance is not None:
            yield invalid("conflicts with script; expected one of them", "endurance")
        if self.script and (self.utterances or one):
            yield invalid("conflicts with utterance and utterances; expected one of them", "script")

    @rule
    def _stops_somewhere(self) -> Faults:
        if self.stop_at == "joins" and not self.stops_at:
            yield invalid("{value} needs a step of the script that expects joins", "stop_at")

    @rule
    def _deadline_holds_call(self) -> Faults:
        return holds_needed(self.deadline, needed_s(vars(self)), "call")

    @rule
    def _budget_holds_turns(self) -> Faults:
        return self.budget.holds_turns(self.most[0])

    @rule
    def _budget_holds_seconds(self) -> Faults:
        return self.budget.holds_seconds(self.deadline)


def as_target(config: BaseModel) -> LatencyConfig | None:
    """Return a configuration as the target that it is; None for that of a probe of the server."""
    return config if isinstance(config, LatencyConfig) else None


PROBE = Probe(
    name="latency",
    config=LatencyConfig,
    measure="exporter.probes.latency.measure:place_call",
    lane="call",
    judge=judge,
    summary=summary,
    families=FAMILIES,
    reader=CallReader,
    configured=configured,
    labels=lambda target: dict(zip(KEY, target.key, strict=True)),
)
