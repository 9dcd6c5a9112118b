"""Bad lines of which the truth is known: what an echo hears, and what a relay has counted."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.calls import p95
from bench.report import Figures, Report
from bench.stage import Stage
from exporter.errors import ProbeError
from exporter.outcome import LineCounts, LineDirection
from exporter.rtc.client import Client
from exporter.rtc.relay.impairment import QUEUE_S, Impairment
from exporter.rtc.relay.relay import Relay
from exporter.rtc.stats import Snapshot
from exporter.server_api import Server, ServerApi, make_token
from tests.integration.test_line import SNR_DB, Heard
from tests.integration.test_line import called as echo_called

NOISES: Mapping[str, dict[str, Any]] = MappingProxyType(
    {
        "clean": {},
        "babble 20 dB": {"noise": "babble", "snr_db": 20},
        "babble 10 dB": {"noise": "babble", "snr_db": 10},
        "white 10 dB": {"noise": "white", "snr_db": 10},
        "pink 10 dB": {"noise": "pink", "snr_db": 10},
        "low-quality microphone": {"low_quality_microphone": True},
    }
)
UNMOVED_MS = 20.0

LINES: Mapping[str, Impairment] = MappingProxyType(
    {
        "nothing": Impairment(),
        "loss 2 %": Impairment(loss=0.02),
        "loss 10 %": Impairment(loss=0.1),
        "loss 10 %, 2 in a row": Impairment(loss=0.1, burst=2.0),
        "delay 100 ms": Impairment(delay_s=0.1),
        "delay 300 ms": Impairment(delay_s=0.3),
        "jitter 40 ms": Impairment(jitter_s=0.04),
        "rate 64 kbit/s": Impairment(rate_bps=64_000),
    }
)
PACKETS_A_SECOND = 50
SECONDS_EACH = 8.0
"""Of media for each of the times that a bench takes."""
DELAY_MS, LOSS_POINTS, JITTER_SHARE = 2.0, 1.0, 0.3
"""The bounds of the SFU bench."""
ON_THE_WAY = 5
"""Packets that may be between the relay and the statistics of the SDK."""
_TIMEOUT_S = 30.0
_SETTLES_S = 2
"""After so many seconds the queue of a narrow line is full."""
_HEADERS = 28 + 10
"""Octets of IP and UDP around a packet, and of SRTP's own mark."""
RATE_SHARE = 0.1
"""RTCP passes as well, and is not among them."""


async def noisy_calls(stage: Stage, times: int) -> dict[str, Heard]:
    """Call an echo over each line, one after another."""
    folder = stage.folder / "noise"
    folder.mkdir(exist_ok=True)
    return {
        name: await echo_called(stage.server, folder, name.replace(" ", "-"), line, times)
        for name, line in NOISES.items()
    }


def tell_noise(report: Report, calls: Mapping[str, Heard]) -> None:
    """Print how far the speech was above the noise, and what noise does to the latency."""
    rows = report.figures("an echo's ear: speech over noise, in dB, less what was set; median")
    for name, heard in calls.items():
        line = NOISES[name]
        if "snr_db" not in line:
            continue
        ratios = heard.snr_db()
        off = float(np.median(ratios)) - line["snr_db"] if ratios else float("nan")
        bound, holds = f"± {SNR_DB:g} dB", abs(off) <= SNR_DB
        rows.check(name, len(ratios), f"{off:+.1f} dB", bound=bound, holds=holds)
    rows.show()
    clean_ms = (calls["clean"].way_s or float("nan")) * 1e3
    rows = report.figures("latency of an echo, without its delay and both jitter buffers")
    rows.add("clean, median", len(calls["clean"].ways_s), f"{clean_ms:.1f} ms")
    for name, heard in calls.items():
        over_ms = p95([way_s * 1e3 - clean_ms for way_s in heard.ways_s])
        rows.check(
            f"{name}, p95 of the difference",
            len(heard.ways_s),
            f"{over_ms:.1f} ms",
            bound=f"≤ {UNMOVED_MS:g} ms",
            holds=over_ms <= UNMOVED_MS,
        )
    turns = sum(len(heard.ways_s) + heard.voids for heard in calls.values())
    rows.add("void", turns, str(sum(heard.voids for heard in calls.values())))
    late_ms = max(heard.late_s for heard in calls.values()) * 1e3
    rows.add("a process beside was late by at most", 0, f"{late_ms:.0f} ms")
    rows.show()


