"""Whether the baseline tells the truth about a link that is known exactly.

Short, and with bounds that a busy machine keeps; `make bench-sfu` has the strict ones.
"""

import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.demo.livekit_binary import ServerProgram
from exporter.server_api import Server
from tests.netlab.cut import cut_under_baseline
from tests.netlab.lab import NetLab
from tests.netlab.livekit import livekit_behind
from tests.netlab.probe import baseline_over

pytestmark = [pytest.mark.integration, pytest.mark.whole_machine]

SHORT = {"pings": 20, "packets": 800, "tracks": 8}


@pytest.fixture(scope="module")
def site(
    laboratory_possible: None,
    livekit_program: ServerProgram,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[NetLab, Server]]:
    """A laboratory with a livekit-server at the far end of its link."""
    folder: Path = tmp_path_factory.mktemp("netlab")
    with NetLab(limit_s=400) as lab, livekit_behind(lab, livekit_program, folder) as running:
        yield lab, running.server


def test_the_round_trip_is_that_of_the_link(site: tuple[NetLab, Server]) -> None:
    """A link of 80 ms reads 80 ms: once, not twice; nothing is lost, and media go by UDP."""
    lab, server = site
    lab.link.set(rtt_ms=80)
    told = baseline_over(lab, server, **SHORT)
    assert min(told.round_trips_s) >= 0.070  # less a floor that a busy machine blurs
    assert statistics.median(told.round_trips_s) == pytest.approx(0.080, abs=0.015)
    assert statistics.median(told.ice_round_trips_s) == pytest.approx(0.080, abs=0.010)
    assert told.transport == "udp"
    assert told.loss_up is not None
    assert told.loss_down is not None
    assert told.loss_up.lost == told.loss_down.lost == 0


def test_loss_is_told_for_each_direction(site: tuple[NetLab, Server]) -> None:
    """Of 8 % lost on the way up and none on the way down, each is told on its own side."""
    lab, server = site
    lab.link.set(loss_up=0.08)
    told = baseline_over(lab, server, **SHORT)
    truth = lab.link.counts()
    assert told.loss_up is not None
    assert told.loss_down is not None
    assert truth.up.rtp_loss is not None
    assert told.loss_up.ratio == pytest.approx(truth.up.rtp_loss, abs=0.02)
    assert told.loss_down.ratio <= 0.015


def test_blocked_udp_is_found(site: tuple[NetLab, Server]) -> None:
    """Where UDP is blocked the media go by TCP, the result says so, and has a round trip."""
    lab, server = site
    lab.link.block_udp(rtt_ms=40)
    told = baseline_over(lab, server, **SHORT)
    assert told.transport == "tcp"
    assert statistics.median(told.round_trips_s) == pytest.approx(0.040, abs=0.015)
    assert lab.link.counts().up.blocked > 0


def test_a_cut_is_a_reconnect(site: tuple[NetLab, Server]) -> None:
    """1. A baseline, 40 ms away. 2. The link is cut for 20 s. Result: one reconnect, true in time.

    The SDK takes 15 s to notice, and some more to connect again: media stop for longer than 20 s.
    """
    lab, server = site
    lab.link.set(rtt_ms=40)
    # More pings than end before the cut: some meet it, and the baseline outlives them.
    noticed = cut_under_baseline(lab, server, 20, **SHORT | {"pings": 60, "deadline": 120})
    (found,) = noticed.told.reconnects
    assert found.kind == "unprovoked"
    assert found.reason is None
    assert found.media_gap_s == pytest.approx(noticed.true_gap_s, abs=0.3)
    assert found.media_gap_s == noticed.told.media_gap_s
    assert found.resume_s is not None
    assert 20 < found.resume_s < noticed.true_gap_s + 5
    assert noticed.told.lost > 0
    assert len(noticed.told.round_trips_s) > 0
