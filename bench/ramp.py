"""What a client of the ramp costs, and whether the knee is where it was put.

Run by `make bench-ramp`; prints tables, each figure with its n and the bound it is held to, and
exits 1 when a bound does not hold. The knee needs root: it is made in the network laboratory
(tests/netlab) by a link that is too narrow for more.
"""

import argparse
import asyncio
import json
import logging
import os
import platform
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench import environments, voicegateway
from bench.machine import machine_told
from bench.report import Report
from exporter.demo.livekit_binary import ServerProgram, find_server
from exporter.demo.livekit_server import LiveKitServer
from exporter.outcome import Ramp
from exporter.probe import ROOM_PREFIX, Run
from exporter.probes.ramp.judge import judge_tier
from exporter.probes.ramp.measure import climb
from exporter.probes.ramp.processes import SETTLE_S, RampProcesses
from exporter.probes.ramp.rooms import Rooms
from exporter.probes.ramp.spec import RampConfig
from exporter.probes.ramp.summary import TierSummary
from exporter.server_api import Server
from tests.netlab.lab import NetLab, what_is_missing
from tests.netlab.livekit import credentials, livekit_behind

PING_INTERVAL_S = 0.5
OUR_CLIENTS = 25
THEIR_CLIENTS = (4, 6, 8, 10, 12, 16, 20, 25)
"""Until they do not keep up."""
DELIVERED = 0.95
"""Share of the messages that must arrive, or the clients are not carried."""
COST_S = 10.0
TIMES_MORE = 2.0
IDLE_TIERS = (2, 25)
IDLE_MS = 3.0
KNEE_TIERS = (2, 4, 8, 16)
KNEE = 8
"""The tier that the link carries; it is made for half as many clients more."""
KNEE_RUNS = 3
KNEE_S = 5
KNEE_RTT_MS = 20
_DRIVER = Path(__file__).with_name("voicegateway_load_driver.py")


@dataclass(frozen=True, slots=True)
class Site:
    """Where to measure, and where to print."""

    program: ServerProgram
    folder: Path
    report: Report


@dataclass(frozen=True, slots=True)
class Cost:
    """What so many clients cost, and whether they kept up."""

    clients: int
    cpu_cores: float
    pings_per_s: float
    delivered: float
    """Share of the messages, answers of voicegateway's clients among them, that arrived."""
    median_s: float
    """Round trip."""

    @property
    def per_core(self) -> float:
        """Clients by the CPU that they took."""
        return self.clients / self.cpu_cores


def cost(site: Site) -> None:
    """Compare how many of our clients, with audio, one CPU carries, and of voicegateway's, without.

    A client is carried when what is sent to it arrives: one that falls behind costs less, too.
    """
    python = voicegateway.install()
    every = f"each pinging every {PING_INTERVAL_S * 1e3:.0f} ms"
    rows = site.report.figures(f"clients that one CPU of the prober carries, {every}")
    with LiveKitServer(site.program, site.folder, name="cost") as running:
        theirs: list[Cost] = []
        for clients in THEIR_CLIENTS:
            theirs.append(their_cost(python, running.server, clients, PING_INTERVAL_S))
            rows.add(f"{clients} of voicegateway, no audio", clients, words(theirs[-1]))
            if theirs[-1].delivered < DELIVERED:
                break
        ours = asyncio.run(our_cost(running.server, OUR_CLIENTS))
        rows.add(f"{OUR_CLIENTS} clients, each with audio", OUR_CLIENTS, words(ours))
        idle = their_cost(python, running.server, OUR_CLIENTS, 0.0)
    carried = [each for each in theirs if each.delivered >= DELIVERED]
    # It is one process with one event loop: more clients are more than it carries.
    most = max((each.clients / max(1.0, each.cpu_cores) for each in carried), default=0.0)
    rows.check(
        "ours to theirs",
        OUR_CLIENTS,
        f"{ours.per_core:.1f} to {most:.1f}: {ours.per_core / most if most else 0:.1f} times",
        bound=f"at least {TIMES_MORE:g} times",
        holds=ours.delivered >= DELIVERED and ours.per_core >= TIMES_MORE * most,
    )
    rows.add("of theirs that never ping", idle.clients, f"{idle.per_core:.1f} by their CPU")
    rows.show()


def words(found: Cost) -> str:
    """Word a cost."""
    return (
        f"{found.cpu_cores:.2f} CPUs, {found.delivered:.0%} of {found.pings_per_s:.0f} pings/s "
        f"delivered, median {in_ms(found.median_s)}"
    )


async def our_cost(server: Server, clients: int) -> Cost:
    """Hold a tier and return what its processes spent."""
    async with (
        Rooms(server, f"{ROOM_PREFIX}{secrets.token_hex(8)}", lambda _: None) as rooms,
        RampProcesses(
            server,
            rooms,
            ping_interval_s=PING_INTERVAL_S,
            connect_timeout_s=20,
            per_process=RampConfig().clients_per_process,
        ) as processes,
    ):
        await processes.grow(clients)
        tier = await processes.hold(COST_S, lambda _: None)
    sent = sum(len(each.round_trips_s) + each.lost + each.voids for each in tier.members)
    lost = sum(each.lost for each in tier.members)
    spent = sum(each.cpu_cores for each in tier.load)
    median_s = TierSummary.of(tier).rtt_p50_s or 0.0
    return Cost(clients, spent, sent / COST_S, 1 - lost / sent if sent else 0.0, median_s)


