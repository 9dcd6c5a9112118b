"""Try every way to the SFU on purpose: signalling, UDP, TCP and TURN."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from math import ceil
from typing import Any

from pydantic import Field

from exporter.config.rules import Faults, rule
from exporter.config.values import Duration, ProbeSection, holds_needed
from exporter.outcome import (
    Certificate,
    Finding,
    Outcome,
    Reason,
    SfuReach,
    Transport,
    Verdict,
    failure,
)
from exporter.probe import Probe, always
from exporter.series import Reading, family

CLEANUP_S = 5.0
"""Kept back from the deadline, so that the room is deleted."""
_SHORTEST_DEADLINE_S = 60.0
_AROUND_S = 10.0 + CLEANUP_S
"""To make and list the room, and to leave it."""
_TIMEOUTS = 4
"""One after the other: signalling, a way to connect and to settle, the certificates."""
_DAY_S = 86400.0


def _needed_s(config: Mapping[str, Any]) -> float:
    """Return the seconds that a round may take."""
    return float(ceil(_AROUND_S + _TIMEOUTS * config.get("timeout", 0.0)))


class ReachConfig(ProbeSection):
    """Tests of the transports to the SFU from this host."""

    enabled: bool = Field(True, description="Test the transports on a schedule.")
    interval: Duration = Field(900.0, ge=10, description="Time between two tests.")
    timeout: Duration = Field(
        8.0, gt=0, le=60, description="Time limit to connect by one transport."
    )
    warn_before: Duration = Field(
        14 * 86400.0,
        ge=0,
        description="Remaining validity of a certificate below which the verdict is SLOW.",
    )
    max_skew: Duration = Field(
        10.0,
        gt=0,
        description="Difference to the server's clock above which the verdict is SLOW, because "
        "tokens contain times.",
    )
    deadline: Duration = Field(
        default_factory=lambda config: max(_SHORTEST_DEADLINE_S, _needed_s(config)),
        gt=0,
        description=(
            "Time limit of a test. Not set: derived from `timeout`, at least 1m; a shorter one is "
            "refused."
        ),
    )

    @rule
    def _deadline_holds_test(self) -> Faults:
        return holds_needed(self.deadline, _needed_s(vars(self)), "test")


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the checklist."""

    check: str
    """signal, rights, udp, tcp, turn, certificate or clock."""
    verdict: Verdict
    detail: str
    """What was found and, unless it is well, what to do."""


def judge(config: ReachConfig, outcome: Outcome) -> tuple[Finding, ...]:
    """Judge a round: every item of its checklist that does not pass."""
    items = checklist(config, outcome)
    return tuple(
        Finding(each.verdict, f"{each.check}: {each.detail}")
        for each in items
        if each.verdict is not Verdict.PASS
    )


def checklist(config: ReachConfig, outcome: Outcome) -> tuple[Item, ...]:
    """Return the checklist of a round.

    FAIL where calls from here cannot work. SLOW where they work and something is wrong all the
    same: UDP blocked, a certificate about to end, clocks that differ. TCP and TURN are ways for
    clients that have no other: without them the item says so and passes.
    """
    result = outcome.result
    if not isinstance(result, SfuReach):
        check = "rights" if outcome.reason is Reason.AUTH_FAILED else "signal"
        return tuple(Item(check, failed.verdict, failed.text) for failed in failure(outcome))
    return tuple(_items(config, result))


def _items(config: ReachConfig, result: SfuReach) -> Iterator[Item]:
    signal = f"answers in {result.signal_s * 1000:.0f} ms, livekit-server {result.server_version}"
    if result.node_id:
        signal += f", node {result.node_id}" + (f" in {result.region}" if result.region else "")
    yield Item("signal", Verdict.PASS, signal)
    yield Item("rights", Verdict.PASS, "may create, list and join rooms")
    any_way = any(each.works for each in result.transports)
    for each in result.transports:
        yield _transport(each, any_way=any_way)
    if not result.certificates:
        yield Item("certificate", Verdict.PASS, "none: the connection is not encrypted by TLS")
    for certificate in result.certificates:
        yield certificate_item(config, certificate)
    if result.clock_skew_s is not None:
        late = abs(result.clock_skew_s) > config.max_skew
        said = f"{abs(result.clock_skew_s):.0f} s from the server's"
        if late:
            said += ": synchronize this host's clock by NTP, because tokens contain times"
        yield Item("clock", Verdict.SLOW if late else Verdict.PASS, said)


