"""The checklist of the ways to the SFU: what is judged how, and what is said."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exporter.outcome import Certificate, Outcome, Reason, SfuReach, Transport, verdict_of
from exporter.probes.reach.spec import ReachConfig, checklist, judge
from tests.unit.calls import WHEN, judged

CONFIG = ReachConfig()
UDP = Transport("udp", works=True, offered=("192.0.2.9:7882",), seconds=0.3)
TCP = Transport("tcp", works=True, offered=("192.0.2.9:7881",), seconds=0.6)
TURN = Transport("turn", works=False, offered=())
NO_UDP = Transport("udp", works=False, offered=UDP.offered, detail="media uses TCP")
NO_TCP = Transport("tcp", works=False, offered=TCP.offered, detail="no transport worked")


def outcome(*transports: Transport, **changes: Any) -> Outcome:
    """Return a round over these ways, else well."""
    facts: dict[str, Any] = {"certificates": (), "clock_skew_s": 0.0} | changes
    result = SfuReach(0.05, "1.13.5", transports or (UDP, TCP, TURN), **facts)
    return judged(Outcome("reach", "", WHEN, 3.0, result=result))


def told(found: Outcome) -> dict[str, tuple[str, str]]:
    """Return verdict and words of each item."""
    return {item.check: (str(item.verdict), item.detail) for item in checklist(CONFIG, found)}


def test_all_is_well() -> None:
    """Every item is told; TURN that the server does not offer is no fault of the network."""
    items = told(outcome())
    assert list(items) == ["signal", "rights", "udp", "tcp", "turn", "certificate", "clock"]
    assert items["signal"][1] == "answers in 50 ms, livekit-server 1.13.5"
    assert items["udp"] == ("PASS", "media flows in 0.30 s (192.0.2.9:7882)")
    assert items["turn"][0] == "PASS"
    assert items["turn"][1].startswith("not offered by the server")
    assert verdict_of(judge(CONFIG, outcome())) == "PASS"


def test_udp_that_is_blocked_names_its_ports() -> None:
    """Calls work by TCP: SLOW, with what to open."""
    found = outcome(NO_UDP, TCP, TURN)
    assert told(found)["udp"] == (
        "SLOW",
        (
            "does not work: media uses TCP; open UDP to 192.0.2.9:7882 "
            "(the server's rtc.udp_port, or all of its rtc.port_range)"
        ),
    )
    assert verdict_of(judge(CONFIG, found)) == "SLOW"


def test_a_missing_way_back_is_told_and_no_fault() -> None:
    """Where UDP works calls are well without TCP, and the item says what to open."""
    found = outcome(UDP, NO_TCP, TURN)
    verdict, said = told(found)["tcp"]
    assert verdict == "PASS"
    assert said.endswith("open TCP to 192.0.2.9:7881 (the server's rtc.tcp_port)")
    assert verdict_of(judge(CONFIG, found)) == "PASS"


def test_no_way_at_all() -> None:
    """Without any way for media no call works."""
    found = outcome(NO_UDP, NO_TCP, TURN)
    assert told(found)["udp"][0] == told(found)["tcp"][0] == "FAIL"
    assert verdict_of(judge(CONFIG, found)) == "FAIL"


@pytest.mark.parametrize(
    ("certificate", "verdict"),
    [
        (Certificate("h:443", datetime.now(UTC) + timedelta(days=60)), "PASS"),
        (Certificate("h:443", datetime.now(UTC) + timedelta(days=3)), "SLOW"),
        (Certificate("h:443", fault="certificate has expired"), "FAIL"),
    ],
)
def test_certificates(certificate: Certificate, verdict: str) -> None:
    """One that ends soon is told before it ends; one that is not trusted ends calls."""
    assert told(outcome(certificates=(certificate,)))["certificate"][0] == verdict


@pytest.mark.parametrize(("skew_s", "verdict"), [(0.0, "PASS"), (-9.0, "PASS"), (-60.0, "SLOW")])
def test_clocks(skew_s: float, verdict: str) -> None:
    """Either clock may be ahead; tokens of a wrong time are refused."""
    assert told(outcome(clock_skew_s=skew_s))["clock"][0] == verdict


@pytest.mark.parametrize(
    ("reason", "check"), [(Reason.CONNECT_FAILED, "signal"), (Reason.AUTH_FAILED, "rights")]
)
def test_a_round_that_could_not_be_made(reason: Reason, check: str) -> None:
    """The item that failed is told alone, with the reason."""
    found = judged(Outcome("reach", "", WHEN, 1.0, reason, "why"))
    assert told(found) == {check: ("FAIL", f"{reason}: why")}