def their_cost(python: Path, server: Server, clients: int, interval_s: float) -> Cost:
    """Let voicegateway's clients do the same, without audio."""
    with tempfile.TemporaryDirectory(prefix="voicegateway-") as home:
        done = subprocess.run(
            [str(python), "-P", str(_DRIVER), str(clients), str(interval_s), str(COST_S)],
            env=environments.variables(server, Path(home)),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            text=True,
            timeout=180,
        )
    return Cost(clients, **json.loads(done.stdout.splitlines()[-1]))


def idle(site: Site) -> None:
    """See that more clients alone do not make the round trip longer."""
    rows = site.report.figures("round trip by clients, on loopback")
    config = RampConfig(tiers=IDLE_TIERS, duration=COST_S, ping_interval=PING_INTERVAL_S)
    with LiveKitServer(site.program, site.folder, name="idle") as running:
        run = Run("bench", running.server, time.monotonic() + config.deadline)
        outcome = asyncio.run(climb(config, run))
    tiers = outcome.result.tiers if isinstance(outcome.result, Ramp) else ()
    found = {each.clients: TierSummary.of(each) for each in tiers}
    few, many = (found.get(clients) for clients in IDLE_TIERS)
    for clients, each in found.items():
        rows.add(f"{clients} clients, median", each.pings, in_ms(each.rtt_p50_s))
        rows.add(f"{clients} clients, p95", each.pings, in_ms(each.rtt_p95_s))
    if few and many and few.rtt_p50_s is not None and many.rtt_p50_s is not None:
        more_ms = (many.rtt_p50_s - few.rtt_p50_s) * 1e3
        text = f"{more_ms:+.1f} ms"
        holds = abs(more_ms) <= IDLE_MS
        rows.check("difference of the medians", 1, text, bound=f"± {IDLE_MS:g} ms", holds=holds)
        # A prober that is late itself takes off more than the way: its figure says nothing.
        limits = [why for each in (few, many) for why in judge_tier(each, config.targets).limits]
        rows.check("limits of the prober", 2, "; ".join(limits), bound="none", holds=not limits)
    else:
        rows.check("both tiers", len(found), f"{outcome.reason}", bound="2", holds=False)
    rows.show()


def knee(site: Site) -> None:
    """See that the knee is found where a narrow link has put it, every time."""
    rows = site.report.figures(f"knee of a link that is too narrow for {KNEE_TIERS[-1]} clients")
    with (
        NetLab(limit_s=1800.0) as lab,
        livekit_behind(lab, site.program, site.folder) as running,
    ):
        each_kbps = kbps_per_client(lab, running.server)
        rows.add("a client needs, each way", 1, f"{each_kbps:.0f} kbit/s")
        rate = each_kbps * KNEE * 1.5
        for number in range(1, KNEE_RUNS + 1):
            lab.link.narrow(rate, KNEE_RTT_MS)
            told = ramp_over(lab, running.server, KNEE_TIERS)
            last = told["ramp"][-1] if told["ramp"] else {}
            why = "; ".join((*last.get("broken", ()), *last.get("limits", ())))
            rows.check(
                f"run {number}, {rate:.0f} kbit/s",
                len(told["ramp"]),
                f"{told['knee_clients']} ({told['knee']}: {why})",
                bound=str(KNEE),
                holds=told["knee_clients"] == KNEE,
            )
    rows.show()


def kbps_per_client(lab: NetLab, server: Server) -> float:
    """Return what one client of a ramp sends over a link without limits."""
    lab.link.set(rtt_ms=KNEE_RTT_MS)
    octets = []
    for clients in (2, 6):
        lab.link.set(rtt_ms=KNEE_RTT_MS)
        ramp_over(lab, server, (clients,), COST_S)
        octets.append(lab.link.counts().up.octets)
    few, many = octets
    # What four more clients sent more; they also joined, which is little beside their audio.
    return (many - few) * 8 / 1000 / 4 / (COST_S + SETTLE_S)


def ramp_over(
    lab: NetLab, server: Server, tiers: tuple[int, ...], seconds: float = KNEE_S
) -> dict[str, Any]:
    """Ramp from the near end of the link, as a person would."""
    ramp = ("--ramp", ",".join(map(str, tiers)), "--duration", f"{seconds:g}s")
    done = lab.client.run(
        [sys.executable, "-m", "exporter", "sfu", "--load", "--json", "--packets", "100", *ramp],
        environ=os.environ | credentials(server),
        limit_s=300,
    )
    if not done.stdout:
        raise RuntimeError(f"the ramp ended with status {done.returncode}:\n{done.stderr}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def in_ms(seconds: float | None) -> str:
    """Word a time."""
    return "unknown" if seconds is None else f"{seconds * 1e3:.1f} ms"


PARTS: dict[str, Callable[[Site], None]] = {"cost": cost, "idle": idle, "knee": knee}


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
    if "knee" in parts and (missing := what_is_missing()):
        print(missing, file=sys.stderr)
        return 2
    report = Report()
    report.say(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, livekit {version('livekit')}"
    )
    program = find_server(os.environ, logging.getLogger("bench").info)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, machine_told(report.say):
        for part in parts:
            PARTS[part](Site(program, Path(folder), report))
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main())