@dataclass(frozen=True, slots=True)
class Talk:
    """What the relay counted while two talked, and what the SDK's statistics say."""

    counts: LineCounts
    snapshot: Snapshot
    round_trips_s: tuple[float, ...]
    """Of ICE's checks, which go through the relay once each way."""
    passed_kbps: float
    """What came down while they talked, by RTP statistics, with the headers of UDP and IP."""


async def line_talks(server: Server, times: int, say: Callable[[str], None]) -> dict[str, Talk]:
    """Let two talk over each line, one line after another; say which of them are void, and why."""
    talks = {}
    for name, line in LINES.items():
        try:
            talks[name] = await _talk(server, line, times)
        except ProbeError as error:
            say(f"  void, {name}: {error}")
    return talks


async def _talk(server: Server, line: Impairment, times: int) -> Talk:
    room = f"turns-line-{time.monotonic_ns()}"
    async with AsyncExitStack() as stack:
        relay = stack.enter_context(Relay(server.url, line, line, seed=room))
        near, far = Client(f"{room}-near"), Client(f"{room}-far")
        for client, by in ((far, None), (near, relay.rtc_config)):
            stack.push_async_callback(client.leave)
            token = make_token(server, identity=client.identity, room=room)
            await client.connect(server.url, token, _TIMEOUT_S, receive=True, rtc_config=by)
            await client.publish(1, _TIMEOUT_S)
        trips, reads = [], [(time.monotonic(), await near.read())]
        for _ in range(round(SECONDS_EACH * times)):
            await asyncio.sleep(1.0)
            reads.append((time.monotonic(), await near.read()))
            path = reads[-1][1].path
            if path is not None and path.round_trip_s:
                trips.append(path.round_trip_s)
        counts, snapshot = await _agreed(relay, near)
        async with ServerApi(server) as api:
            await api.delete_room(room)
    return Talk(counts, snapshot, tuple(trips), _passed_kbps(reads[_SETTLES_S:]))


def _passed_kbps(reads: Sequence[tuple[float, Snapshot]]) -> float:
    """Return the kilobits a second that came between the first and the last of these reads."""
    (began, first), (ended, last) = reads[0], reads[-1]

    def octets(snapshot: Snapshot) -> int:
        return sum(each.size + each.packets * _HEADERS for each in snapshot.received)

    return (octets(last) - octets(first)) * 8 / (ended - began) / 1e3


async def _agreed(relay: Relay, client: Client) -> tuple[LineCounts, Snapshot]:
    """Read both, once the client has seen all but what is on its way, or after a while."""
    ends = time.monotonic() + _TIMEOUT_S
    while True:
        counts, snapshot = relay.counts(), await client.read()
        came = sum(each.packets for each in snapshot.received)
        if counts.down.sent - came <= ON_THE_WAY or time.monotonic() > ends:
            return counts, snapshot
        await asyncio.sleep(0.02)


def tell_lines(report: Report, talks: Mapping[str, Talk]) -> None:
    """Print what was set, what the relay counted, and what RTP statistics say."""
    rows = report.figures("two that talk over a relay: both directions as set")
    for name, talk in talks.items():
        line = LINES[name]
        for way, counts in (("up", talk.counts.up), ("down", talk.counts.down)):
            _check_counted(rows, f"{name}, {way}", line, counts)
        _check_rtp(rows, name, line, talk)
    rows.add("void", len(LINES), str(len(LINES) - len(talks)))
    rows.show()


