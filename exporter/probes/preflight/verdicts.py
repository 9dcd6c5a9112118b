"""What the figures of the checklist mean, and what to do."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from exporter.outcome import Certificate, Transport, Verdict, worst
from exporter.probes.preflight.spec import Checked
from exporter.probes.reach.spec import ReachConfig, certificate_item

_SHORTEST_SECRET = 32
"""Characters: HMAC-SHA256 is as strong as its key, up to 256 bits."""
_DEVELOPMENT = ("devkey", "secret")
_REFUSES_S = 60.0
"""A token from a clock that is so far ahead is refused."""
_RARE = 3.0
"""The rule of three: of n that all went well, at most 3/n of all go wrong, at 95 % confidence."""
_SETTINGS = {
    "tcp": "rtc.tcp_port",
    "turn_udp": "turn.enabled and turn.udp_port",
    "turn_tls": "turn.enabled and turn.tls_port",
}
_OPEN = {
    "udp_ports": "the server's rtc.udp_port, or all of rtc.port_range_start to port_range_end",
    "tcp": "the server's rtc.tcp_port",
    "turn_udp": "the server's turn.udp_port",
    "turn_tls": "the server's turn.tls_port, with a certificate of a public authority: SDKs trust "
    "no other for TURN",
}


def judge_secret(key: str, secret: str) -> Checked:
    """Judge the API secret by its length: whoever has one token can try secrets at leisure."""
    if (key, secret) == _DEVELOPMENT:
        found = "the pair of `livekit-server --dev`, which everybody knows"
    elif len(secret) < _SHORTEST_SECRET:
        found = f"{len(secret)} characters"
    else:
        return Checked("secret", Verdict.PASS, f"{len(secret)} characters", 1)
    todo = f"make one of {_SHORTEST_SECRET} random characters: livekit-server generate-keys"
    return Checked("secret", Verdict.FAIL, found, 1, todo)


@dataclass(frozen=True, slots=True)
class UdpPorts:
    """What became of participants that connected at once by UDP."""

    worked: tuple[str, ...]
    """HOST:PORT of each that did."""
    failed: tuple[str, ...]
    """Why each of the others did not."""
    offered: tuple[str, ...]
    """HOST:PORT that the server named to them."""


def judge_udp(ports: UdpPorts, *, any_way: bool) -> Checked:
    """Judge the UDP ports by those that participants were given.

    Args:
        ports: What became of them.
        any_way: Media flows by some transport, so calls work all the same.
    """
    tried, used = len(ports.worked) + len(ports.failed), sorted(set(ports.worked))
    if ports.failed:
        found = f"{len(ports.worked)} of {tried} participants: {ports.failed[0]}"
        where = ", ".join(sorted(set(ports.offered) - set(used))) or "the server"
        todo = f"open UDP to {where} ({_OPEN['udp_ports']})"
        return Checked("udp_ports", Verdict.SLOW if any_way else Verdict.FAIL, found, tried, todo)
    if len(used) == 1:
        found = f"{tried} of {tried} participants, all at {used[0]}"
    else:
        share = min(1.0, _RARE / len(used))
        found = (
            f"{tried} of {tried} participants at {len(used)} ports ({', '.join(used)}); at most "
            f"{share:.0%} of the range can be shut (95 % confidence)"
        )
    return Checked("udp_ports", Verdict.PASS, found, tried)


def judge_way(check: str, way: Transport | None, *, any_way: bool) -> Checked:
    """Judge a way that is a fallback: without it calls work, from fewer networks.

    Args:
        check: tcp, turn_udp or turn_tls.
        way: None where the server does not offer it.
        any_way: Media flows by some transport.
    """
    if way is None:
        found = "not offered by the server: callers whose networks allow nothing else cannot call"
        return Checked(check, Verdict.SLOW, found, 1, f"set {_SETTINGS[check]}")
    to = ", ".join(way.offered) or "the server"
    if way.works:
        return Checked(check, Verdict.PASS, f"media flows in {way.seconds or 0:.2f} s ({to})", 1)
    todo = f"open {check.partition('_')[2].upper() or 'TCP'} to {to} ({_OPEN[check]})"
    verdict = Verdict.SLOW if any_way else Verdict.FAIL
    return Checked(check, verdict, f"does not work: {way.detail}", 1, todo)


def judge_round_trips(check: str, seconds: Sequence[float], target_s: float) -> Checked:
    """Judge the round trips of one transport against the target of the baselines."""
    if not seconds:
        return Checked(check, Verdict.UNKNOWN, "this transport was not measured")
    middle_s = median(seconds)
    found = f"median {middle_s * 1000:.0f} ms, max {max(seconds) * 1000:.0f} ms, by ICE"
    if middle_s <= target_s:
        return Checked(check, Verdict.PASS, found, len(seconds))
    todo = "run the server nearer to callers and agents, or use another provider"
    above = f"{found}; above {target_s * 1000:.0f} ms"
    return Checked(check, Verdict.SLOW, above, len(seconds), todo)


def judge_certificates(config: ReachConfig, certificates: Sequence[Certificate]) -> Checked:
    """Judge the certificates of server and TURN servers, as `reach` does."""
    if not certificates:
        found = "none: the connection is not encrypted by TLS"
        return Checked("certificate", Verdict.SLOW, found, 1, "use wss:// for callers elsewhere")
    items = [certificate_item(config, each) for each in certificates]
    verdict, found = worst(each.verdict for each in items), "; ".join(each.detail for each in items)
    todo = "" if verdict is Verdict.PASS else "renew or install it, with its whole chain"
    return Checked("certificate", verdict, found, len(items), todo)


def judge_clock(config: ReachConfig, skew_s: float | None) -> Checked:
    """Judge the difference of the clocks; beyond a minute tokens are refused."""
    if skew_s is None:
        return Checked("clock", Verdict.UNKNOWN, "no answer of the server has its time")
    late_s = abs(skew_s)
    verdict = Verdict.SLOW if late_s > config.max_skew else Verdict.PASS
    verdict = Verdict.FAIL if late_s > _REFUSES_S else verdict
    found = f"{late_s:.0f} s from the server's"
    todo = "" if verdict is Verdict.PASS else "synchronize both clocks by NTP"
    return Checked("clock", verdict, found, 1, todo)


def judge_addresses(host: str, resolved: Iterable[str], offered: Iterable[str]) -> Checked:
    """Judge whether clients elsewhere can reach the addresses that the server advertises."""
    check, places = "private_address", sorted(set(offered))
    hosts = [place.rpartition(":")[0].strip("[]") for place in places]
    if not places:
        return Checked(check, Verdict.UNKNOWN, "the server named no address for media")
    named = ", ".join(places)
    if not any(map(_is_public, resolved)):
        found = f"{host} itself is private, and advertises {named}"
        return Checked(check, Verdict.PASS, found, len(places))
    if any(map(_is_public, hosts)):
        return Checked(check, Verdict.PASS, f"{host} advertises {named}", len(places))
    todo = "set rtc.use_external_ip, or rtc.node_ip to the server's public address"
    found = f"{host} is public, and advertises private addresses only: {named}"
    return Checked(check, Verdict.FAIL, found, len(places), todo)


def _is_public(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.partition("%")[0]).is_global
    except ValueError:  # a name
        return False


def judge_bandwidth(up_kbit: float, down_kbit: float, lost: int, packets: int) -> Checked:
    """Judge what one client with one audio track uses, by what arrives of it."""
    found = (
        f"up {up_kbit:.0f} kbit/s, down {down_kbit:.0f} kbit/s, {lost} of {packets} packets lost"
    )
    if not packets:
        return Checked("bandwidth", Verdict.UNKNOWN, f"no packet arrived; {found}")
    if lost * 100 <= packets:
        return Checked("bandwidth", Verdict.PASS, found, packets)
    todo = "find where packets are lost: the link's capacity must be clients times this figure"
    return Checked("bandwidth", Verdict.SLOW, found, packets, todo)


def untried(checks: Iterable[str], why: str) -> Mapping[str, Checked]:
    """Return checks that could not be done."""
    return {check: Checked(check, Verdict.UNKNOWN, why) for check in checks}
