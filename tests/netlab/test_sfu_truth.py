"""Whether the baseline tells the truth about a link that is known exactly.

The truth is what the link counted while the baseline was taken, not only what was set: a busy
machine may add to a round trip, and then the link has seen that, too. One server and one process
of the prober serve all of them. `make bench-sfu` has more conditions, and strict bounds.
"""

import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from exporter.demo.livekit_binary import ServerProgram
from exporter.outcome import Loss, SfuBaseline, Verdict
from exporter.probes.sfu.spec import SfuConfig, judge
from tests.netlab.cut import cut_under
from tests.netlab.lab import LinkCounts, NetLab
from tests.netlab.livekit import livekit_behind
from tests.netlab.probe import Probe
from tests.netlab.way import Counts

pytestmark = pytest.mark.integration

SHORT = {"pings": 20, "packets": 400, "tracks": 8}
PROBER_S = 0.003
"""What the way between the link and the prober's clock takes, beyond what the prober takes off."""


@dataclass(frozen=True, slots=True)
class Site:
    """A link with a server at its far end and a prober at its near end."""

    lab: NetLab
    probe: Probe

    def baseline(self) -> tuple[SfuBaseline, LinkCounts]:
        """Take a baseline over the link as it is set, and return also what the link did."""
        found = self.probe.baseline(**SHORT)
        return found, self.lab.link.counts()


@pytest.fixture(scope="module", name="site")
def _site(
    laboratory_possible: None,
    livekit_program: ServerProgram,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    folder: Path = tmp_path_factory.mktemp("netlab")
    with (
        NetLab(limit_s=400) as lab,
        livekit_behind(lab, livekit_program, folder) as running,
        Probe(lab, running.server) as probe,
    ):
        yield Site(lab, probe)


def hold_round_trips(found: SfuBaseline, truth: LinkCounts, rtt_s: float) -> None:
    """Hold round trips to those that the link has seen of the same messages.

    The link's are at least what was set, whatever the machine did. The prober's are longer by
    what it and the SDK take, on their way to the link and back. The fastest message met neither a
    busy machine nor a queue: a figure that is off for another reason is off with that one, too.
    The median may have met as much as the prober says of itself: its floor is one of the two ways.
    """
    assert found.floor_s is not None
    told_s, wire_s = sorted(found.round_trips_s), sorted(truth.messages_s)
    floor_s, half_s = found.floor_s, statistics.median(told_s)
    said = (
        f"set {rtt_s:.4f} s; the link saw {wire_s[0]:.4f} to {wire_s[-1]:.4f} s, median "
        f"{statistics.median(wire_s):.4f} s of {len(wire_s)}; told {told_s[0]:.4f} to "
        f"{told_s[-1]:.4f} s, median {half_s:.4f} s of {len(told_s)}, floor {floor_s:.4f} s, "
        f"{found.voids} voids"
    )
    print(said)  # noqa: T201 - with what fails
    assert found.pings == len(told_s) + found.lost + found.voids
    assert len(wire_s) >= len(told_s)
    assert wire_s[0] >= rtt_s - 0.001
    assert told_s[0] + floor_s >= wire_s[0], said
    assert told_s[0] == pytest.approx(wire_s[0], abs=PROBER_S + floor_s), said
    assert half_s == pytest.approx(statistics.median(wire_s), abs=PROBER_S + 3 * floor_s), said
    assert rtt_s - 0.001 <= min(found.ice_round_trips_s) < 1.5 * rtt_s


def hold_loss(found: Loss | None, counted: Counts) -> None:
    """Hold lost packets to those that the link has thrown away.

    The server's last report is older than the link's count: what was lost in between is as much
    as chance allows, and what was lost before is exact.
    """
    assert found is not None
    ratio = counted.rtp_loss or 0.0
    unreported = counted.rtp - found.packets
    assert unreported >= 0
    since = counted.rtp_lost - found.lost
    spread = 5 * math.sqrt(unreported * ratio * (1 - ratio)) + 2
    assert since == pytest.approx(unreported * ratio, abs=spread)


def test_the_round_trip_is_that_of_the_link(site: Site) -> None:
    """A link of 80 ms reads 80 ms: once, not twice; nothing is lost, and media go by UDP."""
    site.lab.link.set(rtt_ms=80)
    found, truth = site.baseline()
    hold_round_trips(found, truth, 0.080)
    assert found.transport == "udp"
    hold_loss(found.loss_up, truth.up)
    hold_loss(found.loss_down, truth.down)


def test_loss_is_told_for_each_direction(site: Site) -> None:
    """Of 8 % lost on the way up and none on the way down, each is told on its own side."""
    site.lab.link.set(loss_up=0.08)
    found, truth = site.baseline()
    hold_loss(found.loss_up, truth.up)
    assert truth.up.rtp_lost > 0
    assert found.loss_down is not None
    assert truth.down.rtp_lost == 0
    assert found.loss_down.ratio <= 0.015


def test_blocked_udp_is_found(site: Site) -> None:
    """Where UDP is blocked the media go by TCP; it is SLOW, and the port to open is named."""
    site.lab.link.block_udp(rtt_ms=40)
    outcome = site.probe.outcome(**SHORT)
    found, truth = outcome.result, site.lab.link.counts()
    assert isinstance(found, SfuBaseline), outcome.detail
    assert found.transport == "tcp"
    assert truth.up.blocked > 0
    assert found.floor_s is not None
    assert min(found.round_trips_s) + found.floor_s >= 0.039
    assert min(found.round_trips_s) < 1.5 * 0.040
    (address,) = found.udp_addresses
    assert address.startswith(f"{site.lab.server.address}:")
    blocked = [each for each in judge(SfuConfig(), outcome) if address in each.text]
    assert [each.verdict for each in blocked] == [Verdict.SLOW]


@pytest.mark.long
def test_a_short_cut_is_a_silence(site: Site) -> None:
    """1. A baseline. 2. The link is cut for 2 s. Result: no reconnect, and the silence is true."""
    site.lab.link.set(rtt_ms=40)
    noticed = cut_under(site.lab, site.probe, 2, **SHORT | {"packets": 800})
    assert noticed.true_gap_s > 2
    assert noticed.told.media_gap_s == pytest.approx(noticed.true_gap_s, abs=0.3)
    assert noticed.told.reconnects == ()


@pytest.mark.long
def test_a_cut_is_a_reconnect(site: Site) -> None:
    """1. A baseline, 40 ms away. 2. The link is cut for 20 s. Result: one reconnect, true in time.

    The SDK takes 15 s to notice, and some more to connect again: media stop for longer than 20 s.
    """
    site.lab.link.set(rtt_ms=40)
    # More pings than end before the cut: some meet it, and the baseline outlives them.
    noticed = cut_under(site.lab, site.probe, 20, **SHORT | {"pings": 60, "deadline": 120})
    (found,) = noticed.told.reconnects
    assert found.kind == "unprovoked"
    assert found.reason is None
    assert found.media_gap_s == pytest.approx(noticed.true_gap_s, abs=0.3)
    assert found.media_gap_s == noticed.told.media_gap_s
    assert found.resume_s is not None
    assert 20 < found.resume_s < noticed.true_gap_s + 5
    assert noticed.told.lost > 0
    assert len(noticed.told.round_trips_s) > 0
