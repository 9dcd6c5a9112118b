"""Ramps: load the SFU with an increasing number of clients until a target breaks."""

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from exporter.config.rules import Faults, rule
from exporter.config.schedule import WindowConfig, holds_cap, needs_windows
from exporter.config.tiers import TierBounds
from exporter.config.values import Duration, ProbeSection, Vantage, holds_needed
from exporter.outcome import Finding, Outcome, Ramp, Verdict, failure
from exporter.probe import Probe, always
from exporter.probes.ramp.families import FAMILIES
from exporter.probes.ramp.figures import MOST_TIERS, RampFigures
from exporter.probes.ramp.judge import JudgedTier, Knee, KneeKind, Targets, find_knee, judge_tier
from exporter.probes.ramp.summary import TierSummary
from exporter.series import Reading

_START_S, _TIER_S = 40.0, 75.0
"""What a ramp may take beyond what is configured: to begin and end, and to connect each tier."""
_BOUNDS = TierBounds(2, 10_000, MOST_TIERS, "clients", example="2,10,25")


def _needed_s(config: Mapping[str, Any]) -> float:
    """Return the seconds that a ramp may take."""
    return float(
        ceil(_START_S + len(config.get("tiers", ())) * (_TIER_S + config.get("duration", 0.0)))
    )


Tiers = Annotated[tuple[int, ...], BeforeValidator(_BOUNDS.split), AfterValidator(_BOUNDS.check)]
"""Clients at one time, from few to many."""


class RampConfig(ProbeSection):
    """The ramp: the capacity of the SFU in clients. It is a load test.

    By `sfu --load`, and in the daemon only where it is enabled, with windows and a cap.
    """

    enabled: bool = Field(
        False, description="Run ramps on a schedule; needs windows and max_clients."
    )
    vantage: Vantage = Field("", description="Value of the label vantage; that of `sfu` if empty.")
    interval: Duration = Field(86400.0, ge=600, description="Time between two ramps.")
    windows: tuple[WindowConfig, ...] = Field(
        (), description="Time windows in which scheduled ramps may start."
    )
    max_clients: int | None = Field(
        None,
        ge=_BOUNDS.fewest,
        le=_BOUNDS.most,
        description="Maximum number of clients in a tier, for every ramp.",
    )
    tiers: Tiers = Field(
        (2, 10, 25, 50), min_length=1, description="Clients in each tier, increasing."
    )
    duration: Duration = Field(20.0, ge=1, le=3600, description="Duration of each tier.")
    target_rtt_ms: float = Field(
        100,
        gt=0,
        description="95th percentile of the round trips above which a tier breaks.",
    )
    max_loss: float = Field(
        1.0,
        ge=0,
        le=100,
        description="Packet loss above which a tier breaks: percent of audio packets from client "
        "to client.",
    )
    max_failed: float = Field(
        1.0,
        ge=0,
        le=100,
        description="Percent of clients not connected at the end of a tier above which it breaks.",
    )
    ping_interval: Duration = Field(
        0.5, ge=0.1, le=10, description="Time between two data messages of a client."
    )
    connect_timeout: Duration = Field(
        10.0, ge=1, le=30, description="Time limit to connect one client."
    )
    clients_per_process: int = Field(
        10,
        ge=_BOUNDS.fewest,
        le=20,
        description="Clients per process of the prober. The SDK delivers every event to all "
        "clients of a process.",
    )
    deadline: Duration = Field(
        default_factory=_needed_s,
        gt=0,
        description=(
            "Time limit of a ramp. Not set: derived from the tiers; a shorter one is refused."
        ),
    )

    @rule
    def _has_a_cap(self) -> Faults:
        largest, cap = ("tiers", self.tiers[-1]), ("max_clients", self.max_clients)
        return holds_cap(self.enabled, largest, cap, "clients")

    @rule
    def _has_windows(self) -> Faults:
        return needs_windows(self.enabled, self.windows)

    @rule
    def _deadline_holds_ramp(self) -> Faults:
        return holds_needed(self.deadline, _needed_s(vars(self)), "ramp")

    @property
    def targets(self) -> Targets:
        """What a tier must hold."""
        return Targets(self.target_rtt_ms, self.max_loss, self.max_failed)

    def at(self, vantage: str) -> "RampConfig":
        """Return this ramp with a vantage, where it has none of its own."""
        return self if self.vantage else self.model_copy(update={"vantage": vantage})


def judged_tiers(config: RampConfig, outcome: Outcome) -> tuple[JudgedTier, ...]:
    """Judge each tier of a ramp."""
    found = outcome.result
    tiers = found.tiers if isinstance(found, Ramp) else ()
    return tuple(judge_tier(TierSummary.of(tier), config.targets) for tier in tiers)


def ramp_knee(config: RampConfig, outcome: Outcome) -> Knee:
    """Return the knee that a ramp found, or why it found none."""
    return find_knee(judged_tiers(config, outcome), complete=outcome.ok)


def judge(config: RampConfig, outcome: Outcome) -> tuple[Finding, ...]:
    """Judge a ramp.

    A knee is what a ramp looks for and no fault. FAIL when it could not be made; SLOW when not
    even its first tier held; UNKNOWN when the prober was the limit in that one already.
    """
    return tuple(_findings(config, outcome))


def _findings(config: RampConfig, outcome: Outcome) -> Iterator[Finding]:
    for failed in failure(outcome):
        yield Finding(failed.verdict, f"ramp: {failed.text}")
    tiers = judged_tiers(config, outcome)
    kind = ramp_knee(config, outcome).kind
    if kind is KneeKind.BELOW_FIRST:
        for broken in tiers[0].broken:
            yield Finding(Verdict.SLOW, f"{tiers[0].clients} clients: {broken}")
    elif kind is KneeKind.LIMITED:
        for limit in tiers[0].limits:
            yield Finding(Verdict.UNKNOWN, f"{tiers[0].clients} clients: {limit}")


def summary(result: Ramp) -> str:
    """Say how far it came."""
    if not result.tiers:
        return "no tier was measured"
    last = result.tiers[-1]
    connected = sum(each.reason is None for each in last.members)
    return f"{len(result.tiers)} tiers, {connected} of {last.clients} clients in the last"


def figures_of(config: RampConfig, outcome: Outcome) -> RampFigures | None:
    """Return what is kept of a ramp; None if no tier was measured."""
    tiers = judged_tiers(config, outcome)
    if not tiers:
        return None
    return RampFigures.of(config.vantage, outcome.started_at, tiers, ramp_knee(config, outcome))


def readings(config: RampConfig, outcome: Outcome) -> Iterator[Reading]:
    """Show a ramp, as far as it came."""
    figures = figures_of(config, outcome)
    if figures is not None:
        yield from figures.readings()


PROBE = Probe(
    name="ramp",
    config=RampConfig,
    measure="exporter.probes.ramp.measure:climb",
    lane="call",
    alone=True,
    judge=judge,
    summary=summary,
    families=FAMILIES,
    reader=always(readings),
    labels=lambda config: {"vantage": config.vantage} if config.vantage else {},
)
