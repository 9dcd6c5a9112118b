"""What `kill -9` of every part leaves: runs, rooms, processes and budget, on a real server.

Run by `make bench-kills`; prints a table and exits 1 when a bound does not hold. `--kills 20` kills
the exporter, a probe process, livekit-server and the agent's worker twenty times each, at random
moments of a seeded sequence.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from pathlib import Path

import psutil

from bench.report import Report
from exporter.demo.livekit_binary import ServerProgram, find_server
from exporter.demo.livekit_server import LiveKitServer
from exporter.demo.processes import Child
from exporter.run.runner import LATE_AGENT_S
from tests.integration.killing import AGENT, Account, Site
from tests.integration.workers import truth_worker

CYCLE_S = 12.0
"""A kill comes within so long after everything runs: one interval and a call."""
RECOVERY_S = 120.0
"""For a call to succeed again after a kill."""
SETTLE_S = LATE_AGENT_S + 60.0


class Round:
    """Kills of one kind, on a site of its own."""

    def __init__(self, program: ServerProgram, folder: Path, seed: int) -> None:
        folder.mkdir()
        self.folder = folder
        self.chance = random.Random(seed)
        self.livekit = LiveKitServer(program, folder)
        self.livekit.start()
        self.site = Site(self.livekit.server, folder)
        self._worker: AbstractContextManager[Child] | None = None
        self._worker_child: Child | None = None
        self.left: tuple[str, ...] = ()
        """Runs, rooms and processes that were there at the last look."""
        self.recoveries: list[float] = []
        """Seconds from the moment that all runs again to the next call that measured."""

    def start(self) -> None:
        """Start worker and exporter."""
        self.start_worker()
        self.site.start()

    def start_worker(self) -> None:
        """Start the agent's worker and wait until it is registered."""
        self._worker = truth_worker(self.livekit.server, self.folder, AGENT)
        self._worker_child = self._worker.__enter__()

    def stop_worker(self) -> None:
        """End the worker and all that it has started."""
        if self._worker is not None:
            self._worker.__exit__(None, None, None)
            self._worker = None

    def run(self, kill: Callable[["Round"], None], kills: int) -> Account:
        """Kill again and again, then let it settle, and return what the ledger says."""
        for _ in range(kills):
            self.site.exporter.wait(self.chance.uniform(0, CYCLE_S))
            kill(self)
            self._await_call()
        with suppress(RuntimeError):  # the table tells
            self.site.until(self._has_settled, SETTLE_S)
        return self.site.account()

    def stop(self) -> None:
        """Stop everything in order."""
        self.site.stop()
        self.stop_worker()
        self.livekit.stop()

    def kill_worker(self) -> None:
        """Kill the worker's main process, then what it leaves, and start another."""
        if self._worker_child is not None:
            psutil.Process(self._worker_child.pid).kill()
        self.site.exporter.wait(self.chance.uniform(0, 3))
        self.stop_worker()
        self.start_worker()

    def _await_call(self) -> None:
        """Wait until a call has measured again."""
        began, before = time.monotonic(), self.site.measured()
        self.site.until(lambda: self.site.measured() > before, RECOVERY_S)
        self.recoveries.append(time.monotonic() - began)

    def _has_settled(self) -> bool:
        """Return whether nothing is left of what was killed."""
        left = [
            *self.site.overdue_runs(),
            *self.site.stray_rooms(),
            *(process.pid for process in self.site.orphans()),
        ]
        self.left = tuple(map(str, left))
        return not left


def kill_exporter(round_: Round) -> None:
    """Kill the exporter and start it again."""
    round_.site.kill()
    round_.site.exporter.wait(round_.chance.uniform(0, 2))
    round_.site.start()


def kill_probe(round_: Round) -> None:
    """Kill one of the exporter's processes that run probes."""
    children = psutil.Process(round_.site.exporter.pid).children(recursive=True)
    probes = [each for each in children if "resource_tracker" not in " ".join(each.cmdline())]
    round_.chance.choice(probes).kill()


def kill_livekit(round_: Round) -> None:
    """Kill livekit-server and start it again, on the same ports."""
    round_.livekit.child.kill()
    round_.site.exporter.wait(round_.chance.uniform(0, 3))
    round_.livekit.start()


KILLS: dict[str, Callable[[Round], None]] = {
    "exporter": kill_exporter,
    "probe process": kill_probe,
    "livekit-server": kill_livekit,
    "agent's worker": Round.kill_worker,
}


def main() -> int:
    """Run every kind of kill and print a table of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="of each part")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=KILLS, action="append")
    options = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        program = find_server(os.environ, report.say)
        for place, kind in enumerate(options.only or KILLS):
            folder = Path(name) / str(place)
            show(report, kind, options.kills, Round(program, folder, options.seed))
    return 0 if report.held else 1


def show(report: Report, kind: str, kills: int, round_: Round) -> None:
    """Run the kills of one kind and print what they left."""
    with ExitStack() as stack:
        stack.callback(round_.stop)
        round_.start()
        account = round_.run(KILLS[kind], kills)
        round_.site.stop()
        rooms, orphans = len(round_.site.rooms()), len(round_.site.orphans())
    cut = kills if kind == "exporter" else 0
    calls = account.ended + account.open
    slowest = max(round_.recoveries, default=0.0)
    rows = report.figures(f"kill -9 of the {kind}, {kills} times")
    rows.add("calls begun", calls, str(calls))
    rows.add("ended in the history", calls, str(account.ended))
    rows.check(
        "ended with their exporter",
        calls,
        str(account.cut_off),
        bound=f"<= {cut}",
        holds=account.cut_off <= cut,
    )
    rows.add("failed otherwise", calls, str(account.failed - account.cut_off))
    rows.check(
        "heard by the agent, not in the ledger",
        calls,
        str(account.unknown),
        bound="0",
        holds=account.unknown == 0,
    )
    left = " ".join(round_.left) or "nothing"
    rows.check("left once it settled", kills, left, bound="nothing", holds=not round_.left)
    rows.check("rooms left after SIGTERM", kills, str(rooms), bound="0", holds=rooms == 0)
    rows.check("processes left", kills, str(orphans), bound="0", holds=orphans == 0)
    rows.check(
        "turns spent, by the ledger's sum",
        calls,
        str(account.spent),
        bound=f"= {account.expected} by its history",
        holds=account.spent == account.expected,
    )
    rows.check(
        "turns heard by the agent",
        calls,
        str(account.heard),
        bound=f"<= {account.spent} spent",
        holds=account.heard <= account.spent,
    )
    rows.check(
        "a call measures again, slowest",
        kills,
        f"{slowest:.0f} s",
        bound="< 60 s",
        holds=slowest < 60,
    )
    rows.show()


if __name__ == "__main__":
    sys.exit(main())
