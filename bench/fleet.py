"""Whether three exporters of a group keep their promises while they and their Redis are killed.

Run by `make bench-fleet`; prints a table and exits 1 when a bound does not hold. Exporters, Redis
and livekit-server are real, each call is answered by a light agent, and the truth is what the
server tells by webhooks: see `fleet_witness`. The whole promise, on an idle machine:
`--targets 60 --interval 300 --minutes 30 --kills 20`.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from pathlib import Path

from redis import Redis

from bench.fleet_players import PREFIX, Fleet, Member, agents, targets_of
from bench.fleet_witness import (
    Life,
    Run,
    Witness,
    answered_runs,
    ledger,
    longest_gaps,
    lost_turns,
    overlaps,
    repeats,
)
from bench.machine import machine_told
from bench.report import Report
from exporter.demo.livekit_binary import find_server
from exporter.demo.livekit_server import LiveKitServer
from tests import patience
from tests.redis_server import RedisServer

NAMES = ("a", "b", "c")
AFTER_KILL_S = 10.0
"""Beyond two intervals, within which a target is called again."""
JITTER = 0.95
"""The shortest time between two calls, as a share of the interval."""


def bench(report: Report, folder: Path, options: argparse.Namespace) -> None:
    """Run the fleet, and print what became of it."""
    with ExitStack() as stack:
        witness = stack.enter_context(Witness())
        program = find_server(os.environ, report.say)
        livekit = stack.enter_context(LiveKitServer(program, folder, webhooks=witness.url))
        journal = stack.enter_context(agents(livekit.server, folder, witness))
        redis = stack.enter_context(RedisServer(folder / "redis"))
        members = [Member(name, livekit.server, folder, redis.url, options) for name in NAMES]
        fleet = Fleet(members, redis, random.Random(options.seed))
        for member in members:
            stack.callback(member.stop)
        fleet.start()
        began = time.monotonic()
        fleet.run(60 * options.minutes, options.kills)
        ended = time.monotonic()
        for member in members:
            member.look()
        statuses = [member.stop() for member in members]
        patience.until(lambda: all(call.ended for call in witness.calls), what="calls to end")
        with Redis(port=redis.port, decode_responses=True) as client:
            runs, spent = ledger(client, PREFIX)
        answered = answered_runs(journal)
    lives = [life for member in members for life in member.lives]
    tell_calls(report, witness, options, (began, ended))
    tell_turns(report, witness, lives, answered, runs.values())
    tell_budget(report, witness, runs, spent, answered)
    report.say(f"exporters killed {fleet.killed} times; status at the end {statuses}")


def tell_calls(
    report: Report,
    witness: Witness,
    options: argparse.Namespace,
    span: tuple[float, float],
) -> None:
    """Print who was called by whom and when."""
    calls, interval_s = witness.calls, options.interval
    apart_s = JITTER * interval_s - options.late
    n, both, again = len(calls), overlaps(calls, span[1]), repeats(calls, apart_s)
    for first, second, seconds in both:
        report.say(f"two at once: {first} and {second} for {seconds:.1f} s")
    for first, second in again:
        report.say(f"twice: {first} and {second}")
    rows = report.figures("calls, by the server's own word")
    rows.add("calls", n, " ".join(f"{e}:{sum(c.exporter == e for c in calls)}" for e in NAMES))
    rows.check("two callers at once", n, str(len(both)), bound="0", holds=not both)
    what = f"called again within {apart_s:.0f} s"
    rows.check(what, n, str(len(again)), bound="0", holds=not again)
    gaps = longest_gaps(calls, targets_of(options), *span)
    worst = max(gaps, key=lambda name: gaps[name])
    most_s = 2 * interval_s + AFTER_KILL_S
    rows.check(
        f"longest time without a call ({worst})",
        len(gaps),
        f"{gaps[worst]:.0f} s",
        bound=f"<= {most_s:.0f} s",
        holds=gaps[worst] <= most_s,
    )
    rows.show()


def tell_turns(
    report: Report,
    witness: Witness,
    lives: Sequence[Life],
    answered: Collection[str],
    runs: Collection[Run],
) -> None:
    """Print what the counters have of the turns that were answered."""
    calls, counted = witness.calls, round(sum(life.turns for life in lives))
    lost, flying = lost_turns(lives, calls, answered)
    rows = report.figures("turns, by the counters and by the agents")
    rows.add("answered by the agents", len(calls), str(len(answered)))
    rows.add("in the counters of all exporters", len(lives), str(counted))
    rows.add("results refused", len(lives), f"{sum(life.refused for life in lives):.0f}")
    rows.add("calls in flight when their exporter ended", len(lives), str(flying))
    rows.check(
        "answered, ended, and in no counter", len(calls), str(lost), bound="0", holds=not lost
    )
    apart = sum(run.is_uncounted for run in runs)
    missing = len(runs) - counted - apart
    rows.check(
        f"in the ledger, in no counter (but {apart} cut off)",
        len(runs),
        str(missing),
        bound=f"0 to {flying}",
        holds=0 <= missing <= flying,
    )
    rows.show()


def tell_budget(
    report: Report,
    witness: Witness,
    runs: dict[str, Run],
    spent: dict[str, int],
    answered: Collection[str],
) -> None:
    """Print what the ledger has charged, and for what."""
    called = {call.run_id for call in witness.calls}
    charged: dict[str, int] = dict.fromkeys(spent, 0)
    for run in runs.values():
        charged[run.target] = charged.get(run.target, 0) + run.charged
    unknown = called - runs.keys()
    unpaid = {each for each in answered if each in runs and not runs[each].charged}
    wrong = {name for name in charged if charged[name] != spent.get(name, 0)}
    unseen = [run for run_id, run in runs.items() if run_id not in called]
    rows = report.figures("budget, by the ledger and by the server's own word")
    n, total = len(runs), sum(spent.values())
    rows.add("turns answered", len(answered), str(len(answered)))
    rows.add("open at the end", n, str(sum(run.is_open for run in runs.values())))
    rows.add(
        "cut off with their exporter",
        n,
        str(sum(r.reason == "probe_crashed" for r in runs.values())),
    )
    rows.add(
        "failed otherwise",
        n,
        str(sum(r.reason not in (None, "probe_crashed") for r in runs.values())),
    )
    rows.add("ended before they had a room", n, str(len(unseen)))
    rows.check(
        "calls that the ledger does not know",
        len(called),
        str(len(unknown)),
        bound="0",
        holds=not unknown,
    )
    rows.check(
        "answered and not charged", len(answered), str(len(unpaid)), bound="0", holds=not unpaid
    )
    rows.check(
        "turns spent",
        n,
        str(total),
        bound=f"= {sum(charged.values())} by its runs",
        holds=not wrong,
    )
    rows.show()


def main() -> int:
    """Run it as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--kills", type=int, default=2, help="of exporters, and as many of Redis")
    parser.add_argument("--targets", type=int, default=6)
    parser.add_argument("--interval", type=float, default=60, help="of each target, in seconds")
    parser.add_argument("--processes", type=int, default=2, help="for calls, of each exporter")
    parser.add_argument(
        "--late", type=float, default=10, help="seconds by which a call may begin late"
    )
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--folder", type=Path, help="keep logs and configurations here")
    options = parser.parse_args()
    report = Report()
    report.say(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="bench-") as name, machine_told(report.say):
        folder = options.folder or Path(name)
        folder.mkdir(exist_ok=True)
        bench(report, folder, options)
    return 0 if report.held else 1


if __name__ == "__main__":
    sys.exit(main())
