"""Load the SFU with clients of our own, more and more of them, until a target breaks."""

from collections.abc import Iterator, Mapping
from functools import partial
from itertools import pairwise
from math import ceil
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from exporter.config.schedule import WindowConfig
from exporter.config.values import Duration, ProbeSection, check_deadline, fault
from exporter.outcome import Finding, Outcome, Ramp, Verdict, failure
from exporter.probe import Probe, always
from exporter.probes.ramp.judge import JudgedTier, Knee, KneeKind, Targets, find_knee, judge_tier
from exporter.probes.ramp.summary import TierSummary
from exporter.series import Reading, family

_START_S, _TIER_S = 40.0, 75.0
"""What a ramp may take beyond what is configured: to begin and end, and to connect each tier."""
_FEWEST = 2
_MOST = 10_000


def _split(value: object) -> object:
    """Take numbers of clients from text such as `2,10,25,50`."""
    if isinstance(value, str):
        parts = [part.strip() for part in value.split(",")]
        if not all(part.isdecimal() for part in parts):
            raise fault("{value} is no list of tiers; expected numbers of clients such as 2,10,25")
        return tuple(int(part) for part in parts)
    return value


def _needed_s(config: Mapping[str, Any]) -> float:
    """Return the seconds that a ramp may take."""
    return float(
        ceil(_START_S + len(config.get("tiers", ())) * (_TIER_S + config.get("duration", 0.0)))
    )


def _check(tiers: tuple[int, ...]) -> tuple[int, ...]:
    if not all(_FEWEST <= clients <= _MOST for clients in tiers):
        raise fault(f"{{value}} has a tier out of bounds; expected {_FEWEST} to {_MOST} clients")
    if any(after <= before for before, after in pairwise(tiers)):
        raise fault("{value} does not grow; expected each tier above the one before")
    return tiers


Tiers = Annotated[tuple[int, ...], BeforeValidator(_split), AfterValidator(_check)]
"""Clients at one time, from few to many."""


class RampConfig(ProbeSection):
    """The ramp: how many clients the SFU carries. It loads the SFU on purpose.

    By `sfu --load`, and in the daemon only where it is enabled, with windows and a cap.
    """

    enabled: bool = Field(
        False, description="Ramp on a schedule, too; needs windows and max_clients."
    )
    vantage: str = Field("", description="Label: from where; that of `sfu` if empty.")
    interval: Duration = Field(86400.0, ge=600, description="Time between two ramps.")
    windows: tuple[WindowConfig, ...] = Field(
        (), description="Scheduled ramps start only inside any of these."
    )
    max_clients: int | None = Field(
        None,
        ge=_FEWEST,
        le=_MOST,
        description="No ramp, scheduled or not, has a tier of more clients.",
    )
    tiers: Tiers = Field(
        (2, 10, 25, 50), min_length=1, description="Clients at one time, from few to many."
    )
    duration: Duration = Field(20.0, ge=1, le=3600, description="How long each tier is held.")
    target_rtt_ms: float = Field(
        100,
        gt=0,
        description="A tier breaks above this 95th percentile of the round trips.",
    )
    max_loss: float = Field(
        1.0,
        ge=0,
        le=100,
        description="A tier breaks above this: percent of audio packets, client to client.",
    )
    max_failed: float = Field(
        1.0,
        ge=0,
        le=100,
        description="A tier breaks above this: percent of clients not connected to its end.",
    )
    ping_interval: Duration = Field(
        0.5, ge=0.1, le=10, description="Time between two data messages of one client."
    )
    connect_timeout: Duration = Field(10.0, ge=1, le=30, description="For one client to connect.")
    clients_per_process: int = Field(
        10,
        ge=_FEWEST,
        le=20,
        description="Clients in one process of the prober; the SDK hands every event to all.",
    )
    deadline: Duration = Field(
        default_factory=_needed_s,
        gt=0,
        description=(
            "A ramp that takes longer is ended. Not set: as long as the tiers may take; shorter "
            "is refused."
        ),
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.max_clients is not None and self.tiers[-1] > self.max_clients:
            raise fault(f"{{value}} is above max_clients, {self.max_clients}", "tiers")
        if self.enabled and not self.windows:
            raise fault(
                "is set without windows; expected the times at which load is allowed", "enabled"
            )
        if self.enabled and self.max_clients is None:
            raise fault(
                "is set without max_clients; expected the most clients that are allowed", "enabled"
            )
        check_deadline(self.deadline, _needed_s(vars(self)), "ramp")
        return self

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


_family = partial(family, "ramp")

KNEE = _family(
    "voice_knee_clients",
    "gauge",
    "vantage",
    "Clients at which the targets still held while the next tier of the last ramp broke one. "
    "Absent until a ramp found a knee, and when the last one found none: see "
    "voice_ramp_clients_max and voice_ramp_limited for why.",
)
CLIENTS_MAX = _family(
    "voice_ramp_clients_max",
    "gauge",
    "vantage",
    "Clients of the largest tier in the last ramp at which every target held and the prober "
    "was not the limit; 0 if there was none.",
)
RTT = _family(
    "voice_ramp_rtt_ms",
    "gauge",
    "vantage clients",
    "Round trips in each tier of the last ramp, in milliseconds: the 95th percentile, or the "
    "largest below 20. A message that was lost counts as 2000.",
)
LOSS = _family(
    "voice_ramp_packet_loss_ratio",
    "gauge",
    "vantage clients",
    "Share of audio packets lost from client to client in each tier of the last ramp, 0 to 1.",
)
LIMITED = _family(
    "voice_ramp_limited",
    "gauge",
    "vantage",
    "1 when the prober, not the SFU, was the limit of the last ramp: its knee is not known.",
)


def readings(config: RampConfig, outcome: Outcome) -> Iterator[Reading]:
    """Show a ramp, as far as it came."""
    tiers = judged_tiers(config, outcome)
    if not tiers:
        return
    knee = ramp_knee(config, outcome)
    yield LIMITED.read(knee.kind is KneeKind.LIMITED)
    if knee.clients is not None:
        yield KNEE.read(knee.clients)
    good = [tier.clients for tier in tiers if tier.held and not tier.limited]
    yield CLIENTS_MAX.read(max(good, default=0))
    for tier in tiers:
        clients = str(tier.clients)
        if tier.summary.rtt_tail_s is not None:
            yield RTT.read(tier.summary.rtt_tail_s * 1000, clients=clients)
        if tier.summary.loss_ratio is not None:
            yield LOSS.read(tier.summary.loss_ratio, clients=clients)


PROBE = Probe(
    name="ramp",
    config=RampConfig,
    measure="exporter.probes.ramp.measure:climb",
    lane="call",
    judge=judge,
    summary=summary,
    families=(KNEE, CLIENTS_MAX, RTT, LOSS, LIMITED),
    reader=always(readings),
    labels=lambda config: {"vantage": config.vantage} if config.vantage else {},
)
