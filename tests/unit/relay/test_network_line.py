"""What may be configured of a line's network, and what follows from it."""

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.errors import ProbeError
from exporter.outcome import LineCounts, LineDirection, Reason
from exporter.probes.latency.line import LINES
from exporter.probes.latency.relayed import EachWay, NetworkLine
from exporter.probes.latency.relaying import blamed, told
from exporter.probes.latency.spec import LatencyConfig
from exporter.rtc.relay.impairment import Impairment
from exporter.rtc.relay.relay import Relay, own_address
from exporter.settings.load import load_settings


def test_one_value_is_for_both_directions() -> None:
    """Or each has its own, and what was left out is good."""
    line = NetworkLine.model_validate(
        {"loss": 5, "burst": {"up": 2}, "delay": "100ms", "jitter": {"down": "20ms"}, "rate": 64}
    )
    both = Impairment(loss=0.05, delay_s=0.1, rate_bps=64_000)
    assert line.impairment("up") == replace(both, burst=2)
    assert line.impairment("down") == replace(both, jitter_s=0.02)
    assert line.is_relayed


def test_a_good_line_needs_no_relay() -> None:
    """By default there is none; the length of bursts alone makes none bad."""
    assert not LatencyConfig(agent_name="demo").line.is_relayed
    assert not NetworkLine.model_validate({"burst": 3}).is_relayed
    assert NetworkLine().impairment("up") == Impairment()


def test_the_built_in_line_loses_packets_both_ways() -> None:
    """It crosses to the process of the probe as it is."""
    assert LINES["packet_loss"].impairment("up") == Impairment(loss=0.05, burst=2)
    again = pickle.loads(pickle.dumps(LINES["packet_loss"]))  # noqa: S301 - just pickled here
    assert again == LINES["packet_loss"]
    assert LINES["packet_loss"].loss == EachWay(5, 5)


WRONG = {
    "loss: 95": "line.loss: 95 is not possible; expected 0 to 90",
    "loss: many": 'line.loss: "many" is not a number; expected one, or up and down with one each',
    "loss: {up: -1}": "line.loss.up: -1 is not possible; expected 0 to 90",
    "loss: {left: 1}": "line.loss.left: unknown key; expected up or down",
    "delay: 9s": "line.delay: 9s is not possible; expected 0s to 5s",
    "delay: {down: soon}": (
        'line.delay.down: "soon" is not a duration; expected one such as 50ms, or up and down '
        "with one each"
    ),
    "rate: true": "line.rate: true is not a number; expected one, or up and down with one each",
}


@pytest.mark.parametrize("written", WRONG)
def test_what_cannot_be_is_one_clear_line(written: str, tmp_path: Path) -> None:
    """What is wrong, where, and what was expected."""
    file = tmp_path / "voice.yaml"
    file.write_text(f"targets:\n- agent_name: demo\n  line:\n    {written}\n")
    with pytest.raises(Exception, match="line") as error:
        load_settings(file, {})
    assert str(error.value) == f"{file}:4 targets[0].{WRONG[written]}"


def test_the_relay_is_blamed_only_for_what_is_its_own() -> None:
    """It had given an address, and nothing was heard from the server's media."""

    class Used(Relay):
        allocated, answered, own_host = 1, 0, "192.0.2.7"

    failed = ProbeError(Reason.CONNECT_FAILED, "no media connection within 10 s")
    relay = Used("ws://127.0.0.1", Impairment(), Impairment())
    assert blamed(failed, relay).reason is Reason.VOID
    assert "from 192.0.2.7 (no media" in blamed(failed, relay).detail
    assert blamed(failed, None) is failed
    refused = ProbeError(Reason.AUTH_FAILED, "refused")
    assert blamed(refused, relay) is refused
    for given in ({"allocated": 0}, {"answered": 1}):
        other = type("Other", (Used,), given)("ws://127.0.0.1", Impairment(), Impairment())
        assert blamed(failed, other) is failed


def test_a_relay_is_told_the_way_to_the_server() -> None:
    """Loopback where there is none."""
    assert own_address("ws://127.0.0.1:7880") == "127.0.0.1"
    assert own_address("wss://no-such-host.invalid") == "127.0.0.1"


def test_people_are_told_what_was_done() -> None:
    """In both directions."""
    up = LineDirection(100, 95, lost=4, overflowed=1, silenced=0, delay_p50_s=0.1)
    counts = LineCounts(up, LineDirection(0, 0, 0, 0, 0))
    assert (
        told(counts)
        == "relay: up dropped 5 of 100 packets, held 100 ms, down dropped 0 of 0 packets"
    )
