"""Baselines: measure the network path between this host and the SFU with two test participants."""

import statistics
from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

from pydantic import Field

from exporter.config.rules import Faults, rule
from exporter.config.values import Duration, ProbeSection, Vantage, above, holds_needed
from exporter.outcome import Finding, Outcome, Reconnect, SfuBaseline, Verdict, failure
from exporter.probe import Probe, always
from exporter.probes.sfu.families import FAMILIES, configured, readings

CLEANUP_S = 5.0
"""Kept back from the deadline, so that the room is deleted and what was measured is told."""
MAX_VOID = 0.5
"""Share of messages that our own lateness may spoil."""

_SHORTEST_DEADLINE_S = 60.0
_AROUND_S = 30.0 + CLEANUP_S
"""To connect two participants, and to leave."""
_PACKETS_PER_S = 50
"""Of each track."""
_LEAST_S, _PACE = 0.05, 1.2
"""Between two messages: at least so long, and so many round trips."""


def _needed_s(config: Mapping[str, Any]) -> float:
    """Return the seconds that a baseline may take over a way that is as slow as its target."""
    message_s = max(_LEAST_S, _PACE * config.get("target_rtt_ms", 0.0) / 1000)
    messages_s = config.get("pings", 0) * message_s / (1 - MAX_VOID)
    packets_s = config.get("packets", 0) / (_PACKETS_PER_S * config.get("tracks", 1))
    return float(ceil(_AROUND_S + max(messages_s, packets_s)))


class SfuConfig(ProbeSection):
    """Baselines of the network path to the SFU. They call no agent, so providers charge nothing."""

    enabled: bool = Field(True, description="Measure baselines on a schedule.")
    vantage: Vantage = Field(
        "default",
        min_length=1,
        description="Value of the label vantage: the place of this exporter, such as `iad`.",
    )
    interval: Duration = Field(60.0, ge=10, description="Time between two baselines.")
    pings: int = Field(
        50,
        ge=1,
        le=10_000,
        description="Minimum number of data messages to measure the round trip.",
    )
    packets: int = Field(
        2000,
        ge=50,
        le=1_000_000,
        description="Minimum number of RTP packets in each direction to measure loss.",
    )
    tracks: int = Field(
        4,
        ge=1,
        le=16,
        description="Number of Opus tracks that carry these packets, 50 per second each.",
    )
    target_rtt_ms: float = Field(
        100, gt=0, description="Median round trip above which the SFU is SLOW."
    )
    fail_rtt_ms: float | None = Field(
        None, gt=0, description="Median round trip above which the SFU is FAIL; not set: no limit."
    )
    target_jitter_ms: float = Field(
        30, gt=0, description="Interarrival jitter in either direction above which the SFU is SLOW."
    )
    max_loss: float = Field(
        1.0,
        ge=0,
        le=100,
        description="Packet loss in percent, in either direction, above which the SFU is SLOW.",
    )
    fail_loss: float = Field(
        10.0,
        gt=0,
        le=100,
        description="Packet loss in percent, in either direction, above which the SFU is FAIL.",
    )
    deadline: Duration = Field(
        default_factory=lambda config: max(_SHORTEST_DEADLINE_S, _needed_s(config)),
        gt=0,
        description=(
            "Time limit of a baseline. Not set: derived from `pings` and `packets`, at least 1m; "
            "a shorter one is refused."
        ),
    )

    @rule
    def _fails_above_target(self) -> Faults:
        return above(self, "fail_rtt_ms", "target_rtt_ms")

    @rule
    def _fails_above_loss(self) -> Faults:
        return above(self, "fail_loss", "max_loss")

    @rule
    def _deadline_holds_baseline(self) -> Faults:
        return holds_needed(self.deadline, _needed_s(vars(self)), "baseline")


def judge(config: SfuConfig, outcome: Outcome) -> tuple[Finding, ...]:
    """Judge a baseline.

    FAIL when it could not be taken, a hard threshold is passed or a lost connection did not come
    back; SLOW when a target is passed, when a connection was lost and came back, which need not
    show as loss, or when media does not go by UDP, for calls work by TCP and TURN, but later;
    UNKNOWN when the prober spoiled it.
    """
    return tuple(_findings(config, outcome))


def _findings(config: SfuConfig, outcome: Outcome) -> Iterator[Finding]:
    yield from failure(outcome)
    result = outcome.result
    if not isinstance(result, SfuBaseline):
        return
    if result.round_trips_s:
        rtt_ms = statistics.median(result.round_trips_s) * 1000
        yield from _above("round trip", rtt_ms, "ms", config.target_rtt_ms, config.fail_rtt_ms)
    for direction, loss in (("up", result.loss_up), ("down", result.loss_down)):
        if loss is not None:
            lost_pct = loss.ratio * 100
            yield from _above(f"loss {direction}", lost_pct, "%", config.max_loss, config.fail_loss)
    for direction, jitter_s in (("up", result.jitter_up_s), ("down", result.jitter_down_s)):
        if jitter_s is not None:
            what = f"jitter {direction}"
            yield from _above(what, jitter_s * 1000, "ms", config.target_jitter_ms, None)
    yield from map(_lost, result.reconnects)
    if result.transport not in ("udp", ""):
        yield Finding(Verdict.SLOW, _no_udp(result))


def _above(
    what: str, value: float, unit: str, soft: float, hard: float | None
) -> Iterator[Finding]:
    if hard is not None and value > hard:
        yield Finding(Verdict.FAIL, f"{what} {value:.1f} {unit} is above {hard:g} {unit}")
    elif value > soft:
        yield Finding(Verdict.SLOW, f"{what} {value:.1f} {unit} is above {soft:g} {unit}")


def _lost(reconnect: Reconnect) -> Finding:
    """Say what came of a connection that was lost during a baseline."""
    verdict = Verdict.SLOW if reconnect.reason is None else Verdict.FAIL
    return Finding(verdict, reconnect.text)


def _no_udp(result: SfuBaseline) -> str:
    """Say that UDP is blocked, and which ports to open."""
    how = "TCP" if result.transport == "tcp" else "TURN"
    if not result.udp_addresses:
        return f"media uses {how} because the server offers no UDP: set its rtc.udp_port"
    told = ", ".join(result.udp_addresses)
    return (
        f"UDP is blocked, media uses {how}: open UDP to {told} (the server's rtc.udp_port, or all "
        "of its rtc.port_range)"
    )


def summary(result: SfuBaseline) -> str:
    """Say the round trip, the loss and the way of the media."""
    parts = []
    if result.round_trips_s:
        parts.append(f"round trip {statistics.median(result.round_trips_s) * 1000:.1f} ms")
    if result.loss_up is not None and result.loss_down is not None:
        lost_pct = (result.loss_up.ratio * 100, result.loss_down.ratio * 100)
        parts.append(f"loss {lost_pct[0]:.1f} % up, {lost_pct[1]:.1f} % down")
    if result.transport:
        parts.append(f"by {result.transport.upper()}")
    return ", ".join(parts) or "nothing measured"


PROBE = Probe(
    name="sfu",
    config=SfuConfig,
    measure="exporter.probes.sfu.measure:measure_baseline",
    lane="call",
    judge=judge,
    summary=summary,
    families=FAMILIES,
    reader=always(readings),
    configured=configured,
    labels=lambda config: {"vantage": config.vantage},
)
