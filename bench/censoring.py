"""Whether the turns that are void make an agent look quicker, or slower, than it is.

Run by `make bench-censoring`; prints a table and exits 1 when a bound does not hold. An agent that
shares no code with the caller replies after 0.8 s in half of the calls and after 4 s in the others.
Meanwhile the prober's process is stopped for 30 to 80 ms from time to time, as a CPU limit does.
If slow turns were void more often than quick ones, the share of quick ones would be read too high.
"""

import argparse
import asyncio
import math
import random
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from bench.calls import TRIALS, Call, sharp_utterance
from bench.plain import plain_calls
from bench.report import Report
from bench.stage import livekit_stage
from exporter.outcome import Turn, TurnOutcome
from exporter.server_api import Server

QUICK_S, SLOW_S = 0.8, 4.0
WITHIN_S = 1.5
TURNS = 240
"""Half an hour; with fewer the interval of the difference is too wide to show anything."""
APART = 0.15
"""By so much at most the shares of void turns may differ, as far as the interval tells."""
EVERY_S = 10.0
STOPPED_S = 0.03, 0.08
_Z = 1.96
"""Of the normal distribution, for an interval of 95 %."""


def interval(hits: int, n: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, by Wilson; all that is possible where n is 0."""
    if not n:
        return 0.0, 1.0
    share, spread = hits / n, _Z**2 / n
    middle = share + spread / 2
    half = _Z * math.sqrt((share * (1 - share) + spread / 4) / n)
    return (middle - half) / (1 + spread), (middle + half) / (1 + spread)


def difference(one: tuple[int, int], other: tuple[int, int]) -> tuple[float, float]:
    """Return the 95 % interval of how much the other share is larger, by Newcombe.

    Args:
        one: Hits, and of how many.
        other: The same.
    """
    (low, high), (other_low, other_high) = interval(*one), interval(*other)
    share, other_share = (hits / n if n else 0.5 for hits, n in (one, other))
    apart = other_share - share
    return (
        apart - math.hypot(other_share - other_low, high - share),
        apart + math.hypot(other_high - other_share, share - low),
    )


@contextmanager
def _stopped() -> Iterator[None]:
    """Let the processes in which this one runs probes stand still until the block ends."""
    stopped: list[psutil.Process] = []
    try:
        for child in psutil.Process().children():
            with suppress(psutil.NoSuchProcess):  # it was replaced meanwhile
                if "--multiprocessing-fork" in child.cmdline():
                    child.suspend()
                    stopped.append(child)
        yield
    finally:
        for child in stopped:
            with suppress(psutil.NoSuchProcess):
                child.resume()


async def hinder(every_s: float) -> None:
    """Make the prober late again and again, at random, until cancelled."""
    moments = random.Random(7)
    while True:
        await asyncio.sleep(moments.expovariate(1 / every_s))
        with _stopped():
            await asyncio.sleep(moments.uniform(*STOPPED_S))


async def measure(server: Server, folder: Path, turns: int, every_s: float) -> list[Call]:
    """Take at least so many turns, quick and slow calls in alternation, with a late prober."""
    delays_s = (QUICK_S, SLOW_S) * math.ceil(turns / (2 * TRIALS))
    hindering = asyncio.create_task(hinder(every_s))
    try:
        return await plain_calls(server, folder, sharp_utterance(folder), delays_s)
    finally:
        hindering.cancel()
        await asyncio.gather(hindering, return_exceptions=True)


def _share(hits: int, n: int) -> str:
    low, high = interval(hits, n)
    share = f"{hits / n:.0%}" if n else "none"
    return f"{share} ({low:.0%} to {high:.0%})"


def tell(report: Report, calls: Sequence[Call]) -> None:
    """Print how many turns of each kind are void, and the share of quick ones among the others."""
    of_delay = {
        delay_s: [turn for call in calls if call.delay_s == delay_s for turn in call.turns]
        for delay_s in (QUICK_S, SLOW_S)
    }
    turns = [turn for each in of_delay.values() for turn in each]
    rows = report.figures("a late prober, share and its 95 % interval")
    rows.add("turns", len(turns), "")
    for delay_s, each in of_delay.items():
        rows.add(f"void, of those after {delay_s:g} s", len(each), _void(each))
    low, high = difference(*(_voids(each) for each in of_delay.values()))
    rows.check(
        "void more often after the longer wait",
        len(turns),
        f"{low * 100:+.0f} to {high * 100:+.0f} points",
        bound=f"within {APART * 100:.0f} points",
        holds=low >= -APART and high <= APART and _voids(turns)[0] > 0,
    )
    failed = sum(turn.outcome is TurnOutcome.FAILED for turn in turns)
    rows.add("failed", len(turns), str(failed))
    told = len(of_delay[QUICK_S]) / len(turns) if turns else math.nan
    rows.add(f"within {WITHIN_S:g} s, as the agent was told", len(turns), f"{told:.0%}")
    measured = [turn.e2e_s for turn in turns if turn.e2e_s is not None]
    within, n = sum(seconds <= WITHIN_S for seconds in measured), len(measured)
    low, high = interval(within, n)
    rows.check(
        f"within {WITHIN_S:g} s, as measured",
        n,
        _share(within, n),
        bound="holds the told share",
        holds=n and low <= told <= high,
    )
    rows.show()
    for call in calls:
        if call.detail:
            report.say(f"  a call with replies after {call.delay_s:g} s: {call.detail}")


def _void(turns: Sequence[Turn]) -> str:
    voids, n = _voids(turns)
    return f"{voids}: {_share(voids, n)}"


def _voids(turns: Sequence[Turn]) -> tuple[int, int]:
    return sum(turn.outcome is TurnOutcome.VOID for turn in turns), len(turns)


def main() -> int:
    """Call the agent while the prober is late, and print what became of the turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS, help="at least, in calls of 4")
    parser.add_argument(
        "--every", type=float, default=EVERY_S, help="seconds between two stops, on average"
    )
    options = parser.parse_args()
    report = Report()
    with livekit_stage(report.say) as stage:
        calls = asyncio.run(measure(stage.server, stage.folder, options.turns, options.every))
    tell(report, calls)
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main())
