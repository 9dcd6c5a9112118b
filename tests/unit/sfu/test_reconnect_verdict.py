"""Thresholds over connections that were broken on purpose."""

import pytest

from exporter.outcome import Outcome, Reason, Reconnect, SfuReconnects, verdict_of
from exporter.outcome.network import broke
from exporter.probes.reconnect.spec import ReconnectConfig, _needed_s, judge, summary
from tests.unit.calls import WHEN, broken

CONFIG = ReconnectConfig(max_gap=0.5)


def round_of(*silences_s: float, reason: Reason | None = None) -> Outcome:
    """Return a round in which each connection came back, after that silence."""
    found = tuple(Reconnect("signal", 0.3, silence_s) for silence_s in silences_s)
    return Outcome("reconnect", "", WHEN, 9.0, reason, "why", SfuReconnects(found))


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        pytest.param(round_of(0.0, 0.4), "PASS", id="short silences"),
        pytest.param(round_of(0.5), "PASS", id="exactly at the limit"),
        pytest.param(round_of(0.51, 0.1), "SLOW", id="the longest counts"),
        pytest.param(round_of(), "PASS", id="nothing to break"),
        pytest.param(broken(Reason.VOID, "late"), "UNKNOWN", id="spoiled by the prober"),
        pytest.param(round_of(9.0, reason=Reason.CONNECT_FAILED), "FAIL", id="not all came back"),
        pytest.param(broken(Reason.DEADLINE, "too slow"), "FAIL", id="no result at all"),
    ],
)
def test_verdict(outcome: Outcome, verdict: str) -> None:
    """FAIL if one did not come back, SLOW by the longest silence, UNKNOWN if it is ours."""
    assert verdict_of(judge(CONFIG, outcome)) == verdict


def test_a_long_silence_is_named() -> None:
    """With what broke, and with the limit that it passed."""
    (found,) = judge(CONFIG, round_of(0.1, 0.75))
    assert found.text == f"{broke('signal')}: back after 0.30 s, no media for 0.75 s, above 0.5 s"


def test_a_round_that_says_nothing_of_connections_is_no_silence() -> None:
    """It came to its end without a result: nothing was silent."""
    without = Outcome("reconnect", "", WHEN, 9.0, None, "")
    assert verdict_of(judge(CONFIG, without)) == "PASS"


def test_summary() -> None:
    """How many came back, and the longest silence; one that did not come back has none."""
    back, lost = Reconnect("signal", 0.3, 0.25), Reconnect("full", reason=Reason.CONNECT_FAILED)
    found = SfuReconnects((back, lost, Reconnect("full", 1.0, 1.5)))
    assert summary(found) == "2 of 3 connections came back, no media for 1.50 s at most"
    assert summary(SfuReconnects(())) == "0 of 0 connections came back, no media for 0.00 s at most"


def test_deadline() -> None:
    """Three connections, each of which is made and does not come back; in whole seconds."""
    assert ReconnectConfig(timeout=30).deadline == 10 + 5 + 3 * (15 + 30)
    assert ReconnectConfig(timeout=0.1).deadline == 61
    assert _needed_s({}) == 10 + 5 + 3 * 15  # the timeout has an error of its own
