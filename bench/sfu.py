"""How true the SFU figures are: on links whose delay, jitter and loss are known exactly.

Run by `make bench-sfu` as root; prints tables, each figure with its n and the bound it is held to,
and exits 1 when a bound does not hold. A livekit-server runs at the far end of the network
laboratory's link (tests/netlab), the probe at the near end, both on this machine.
"""

import argparse
import logging
import math
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

from bench import voicegateway, voicegateway_sfu
from bench.machine import machine_told
from bench.report import Figures, Report
from exporter.demo.livekit_binary import find_server
from exporter.outcome import Loss, SfuBaseline, Verdict
from exporter.probes.sfu.spec import PROBE as SFU
from exporter.probes.sfu.spec import SfuConfig
from exporter.server_api import Server
from tests.netlab.cut import cut_under_baseline
from tests.netlab.jitter import gap_ms
from tests.netlab.lab import LinkCounts, NetLab, what_is_missing
from tests.netlab.livekit import livekit_behind
from tests.netlab.probe import baseline_over, probe_over

RTTS_MS = (0, 20, 80, 200)
JITTERS_MS = (5, 20)
LOSSES = (0.0, 0.01, 0.05)
LOSS_PACKETS = 4000
"""Enough that chance alone moves 5 % by 0.7 points at most (two standard deviations)."""
BLOCKED_RTT_MS = 40
CUTS_S = (3.0, 3.0, 20.0)
CUT_RTT_MS = 40
NOTICED_CUT_S = 20.0
"""The SDK says nothing of shorter cuts."""
LAB_LIMIT_S = 3600.0


@dataclass(frozen=True, slots=True)
class Site:
    """A server, and the link between it and the probe."""

    lab: NetLab
    server: Server
    report: Report

    def baseline(self, **settings: object) -> tuple[SfuBaseline, LinkCounts]:
        """Take a baseline over the link as it is set; return also what the link really did."""
        self.lab.link.become(up=self.lab.link.up, down=self.lab.link.down)
        told = baseline_over(self.lab, self.server, deadline=120, **settings)
        return told, self.lab.link.counts()


def round_trips(site: Site) -> None:
    """Hold the median round trip to that of the link."""
    rows = site.report.figures("round trip of data messages, median")
    for rtt_ms in RTTS_MS:
        site.lab.link.set(rtt_ms=rtt_ms)
        told, _ = site.baseline(pings=100)
        check_round_trip(rows, f"link of {rtt_ms} ms", told, rtt_ms)
        ice_ms = statistics.median(told.ice_round_trips_s) * 1e3
        rows.add("    by ICE's own checks", len(told.ice_round_trips_s), f"{ice_ms:.0f} ms")
        rows.add("    our own share of it", len(told.round_trips_s), in_ms(told.floor_s))
        connect = told.connect
        rows.add("    connected after", 1, in_ms(connect.signal_s + connect.ice_s))
    rows.show()


def check_round_trip(rows: Figures, what: str, told: SfuBaseline, rtt_ms: float) -> None:
    """Hold one median round trip to what was set."""
    measured_ms = statistics.median(told.round_trips_s) * 1e3
    rows.check(
        what,
        len(told.round_trips_s),
        f"{measured_ms:.1f} ms",
        bound="± 2 ms",
        holds=abs(measured_ms - rtt_ms) <= 2,
    )


def jitter(site: Site) -> None:
    """Hold the interarrival jitter of each direction to that of the link, set on one way only.

    The way down carries on what the way up has jittered: the receiver hears both.
    """
    rows = site.report.figures("interarrival jitter (RFC 3550) of audio")
    for jitter_ms in JITTERS_MS:
        for way in ("up", "down"):
            site.lab.link.set(**{f"jitter_{way}_ms": float(jitter_ms)})
            told, _ = site.baseline(packets=3000)
            by_way = {"up": told.jitter_up_s, "down": told.jitter_down_s}
            value = by_way[way]
            off = abs(value * 1e3 / jitter_ms - 1) if value is not None else 1.0
            rows.check(
                f"{jitter_ms} ms set {way} (opens every {gap_ms(jitter_ms):.1f} ms): {way}",
                told.loss_up.packets if told.loss_up else 0,
                in_ms(value),
                bound="± 30 %",
                holds=off <= 0.3,
            )
            other = "down" if way == "up" else "up"
            rows.add(f"    {other}", 0, in_ms(by_way[other]))
    rows.show()


def losses(site: Site) -> None:
    """Hold the loss of each direction to that of the link, set on one way and on both."""
    rows = site.report.figures("loss of audio packets")
    settings = [(0.0, 0.0)]
    settings += [pair for loss in LOSSES[1:] for pair in ((loss, 0.0), (0.0, loss), (loss, loss))]
    for up, down in settings:
        site.lab.link.set(loss_up=up, loss_down=down)
        told, truth = site.baseline(packets=LOSS_PACKETS)
        name = f"{up:.0%} up, {down:.0%} down:"
        check_loss(rows, f"{name} up", told.loss_up, up, truth.up.rtp_loss)
        check_loss(rows, f"{name} down", told.loss_down, down, truth.down.rtp_loss)
    rows.show()


def check_loss(
    rows: Figures, what: str, told: Loss | None, ratio: float, counted: float | None
) -> None:
    """Hold one loss to what was set, and show what the link itself has counted."""
    off = abs(told.ratio - ratio) if told else 1.0
    rows.check(
        what,
        told.packets if told else 0,
        f"{percent(told.ratio if told else None)} (the link: {percent(counted)})",
        bound="± 1 point",
        holds=off <= 0.01,
    )


