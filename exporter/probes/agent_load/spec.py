"""Agent load: more and more real calls at one time, until a target breaks."""

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr

from exporter.config.rules import Faults, rule
from exporter.config.schedule import WindowConfig, holds_cap, needs_windows
from exporter.config.tiers import TierBounds
from exporter.config.values import Duration, Name, ProbeSection, Vantage, holds_needed, invalid
from exporter.outcome import AgentLoad, Finding, Outcome, Verdict, failure
from exporter.probe import Probe, always
from exporter.probes.agent_load import families
from exporter.probes.agent_load.judge import JudgedTier, PerCall, Targets, judge_tier
from exporter.probes.latency.deadline import needed_s
from exporter.probes.latency.endurance import EnduranceConfig
from exporter.probes.latency.scenarios.config import built_in
from exporter.probes.latency.scenarios.variants import variant_of
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.ramp.judge import Knee, KneeKind, find_knee
from exporter.roster.collector import CollectorConfig
from exporter.series import Reading

_BOUNDS = TierBounds(1, 200, most_tiers=20, unit="calls", example="1,2,4,8")
START_S = 60.0
"""For the processes of a tier to start."""
_AROUND_S = 120.0
"""What a call may take besides the time in which the caller asks, where no target is known."""


CallTiers = Annotated[
    tuple[int, ...], BeforeValidator(_BOUNDS.split), AfterValidator(_BOUNDS.check)
]
"""Calls at one time, from few to many."""


def _needed_s(config: Mapping[str, Any]) -> float:
    each = START_S + _AROUND_S + config.get("duration", 0.0)
    return float(ceil(_AROUND_S + len(config.get("calls", ())) * each))


class AgentLoadConfig(ProbeSection):
    """The load on an agent: its capacity in calls at one time. Every turn costs money.

    By `agent-load`, and in the daemon only where it is enabled, with windows and a cap. It is
    charged to the `budget` of the target with that name, and refused if it may exceed it.
    """

    enabled: bool = Field(
        False, description="Load the agent on a schedule; needs agent_name, windows and max_calls."
    )
    agent_name: Name = Field(
        "", description="The agent; called as the target with this name, if there is one."
    )
    call_type: Name = Field(
        "default", min_length=1, description="Call type of the target that says how to call."
    )
    vantage: Vantage = Field("", description="Value of the label vantage; that of `sfu` if empty.")
    interval: Duration = Field(86400.0, ge=600, description="Time between two loads.")
    windows: tuple[WindowConfig, ...] = Field(
        (), description="Time windows in which scheduled loads may start."
    )
    max_calls: int | None = Field(
        None,
        ge=1,
        le=_BOUNDS.most,
        description="Maximum number of calls at one time, for every load.",
    )
    calls: CallTiers = Field(
        (1, 2, 4, 8), min_length=1, description="Calls at one time in each tier, increasing."
    )
    duration: Duration = Field(
        60.0, ge=5, le=3600, description="Time in each tier in which the callers ask."
    )
    needed_calls: int | None = Field(
        None,
        ge=1,
        le=_BOUNDS.most,
        description="Calls at one time that the agent must carry; VoiceAgentKneeBelowNeeded fires "
        "if the last load found fewer. Not set: no alert.",
    )
    target_ms: float = Field(
        1500, gt=0, description="95th percentile of the latency above which a tier breaks."
    )
    max_yield_ms: float | None = Field(
        None,
        gt=0,
        description="95th percentile of the time to yield above which a tier breaks. The callers "
        "interrupt the agent only if it is set.",
    )
    max_failed: float = Field(
        1.0,
        ge=0,
        le=100,
        description="Percent of turns and calls that failed above which a tier breaks.",
    )
    calls_per_process: int = Field(
        1,
        ge=1,
        le=10,
        description="Calls per process of the prober. More need less memory, and make each other "
        "late.",
    )
    deadline: Duration = Field(
        default_factory=_needed_s,
        gt=0,
        description="Time limit of a load. Not set: derived from the tiers; a shorter one is "
        "refused.",
    )

    _target: LatencyConfig | None = PrivateAttr(None)
    _collector: CollectorConfig | None = PrivateAttr(None)

    @rule
    def _has_a_cap(self) -> Faults:
        largest, cap = ("calls", self.calls[-1]), ("max_calls", self.max_calls)
        return holds_cap(self.enabled, largest, cap, "calls")

    @rule
    def _reaches_needed(self) -> Faults:
        if self.needed_calls is not None and self.calls[-1] < self.needed_calls:
            yield invalid(
                f"{{value}} is above the largest tier; expected at most {self.calls[-1]}, or a "
                "larger tier in calls",
                "needed_calls",
            )

    @rule
    def _has_windows(self) -> Faults:
        return needs_windows(self.enabled, self.windows)

    @rule
    def _has_an_agent(self) -> Faults:
        if self.enabled and not self.agent_name:
            yield invalid("needs agent_name; expected the name of an agent", "enabled")

    @rule
    def _deadline_holds_load(self) -> Faults:
        return holds_needed(self.deadline, _needed_s(vars(self)), "load")

    def at(
        self, vantage: str, target: LatencyConfig | None, collector: CollectorConfig
    ) -> "AgentLoadConfig":
        """Return this load with what other sections say.

        Args:
            vantage: Of the baselines, where it has none of its own.
            target: How the agent is called.
            collector: The exporter that knows its workers.
        """
        found = self.model_copy(update={} if self.vantage else {"vantage": vantage})
        found._target = target  # noqa: SLF001 - of the same class
        found._collector = collector if collector.url else None  # noqa: SLF001
        return found

    @property
    def collector(self) -> CollectorConfig | None:
        """The exporter that knows the agent's workers; None: nobody does."""
        return self._collector

    @property
    def targets(self) -> Targets:
        """What a tier must hold."""
        return Targets(self.target_ms, self.max_yield_ms, self.max_failed)

    @property
    def scenario(self) -> str:
        """The label: callers interrupt where the time to yield has a threshold."""
        return "default" if self.max_yield_ms is None else "barge_in"

    def call(self) -> LatencyConfig:
        """Return how each call is made: as the target, for the duration, without a script."""
        target = self._target or LatencyConfig(agent_name=self.agent_name)
        changes: dict[str, Any] = {
            "endurance": EnduranceConfig(length=self.duration, ask_every=0),
            "script": (),
            "stop_at": "none",
            "room_name": None,
            "scenarios": (),
        }
        target = target.model_copy(update=changes)
        if self.max_yield_ms is not None:
            target = variant_of(target, built_in("barge_in")).model_copy(update=changes)
        return target.model_copy(update={"deadline": needed_s(vars(target))})

    def labels(self) -> dict[str, str]:
        """Return the labels of what it shows, besides its vantage."""
        return {
            "agent_name": self.agent_name,
            "call_type": self.call_type,
            "scenario": self.scenario,
        }