def _check_counted(rows: Figures, what: str, line: Impairment, counts: LineDirection) -> None:
    """Hold what the relay did against what was set."""
    if line.loss or not line.rate_bps:
        percent = (counts.loss_ratio or 0.0) * 100
        # A share of n packets is itself uncertain; losses in a row count as fewer.
        n = max(1.0, counts.packets / line.burst)
        chance = 2 * 100 * (line.loss * (1 - line.loss) / n) ** 0.5
        most = LOSS_POINTS + chance if line.loss else 0.0
        off = abs(percent - line.loss * 100)
        bound = f"{line.loss:.0%} ± {most:.1f}"
        rows.check(
            f"{what}: lost", counts.packets, f"{percent:.1f} %", bound=bound, holds=off <= most
        )
    if line.rate_bps is None:
        due_ms = float(np.median(_held_ms(line)))
        held_ms = (counts.delay_p50_s or 0.0) * 1e3
        # The median of n random times is itself uncertain.
        most_ms = DELAY_MS + line.jitter_s * 1e3 / max(1, counts.sent) ** 0.5
        bound, holds = f"{due_ms:.1f} ± {most_ms:.1f} ms", abs(held_ms - due_ms) <= most_ms
        rows.check(
            f"{what}: held, median", counts.sent, f"{held_ms:.1f} ms", bound=bound, holds=holds
        )
    late_ms = (counts.late_p95_s or 0.0) * 1e3
    rows.add(f"{what}: of it late, p95", counts.sent, f"{late_ms:.1f} ms")


def _held_ms(line: Impairment) -> npt.NDArray[np.float64]:
    """Return for how long packets are held, by a model of its own: none overtakes another."""
    between_ms = 1e3 / PACKETS_A_SECOND
    held = np.random.default_rng(1).uniform(0, line.jitter_s * 1e3, 20_000)
    for at in range(1, len(held)):
        held[at] = max(held[at], held[at - 1] - between_ms)
    return held + line.delay_s * 1e3


def _check_rtp(rows: Figures, name: str, line: Impairment, talk: Talk) -> None:
    """Hold the SDK's statistics against what the relay counted."""
    down, received = talk.counts.down, talk.snapshot.received
    missed = sum(each.lost for each in received)
    # What is dropped behind the last packet that came is no gap yet.
    behind = ON_THE_WAY + round(PACKETS_A_SECOND * QUEUE_S if line.rate_bps else 0)
    bound, holds = f"{down.dropped} ± {behind}", abs(missed - down.dropped) <= behind
    rows.check(f"{name}: missed, by RTP", down.packets, str(missed), bound=bound, holds=holds)
    if line.rate_bps is not None:
        due, passed = line.rate_bps / 1e3, talk.passed_kbps
        bound, holds = f"{due:g} ± {RATE_SHARE:.0%}", abs(passed / due - 1) <= RATE_SHARE
        what = f"{name}: came down, by RTP"
        rows.check(what, down.sent, f"{passed:.1f} kbit/s", bound=bound, holds=holds)
    if line.delay_s and talk.round_trips_s:
        due_ms = 2 * line.delay_s * 1e3
        trip_ms = float(np.median(talk.round_trips_s)) * 1e3
        bound, holds = f"{due_ms:g} + ≤ {4 * DELAY_MS:g} ms", 0 <= trip_ms - due_ms <= 4 * DELAY_MS
        n = len(talk.round_trips_s)
        rows.check(f"{name}: round trip, by ICE", n, f"{trip_ms:.0f} ms", bound=bound, holds=holds)
    if line.jitter_s:
        _check_jitter(rows, name, line, [each.jitter_s for each in received])


def _check_jitter(rows: Figures, name: str, line: Impairment, jitters_s: Sequence[float]) -> None:
    """Hold the jitter by RFC 3550, which is a mean of the change from one packet to the next."""
    due_ms = float(np.abs(np.diff(_held_ms(line))).mean())
    told_ms = max(jitters_s, default=0.0) * 1e3
    bound = f"{due_ms:.0f} ms ± {JITTER_SHARE:.0%}"
    holds = abs(told_ms - due_ms) <= JITTER_SHARE * due_ms
    rows.check(f"{name}: jitter, by RTP", 1, f"{told_ms:.0f} ms", bound=bound, holds=holds)
