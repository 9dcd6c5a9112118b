"""How late the relay of a bad line is, and what it costs, while the caller's event loop is busy.

Run as `python -m bench.relay [--seconds 20]`. One participant talks to another through the relay,
on a line of 50 ms each way; the event loop of both is idle, and then busy for most of the time.
"""

import argparse
import asyncio
import sys
import time
from contextlib import AsyncExitStack

from bench.report import Figures, Report
from bench.stage import livekit_stage
from exporter.outcome import LineCounts
from exporter.rtc.client import Client
from exporter.rtc.lag import LagMonitor
from exporter.rtc.relay.impairment import Impairment
from exporter.rtc.relay.relay import Relay
from exporter.server_api import Server, make_token

DELAY_S = 0.05
BUSY_S, PERIOD_S = 0.015, 0.02
"""For how long the loop computes in each period: as one that is at its limit."""
MOST_LATE_S = {"idle loop": 0.006, "busy loop": 0.02}
"""What the 95th percentile may be. A thread waits up to 5 ms for another, and a timer 1 ms; a loop
that is late by more than 20 ms voids the turn anyway."""
MOST_CPU = 0.04
"""Of a core, for one call."""
_TIMEOUT_S = 15.0


async def talk(server: Server, seconds: float, *, busy: bool) -> tuple[LineCounts, float, float]:
    """Let one talk to another.

    Returns:
        What the relay counted, the share of a core that its thread took, and the largest lateness
        of the event loop in seconds.
    """
    line, room, lag = Impairment(delay_s=DELAY_S), f"relay-{time.monotonic_ns()}", LagMonitor()
    async with AsyncExitStack() as stack:
        relay = stack.enter_context(Relay(server.url, line, line))
        for name, by in (("far", None), ("near", relay.rtc_config)):
            client = Client(f"{room}-{name}")
            stack.push_async_callback(client.leave)
            token = make_token(server, identity=client.identity, room=room)
            await client.connect(server.url, token, _TIMEOUT_S, receive=True, rtc_config=by)
            await client.publish(1, _TIMEOUT_S)
        lag.start()
        began_s, cpu_s = time.monotonic(), relay.cpu_s
        while time.monotonic() < began_s + seconds:
            if busy:
                _compute(BUSY_S)
            await asyncio.sleep(PERIOD_S - BUSY_S)
        share = (relay.cpu_s - cpu_s) / (time.monotonic() - began_s)
        lag.stop()
        return relay.counts(), share, lag.largest or 0.0


def _compute(seconds: float) -> None:
    ends, numbers = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        numbers += 1  # Python that holds the interpreter, as a late task of the caller does


def add(figures: Figures, what: str, counts: LineCounts, share: float, lag_s: float) -> None:
    """Add the figures of one talk."""
    figures.add(f"{what}: the event loop's lateness, largest", 0, f"{lag_s * 1e3:.1f} ms")
    for name, way in (("up", counts.up), ("down", counts.down)):
        late_s = way.late_p95_s if way.late_p95_s is not None else 1.0
        figures.check(
            f"{what}: late packets {name}, p95",
            way.sent,
            f"{late_s * 1e3:.2f} ms",
            bound=f"{MOST_LATE_S[what] * 1e3:g} ms",
            holds=late_s <= MOST_LATE_S[what],
        )
        figures.add(
            f"{what}: late packets {name}, largest",
            way.sent,
            f"{(way.late_max_s or 0) * 1e3:.2f} ms",
        )
    figures.check(
        f"{what}: CPU of the relay",
        1,
        f"{share:.2%} of a core",
        bound=f"{MOST_CPU:.0%}",
        holds=share <= MOST_CPU,
    )


def main() -> int:
    """Measure and print; the exit status says whether every bound held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    seconds, report = parser.parse_args().seconds, Report()
    figures = report.figures("The relay of a bad line")
    with livekit_stage(report.say) as stage:
        for what, busy in (("idle loop", False), ("busy loop", True)):
            add(figures, what, *asyncio.run(talk(stage.server, seconds, busy=busy)))
    figures.show()
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main())