def blocked(site: Site) -> None:
    """See that blocked UDP is found, named and judged, and TCP measured in its place."""
    rows = site.report.figures(f"UDP blocked, link of {BLOCKED_RTT_MS} ms")
    site.lab.link.block_udp(rtt_ms=BLOCKED_RTT_MS)
    outcome = probe_over(site.lab, site.server, deadline=120)
    told = outcome.result
    verdict = SFU.judged(SfuConfig(), outcome).verdict
    if isinstance(told, SfuBaseline):
        rows.check("transport", 1, told.transport, bound="tcp", holds=told.transport == "tcp")
        check_round_trip(rows, "round trip by TCP, median", told, BLOCKED_RTT_MS)
        rows.add("connected after", 1, in_ms(told.connect.signal_s + told.connect.ice_s))
    else:
        rows.check("baseline", 0, f"{outcome.reason}", bound="one", holds=False)
    rows.check("verdict", 1, verdict, bound="SLOW", holds=verdict is Verdict.SLOW)
    rows.show()


def cuts(site: Site) -> None:
    """Hold the silence that the receiver tells to the one that the link has seen."""
    site.lab.link.set(rtt_ms=CUT_RTT_MS)
    rows = site.report.figures(f"both directions cut, link of {CUT_RTT_MS} ms")
    for seconds in CUTS_S:
        noticed = cut_under_baseline(site.lab, site.server, seconds, deadline=120)
        gap_s, found = noticed.told.media_gap_s, noticed.told.reconnects
        off = abs(gap_s - noticed.true_gap_s) if gap_s is not None else math.inf
        gap = "none" if gap_s is None else f"{gap_s:.2f} s"
        rows.check(
            f"cut of {seconds:g} s: silence",
            1,
            f"{gap} (the link: {noticed.true_gap_s:.2f} s)",
            bound="± 0.3 s",
            holds=off <= 0.3,
        )
        told = "; ".join(each.text for each in found) or "none"
        if seconds >= NOTICED_CUT_S:
            back = [each for each in found if each.reason is None]
            holds = len(back) == len(found) == 1
            rows.check("    reconnects", len(found), told, bound="one, back", holds=holds)
        else:
            rows.add("    reconnects", len(found), told)
    rows.show()


def side_by_side(site: Site) -> None:
    """Print what we and voicegateway say of the same links."""
    python = voicegateway.install()
    table = site.report.table(
        f"voicegateway {voicegateway.VERSION} side by side",
        *("link", "round trip", "loss up", "down", "verdict"),
        *("voicegateway: round trip", "loss", "its word"),
    )
    link = site.lab.link
    links = {f"{rtt_ms} ms": partial(link.set, rtt_ms=rtt_ms) for rtt_ms in RTTS_MS}
    links |= {
        "5 % lost up": partial(link.set, rtt_ms=20, loss_up=0.05),
        "5 % lost down": partial(link.set, rtt_ms=20, loss_down=0.05),
        "2 % lost both ways": partial(link.set, rtt_ms=80, loss_up=0.02, loss_down=0.02),
        "UDP blocked, 80 ms": partial(link.block_udp, rtt_ms=80),
    }
    for name, become in links.items():
        become()
        outcome = probe_over(site.lab, site.server, deadline=120)
        ours = outcome.result if isinstance(outcome.result, SfuBaseline) else None
        theirs = voicegateway_sfu.ask(python, site.lab, site.server)
        table.add_row(
            name,
            in_ms(statistics.median(ours.round_trips_s)) if ours else f"{outcome.reason}",
            percent(ours.loss_up.ratio) if ours and ours.loss_up else "",
            percent(ours.loss_down.ratio) if ours and ours.loss_down else "",
            SFU.judged(SfuConfig(), outcome).verdict,
            theirs.error if theirs.rtt_ms is None else f"{theirs.rtt_ms:.1f} ms",
            "" if theirs.loss_pct is None else f"{theirs.loss_pct:.1f} %",
            theirs.quality,
        )
    site.report.console.print(table)


def in_ms(seconds: float | None) -> str:
    """Word a time."""
    return "unknown" if seconds is None else f"{seconds * 1e3:.1f} ms"


def percent(ratio: float | None) -> str:
    """Word a share."""
    return "unknown" if ratio is None else f"{ratio * 100:.2f} %"


PARTS: dict[str, Callable[[Site], None]] = {
    "rtt": round_trips,
    "jitter": jitter,
    "loss": losses,
    "blocked": blocked,
    "cut": cuts,
    "voicegateway": side_by_side,
}


def main() -> int:
    """Run the parts that were asked for and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--part",
        action="append",
        choices=PARTS,
        help="may be given several times; all if not given",
    )
    parts = parser.parse_args().part or list(PARTS)
    if missing := what_is_missing():
        print(missing, file=sys.stderr)
        return 2
    report = Report()
    report.say(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, livekit {version('livekit')}"
    )
    program = find_server(os.environ, logging.getLogger("bench").info)
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        NetLab(limit_s=LAB_LIMIT_S) as lab,
        livekit_behind(lab, program, Path(folder)) as running,
        machine_told(report.say),
    ):
        for part in parts:
            PARTS[part](Site(lab, running.server, report))
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main())