def judged_tiers(config: AgentLoadConfig, outcome: Outcome) -> tuple[JudgedTier, ...]:
    """Judge each tier of a load."""
    tiers = outcome.result.tiers if isinstance(outcome.result, AgentLoad) else ()
    return tuple(judge_tier(tier, config.targets) for tier in tiers)


def agent_knee(config: AgentLoadConfig, outcome: Outcome) -> Knee:
    """Return the knee that a load found, or why it found none."""
    return find_knee(judged_tiers(config, outcome), complete=outcome.ok, unit="calls")


def judge(config: AgentLoadConfig, outcome: Outcome) -> tuple[Finding, ...]:
    """Judge a load.

    A knee is what it looks for and no fault. FAIL when it could not be made, or no turn of its
    first tier was answered; SLOW when not even that tier held; UNKNOWN when the prober was the
    limit in that one already.
    """
    return tuple(_findings(config, outcome))


def _findings(config: AgentLoadConfig, outcome: Outcome) -> Iterator[Finding]:
    yield from failure(outcome)
    tiers = judged_tiers(config, outcome)
    kind = agent_knee(config, outcome).kind
    if kind is KneeKind.BELOW_FIRST:
        verdict = Verdict.SLOW if tiers[0].e2e.n else Verdict.FAIL  # nobody was answered
        for broken in tiers[0].broken:
            yield Finding(verdict, f"{tiers[0].clients} calls: {broken}")
    elif tiers and tiers[0].limited:
        for limit in tiers[0].limits:
            yield Finding(Verdict.UNKNOWN, f"{tiers[0].clients} calls: {limit}")


def configured(config: AgentLoadConfig) -> Iterator[Reading]:
    """Show what the agent must carry."""
    if config.needed_calls is not None:
        yield families.NEEDED.read(config.needed_calls, **config.labels())


def summary(result: AgentLoad) -> str:
    """Say how far it came."""
    if not result.tiers:
        return "no tier was measured"
    return f"{len(result.tiers)} tiers, {result.tiers[-1].calls} calls in the last"


def readings(config: AgentLoadConfig, outcome: Outcome) -> Iterator[Reading]:
    """Show a load, as far as it came; not of an agent that a reload meanwhile has replaced."""
    tiers, labels = judged_tiers(config, outcome), config.labels()
    if not tiers or not isinstance(outcome.result, AgentLoad):
        return
    if labels != {name: getattr(outcome.result, name) for name in labels}:
        return
    knee = agent_knee(config, outcome)
    yield families.TIMESTAMP.read(outcome.started_at.timestamp(), **labels)
    yield families.LIMITED.read(knee.kind is KneeKind.LIMITED, **labels)
    if knee.clients is not None:
        yield families.KNEE.read(knee.clients, **labels)
    good = [tier.clients for tier in tiers if tier.held and not tier.limited]
    yield families.CALLS_MAX.read(max(good, default=0), **labels)
    for tier in tiers:
        if tier.e2e.tail_s is not None:
            yield families.E2E.read(tier.e2e.tail_s * 1000, **labels, calls=str(tier.clients))
    cost = PerCall.of(outcome.result.tiers)
    if cost.memory_bytes is not None:
        yield families.MEMORY.read(cost.memory_bytes, **labels)
    if cost.cpu_cores is not None:
        yield families.CPU.read(cost.cpu_cores, **labels)


PROBE = Probe(
    name="agent_load",
    config=AgentLoadConfig,
    measure="exporter.probes.agent_load.measure:load",
    lane="call",
    alone=True,
    judge=judge,
    summary=summary,
    families=families.FAMILIES,
    configured=configured,
    reader=always(readings),
    labels=lambda config: {"vantage": config.vantage} if config.vantage else {},
)