_OPEN = {
    "udp": "the server's rtc.udp_port, or all of its rtc.port_range",
    "tcp": "the server's rtc.tcp_port",
    "turn": "the server's turn.udp_port and turn.tls_port",
}


def _transport(transport: Transport, *, any_way: bool) -> Item:
    name = transport.name
    to = ", ".join(transport.offered)
    if transport.works:
        took = f" in {transport.seconds:.2f} s" if transport.seconds is not None else ""
        return Item(name, Verdict.PASS, f"media flows{took}" + (f" ({to})" if to else ""))
    if name == "turn" and not transport.offered:
        return Item(
            name, Verdict.PASS, "not offered by the server; some firewalls allow no other transport"
        )
    alone = Verdict.SLOW if name == "udp" else Verdict.PASS
    said = f"does not work: {transport.detail}; open {name.upper()} to {to or 'the server'}"
    return Item(name, alone if any_way else Verdict.FAIL, f"{said} ({_OPEN[name]})")


def certificate_item(config: ReachConfig, certificate: Certificate) -> Item:
    """Judge one certificate: whether it is trusted, and for how long it is valid."""
    if certificate.expires_at is None:
        return Item("certificate", Verdict.FAIL, f"{certificate.place}: {certificate.fault}")
    left_s = (certificate.expires_at - datetime.now(UTC)).total_seconds()
    soon = left_s < config.warn_before
    said = f"{certificate.place}: expires in {left_s / _DAY_S:.0f} days"
    return Item("certificate", Verdict.SLOW if soon else Verdict.PASS, said)


def summary(result: SfuReach) -> str:
    """Say which ways are open."""
    works = [each.name for each in result.transports if each.works]
    return f"open: {', '.join(works) or 'none'}; signal {result.signal_s * 1000:.0f} ms"


_family = partial(family, "sfu")

TRANSPORT_UP = _family(
    "voice_sfu_transport_up",
    "gauge",
    "vantage transport",
    "1 for each transport to the SFU that works from this host, 0 for one that does not (udp tcp "
    "turn). Absent if the last run failed.",
)
EXPIRY = _family(
    "voice_sfu_certificate_expiry_timestamp_seconds",
    "gauge",
    "vantage",
    "Unix time at which the first TLS certificate of the server or its TURN servers expires. "
    "Absent without TLS.",
)
SKEW = _family(
    "voice_sfu_clock_skew_seconds",
    "gauge",
    "vantage",
    "Server clock minus the clock of this host, 0 if they agree within a second.",
)


SERVER_INFO = _family(
    "voice_sfu_server_info",
    "gauge",
    "vantage version region node",
    "Constant 1, with version, region and id of the node that took the join of the last test; "
    "region and node are empty if the server does not name them. Absent if the last run failed.",
)


def readings(_config: ReachConfig, outcome: Outcome) -> Iterator[Reading]:
    """Show which ways are open; a way that was open once may be shut now."""
    result = outcome.result
    if not isinstance(result, SfuReach):
        return
    for each in result.transports:
        yield TRANSPORT_UP.read(each.works, transport=each.name)
    ends = [each.expires_at for each in result.certificates if each.expires_at is not None]
    if ends:
        yield EXPIRY.read(min(ends).timestamp())
    if result.clock_skew_s is not None:
        yield SKEW.read(result.clock_skew_s)
    yield SERVER_INFO.read(
        1, version=result.server_version, region=result.region, node=result.node_id
    )


PROBE = Probe(
    name="reach",
    config=ReachConfig,
    measure="exporter.probes.reach.measure:measure_reach",
    lane="call",
    judge=judge,
    summary=summary,
    families=(TRANSPORT_UP, EXPIRY, SKEW, SERVER_INFO),
    reader=always(readings),
)
