"""Thresholds over baselines."""

from dataclasses import replace

import pytest

from exporter.outcome import Loss, Outcome, Reason, Reconnect, SfuBaseline, verdict_of
from exporter.probes.sfu.spec import SfuConfig, _needed_s, judge, summary

from .baselines import GOOD, baseline, failed

CONFIG = SfuConfig(target_rtt_ms=100, fail_rtt_ms=300, max_loss=1, fail_loss=10)
LOST = "a connection was lost that nobody broke on purpose"


@pytest.mark.parametrize(
    ("outcome", "verdict", "said"),
    [
        (baseline(), "PASS", []),
        (
            baseline(round_trips_s=(0.09, 0.11, 0.12)),
            "SLOW",
            ["round trip 110.0 ms is above 100 ms"],
        ),
        (baseline(round_trips_s=(0.4,)), "FAIL", ["round trip 400.0 ms is above 300 ms"]),
        (baseline(loss_up=Loss(2000, 20)), "PASS", []),
        (baseline(loss_up=Loss(2000, 21)), "SLOW", ["loss up 1.1 % is above 1 %"]),
        (baseline(loss_up=Loss(100, 10)), "SLOW", ["loss up 10.0 % is above 1 %"]),
        (baseline(loss_down=Loss(100, 11)), "FAIL", ["loss down 11.0 % is above 10 %"]),
        (baseline(jitter_up_s=0.03, jitter_down_s=None), "PASS", []),
        (baseline(jitter_up_s=0.031), "SLOW", ["jitter up 31.0 ms is above 30 ms"]),
        (baseline(jitter_down_s=0.031), "SLOW", ["jitter down 31.0 ms is above 30 ms"]),
        (baseline(loss_up=None, loss_down=None, transport=""), "PASS", []),
        (
            baseline(transport="tcp"),
            "SLOW",
            [
                (
                    "UDP is blocked, media uses TCP: open UDP to 192.0.2.9:7882 "
                    "(the server's rtc.udp_port, or all of its rtc.port_range)"
                )
            ],
        ),
        (
            baseline(transport="turn", udp_addresses=("192.0.2.9:7882", "[2001:db8::9]:7882")),
            "SLOW",
            [
                (
                    "UDP is blocked, media uses TURN: open UDP to 192.0.2.9:7882, "
                    "[2001:db8::9]:7882 (the server's rtc.udp_port, or all of its rtc.port_range)"
                )
            ],
        ),
        (
            baseline(transport="turn", udp_addresses=()),
            "SLOW",
            ["media uses TURN because the server offers no UDP: set its rtc.udp_port"],
        ),
        (
            baseline(reconnects=(Reconnect("unprovoked", 34.4, 34.65),)),
            "SLOW",
            [f"{LOST}: back after 34.40 s, no media for 34.65 s"],
        ),
        (
            baseline(
                reconnects=(Reconnect("unprovoked", reason=Reason.ROOM_CLOSED, detail="why"),)
            ),
            "FAIL",
            [f"{LOST}: room_closed: why"],
        ),
        (failed(), "FAIL", ["connect_failed: no route"]),
        (failed(Reason.VOID, "late"), "UNKNOWN", ["void: late"]),
        (baseline(Reason.DEADLINE, "too slow"), "FAIL", ["deadline: too slow"]),
    ],
)
def test_verdict_and_its_reasons(outcome: Outcome, verdict: str, said: list[str]) -> None:
    """The worst finding is the verdict, and each is told in one line."""
    assert verdict_of(judge(CONFIG, outcome)) == verdict
    assert [each.text for each in judge(CONFIG, outcome)] == said


def test_every_finding_is_told() -> None:
    """A slow network that also loses is told to do both."""
    outcome = baseline(round_trips_s=(0.2,), loss_up=Loss(100, 50))
    assert [str(each.verdict) for each in judge(CONFIG, outcome)] == ["SLOW", "FAIL"]


def test_without_a_hard_threshold_a_slow_network_never_fails() -> None:
    """The default: round trips are judged by the target alone."""
    assert verdict_of(judge(SfuConfig(), baseline(round_trips_s=(9.0,)))) == "SLOW"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (GOOD, "round trip 20.0 ms, loss 0.0 % up, 0.5 % down, by UDP"),
        (replace(GOOD, loss_up=Loss(200, 3), loss_down=None), "round trip 20.0 ms, by UDP"),
        (
            replace(GOOD, loss_up=None, transport="", round_trips_s=(1.2, 1.5, 0.1)),
            "round trip 1200.0 ms",
        ),
        (
            replace(GOOD, loss_down=Loss(9, 9)),
            "round trip 20.0 ms, loss 0.0 % up, 100.0 % down, by UDP",
        ),
        (
            replace(GOOD, loss_up=Loss(200, 200), round_trips_s=(), transport="tcp"),
            "loss 100.0 % up, 0.5 % down, by TCP",
        ),
        (replace(GOOD, round_trips_s=(), loss_up=None, transport=""), "nothing measured"),
    ],
)
def test_summary(found: SfuBaseline, said: str) -> None:
    """Median, both losses and the way of the media, as far as they are known."""
    assert summary(found) == said


@pytest.mark.parametrize(
    ("settings", "needed_s"),
    [
        ({"pings": 600, "target_rtt_ms": 100, "packets": 50}, 35 + 600 * 0.12 / 0.5),
        ({"pings": 601, "target_rtt_ms": 10, "packets": 50}, 96),
        ({"pings": 10_000, "target_rtt_ms": 100}, 35 + 10_000 * 0.12 / 0.5),
        ({"pings": 1, "packets": 60_000, "tracks": 4}, 35 + 60_000 / (50 * 4)),
        ({"pings": 1, "packets": 50}, 60),
    ],
)
def test_deadline(settings: dict[str, float], needed_s: float) -> None:
    """Messages at the pace of the target or packets, whichever takes longer; at least a minute."""
    assert SfuConfig.model_validate(settings).deadline == needed_s


def test_what_could_not_be_understood_takes_no_time() -> None:
    """It has an error of its own; the tracks are one then."""
    assert _needed_s({}) == 35
    assert _needed_s({"pings": 100}) == 35 + 100 * 0.05 / 0.5
    assert _needed_s({"packets": 6000}) == 35 + 6000 / 50
