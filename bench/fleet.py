"""Whether three exporters of a group keep their promises while they and their Redis are killed.

Run by `make bench-fleet`; prints a table and exits 1 when a bound does not hold. Exporters, Redis
and livekit-server are real, each call is answered by a light agent, and the truth is what the
server tells by webhooks: see `fleet_witness`. The whole promise, on an idle machine:
`--targets 60 --interval 300 --minutes 30 --kills 20`.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import yaml
from redis import Redis

from bench.fleet_witness import (
    EXPORTER,
    TARGET,
    Life,
    Run,
    Witness,
    answers,
    ledger,
    longest_gaps,
    lost_turns,
    overlaps,
    repeats,
)
from bench.machine import machine_told
from bench.report import Report
from exporter.demo.livekit_binary import find_server
from exporter.demo.livekit_server import LiveKitServer, free_ports
from exporter.demo.processes import Child
from exporter.server_api import Server
from tests import patience, plain_http
from tests.redis_server import RedisServer

NAMES = ("a", "b", "c")
GROUP = PREFIX = "bench"
AGENT, DELAY_S = "fleet", 0.3
BACK_AFTER_S = (0.5, 8.0)
"""What was killed is started again after a time between these."""
LOOK_EVERY_S = 2.0
AFTER_KILL_S = 10.0
"""Beyond two intervals, within which a target is called again."""


class Member:
    """One exporter of the group: its configuration, its process, and the lives that it had."""

    def __init__(
        self, name: str, server: Server, folder: Path, redis: str, options: argparse.Namespace
    ) -> None:
        """Write the configuration; nothing runs yet.

        Args:
            name: Of the exporter.
            server: Where it calls.
            folder: For its files.
            redis: URL of the Redis of the group.
            options: Of the command line.
        """
        self.name = name
        self._server = server
        self._log = folder / f"{name}.log"
        self._config = folder / f"{name}.yaml"
        self._address = f"127.0.0.1:{free_ports().signal}"
        self._child: Child | None = None
        self.lives: list[Life] = []
        url_file = folder / f"{name}.url"
        url_file.write_text(redis)
        off = {"enabled": False}
        settings = {
            "group": GROUP,
            "server_name": "bench",
            "web": {"listen_address": self._address},
            "store": {
                "folder": str(folder / name),
                "redis": {"url_file": str(url_file), "prefix": PREFIX},
            },
            "pool": {"processes": options.processes},
            **dict.fromkeys(("sfu", "reach", "reconnect"), off),
            "calibrate": {"interval": "1d", "calls": 1, "trials": 1},
            "targets": [self._target(each, options.interval) for each in targets_of(options)],
        }
        self._config.write_text(yaml.safe_dump(settings), encoding="utf-8")

    def _target(self, target: str, interval_s: float) -> dict[str, object]:
        return {
            "agent_name": AGENT,
            "call_type": target,
            "dispatch": "automatic",
            "interval": interval_s,
            "trials": 1,
            "warmup": False,
            "greeting": "none",
            "caller": {"attributes": {TARGET: target, EXPORTER: self.name}},
            "budget": {"turns_per_day": 1_000_000},
        }

    @property
    def runs(self) -> bool:
        """Whether its process is there."""
        return self._child is not None and self._child.exit_code is None

    @property
    def is_ready(self) -> bool:
        """Whether it answers that it is ready."""
        with suppress(httpx.HTTPError):
            return plain_http.get(f"http://{self._address}/-/ready", timeout_s=5).is_success
        return False

    def start(self) -> None:
        """Start it."""
        environ = os.environ | {
            "LIVEKIT_URL": self._server.url,
            "LIVEKIT_API_KEY": self._server.api_key,
            "LIVEKIT_API_SECRET": self._server.api_secret,
        }
        argv = [sys.executable, "-m", "exporter", "serve", "--config", str(self._config)]
        self._child = Child(f"exporter {self.name}", argv, log=self._log, environ=environ)
        self.lives.append(Life(self.name, time.monotonic()))

    def look(self) -> None:
        """Read its counters, as a Prometheus would."""
        with suppress(httpx.HTTPError):
            page = plain_http.get(f"http://{self._address}/metrics", timeout_s=5)
            if page.is_success:
                life = self.lives[-1]
                life.turns = _sum(page.text, "voice_turns_total")
                life.refused = _sum(page.text, "voice_lease_results_refused_total")

    def kill(self) -> None:
        """Kill its own process with SIGKILL; those of its probes have to notice by themselves."""
        if self._child is not None:
            self.look()
            self.lives[-1].ended = time.monotonic()
            psutil.Process(self._child.pid).kill()
            self._child.wait(patience.END_S)

    def stop(self) -> int | None:
        """Stop it in order; returns its exit status."""
        if self._child is None:
            return None
        self.lives[-1].ended = self.lives[-1].ended or time.monotonic()
        self._child.terminate()
        self._child.wait(patience.END_S)
        status = self._child.exit_code
        self._child.kill()
        return status


class Fleet:
    """The group, its Redis, and what is killed when."""

    def __init__(
        self, members: Sequence[Member], redis: RedisServer, chance: random.Random
    ) -> None:
        self.members = members
        self._redis = redis
        self._chance = chance
        self._agenda: list[tuple[float, Callable[[], None]]] = []
        self.killed = 0
        """Exporters, so far; Redis as often."""

    def start(self) -> None:
        """Start all exporters, and wait until they are ready."""
        for member in self.members:
            member.start()
        for member in self.members:
            patience.until(lambda m=member: m.is_ready, patience.START_S, member.name)  # type: ignore[misc] # bound at once

    def run(self, seconds: float, kills: int) -> None:
        """Let it work, and kill at random moments."""
        began = time.monotonic()
        for kill in (self._kill_exporter, self._kill_redis):
            moments = (self._chance.uniform(0.1, 0.9) * seconds for _ in range(kills))
            self._agenda += [(began + moment, kill) for moment in moments]
        while (now := time.monotonic()) < began + seconds or self._agenda:
            for each in [each for each in self._agenda if each[0] <= now]:
                self._agenda.remove(each)
                each[1]()
            for member in self.members:
                if member.runs:
                    member.look()
            time.sleep(LOOK_EVERY_S)

    def _later(self, action: Callable[[], None]) -> None:
        self._agenda.append((time.monotonic() + self._chance.uniform(*BACK_AFTER_S), action))

    def _kill_exporter(self) -> None:
        """Kill one that runs; where none does, when one is back."""
        running = [member for member in self.members if member.runs]
        if not running:
            self._later(self._kill_exporter)
            return
        member = self._chance.choice(running)
        member.kill()
        self.killed += 1
        self._later(member.start)

    def _kill_redis(self) -> None:
        if not self._redis.is_running:
            self._later(self._kill_redis)
            return
        self._redis.kill()
        self._later(self._redis.start)


def targets_of(options: argparse.Namespace) -> list[str]:
    """Return the names of all targets."""
    return [f"t{number:02}" for number in range(options.targets)]


def _sum(page: str, family: str) -> float:
    """Return the sum of all series of a family."""
    lines = (line for line in page.splitlines() if line.startswith((f"{family}{{", f"{family} ")))
    return sum(float(line.rpartition(" ")[2]) for line in lines)


@contextmanager
def agents(server: Server, folder: Path, witness: Witness) -> Iterator[Path]:
    """Run the agents until the block ends; yields their journal.

    Args:
        server: To which they go.
        folder: Takes journal and log.
        witness: Tells them where a caller is.
    """
    journal = folder / "answers"
    journal.touch()
    environ = os.environ | {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
    }
    argv = [sys.executable, "-m", "bench.fleet_agent", str(journal), str(DELAY_S)]
    with (folder / "agents.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=log, text=True, env=environ)

    def join(room: str) -> None:
        if process.stdin is not None:
            process.stdin.write(f"{room}\n")
            process.stdin.flush()

    witness.on_caller = join
    try:
        yield journal
    finally:
        process.kill()
        process.communicate()


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
        told = answers(journal)
    lives = [life for member in members for life in member.lives]
    tell_calls(report, witness, options, (began, ended))
    tell_turns(report, witness, lives, told, len(runs))
    tell_budget(report, witness, runs, spent, told)
    report.say(f"exporters killed {fleet.killed} times; status at the end {statuses}")


def tell_calls(
    report: Report,
    witness: Witness,
    options: argparse.Namespace,
    span: tuple[float, float],
) -> None:
    """Print who was called by whom and when."""
    calls, interval_s = witness.calls, options.interval
    n, both, again = len(calls), overlaps(calls, span[1]), repeats(calls, interval_s)
    for first, second, seconds in both:
        report.say(f"two at once: {first} and {second} for {seconds:.1f} s")
    for first, second in again:
        report.say(f"twice: {first} and {second}")
    rows = report.figures("calls, by the server's own word")
    rows.add("calls", n, " ".join(f"{e}:{sum(c.exporter == e for c in calls)}" for e in NAMES))
    rows.check("two callers at once", n, str(len(both)), bound="0", holds=not both)
    rows.check("called twice in one slot", n, str(len(again)), bound="0", holds=not again)
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
    report: Report, witness: Witness, lives: Sequence[Life], told: dict[str, int], runs: int
) -> None:
    """Print what the counters have of the turns that were answered."""
    calls, counted = witness.calls, round(sum(life.turns for life in lives))
    lost, flying = lost_turns(lives, calls, told)
    rows = report.figures("turns, by the counters and by the agents")
    rows.add("answered by the agents", len(calls), str(sum(told.values())))
    rows.add("in the counters of all exporters", len(lives), str(counted))
    rows.add("results refused", len(lives), f"{sum(life.refused for life in lives):.0f}")
    rows.add("calls in flight when their exporter ended", len(lives), str(flying))
    rows.check(
        "answered, ended, and in no counter", len(calls), str(lost), bound="0", holds=not lost
    )
    rows.check("counted", counted, str(counted), bound=f"<= {runs} runs", holds=counted <= runs)
    rows.show()


def tell_budget(
    report: Report,
    witness: Witness,
    runs: dict[str, Run],
    spent: dict[str, int],
    told: dict[str, int],
) -> None:
    """Print what the ledger has charged, and for what."""
    answered = {run_id for run_id, count in told.items() if count}
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
    rows.add("turns answered", len(answered), str(sum(told.values())))
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
