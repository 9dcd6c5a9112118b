"""Three exporters of a group, their agents, and what is killed when, for `bench.fleet`."""

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import yaml

from bench.fleet_witness import EXPORTER, TARGET, Life, Witness
from exporter.demo.livekit_server import free_ports
from exporter.demo.processes import Child
from exporter.server_api import Server
from tests import patience, plain_http
from tests.redis_server import RedisServer

GROUP = PREFIX = "bench"
AGENT, DELAY_S = "fleet", 0.3
BACK_AFTER_S = (0.5, 8.0)
"""What was killed is started again after a time between these."""
LOOK_EVERY_S = 2.0


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
