"""Who called whom, by the server's own word, and what follows from that. No code of the exporter.

The livekit-server tells of rooms and participants by webhooks. Each caller carries the target and
the exporter in its attributes. The agents note how often they answered. The ledger in Redis is read
as the documents that it consists of.
"""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

from redis import Redis

TARGET, EXPORTER = "bench.target", "bench.exporter"
"""Attributes of a caller."""
ROOMS = "voice-exporter-"
IN_FLIGHT_S = 5.0
"""A call that ended so long before its exporter was killed has been counted, or is lost."""


@dataclass(slots=True)
class Call:
    """A call as the server tells of it; times are of this process, monotonic."""

    room: str
    target: str
    exporter: str
    began: float
    ended: float | None = None

    @property
    def run_id(self) -> str:
        """The id that the ledger has for it."""
        return self.room.removeprefix(ROOMS)


class Witness:
    """Takes the webhooks of a livekit-server, until the block ends."""

    def __init__(self) -> None:
        """Listen on a free port."""
        self.on_caller: Callable[[str], None] = lambda _room: None
        """Called with the room of each caller that has joined."""
        self._calls: dict[tuple[str, str], Call] = {}
        self._lock = threading.Lock()
        note = self._note

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                note(json.loads(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def calls(self) -> list[Call]:
        """All calls so far, by their begin."""
        with self._lock:
            return sorted(self._calls.values(), key=lambda call: call.began)

    def _note(self, event: Mapping[str, Any]) -> None:
        now, what = time.monotonic(), event["event"]
        room, who = event.get("room", {}), event.get("participant", {})
        name, attributes = room.get("name", ""), who.get("attributes", {})
        key = name, who.get("sid", "")
        is_new = what == "participant_joined" and TARGET in attributes
        with self._lock:
            if is_new:
                call = Call(name, attributes[TARGET], attributes[EXPORTER], now)
                self._calls.setdefault(key, call)
            elif what.startswith("participant_") and key in self._calls:  # left, or aborted
                self._calls[key].ended = self._calls[key].ended or now
        if is_new:
            self.on_caller(name)


@dataclass(slots=True)
class Life:
    """One process of an exporter, from its start to its end."""

    exporter: str
    began: float
    ended: float | None = None
    turns: float = 0.0
    """In its counters, when they were last read."""
    refused: float = 0.0
    """Runs whose result it has not used."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run as the ledger has it."""

    target: str
    reason: str | None
    detail: str
    turns: int
    is_open: bool

    @property
    def is_uncounted(self) -> bool:
        """Whether it is in no counter, as it should be: its exporter has died, or its lease."""
        return self.is_open or "exporter ended" in self.detail or "lease of the" in self.detail

    @property
    def charged(self) -> int:
        """What it costs in turns: one that was cut off costs its plan, which is one."""
        cut = self.is_open or self.reason in ("probe_crashed", "deadline")
        return max(self.turns, 1) if cut else self.turns


def ledger(redis: "Redis", prefix: str) -> tuple[dict[str, Run], dict[str, int]]:
    """Return the calls of the ledger by id, and the turns that were spent by target."""
    runs: dict[str, Run] = {}
    for place in ("runs", "open"):
        for run_id, text in _table(redis, f"{{{prefix}}}:{place}"):
            run = json.loads(text)
            if run["probe"] == "latency":
                why = run.get("reason"), run.get("detail", "")
                turns, is_open = len(run.get("turns", ())), place == "open"
                runs.setdefault(run_id, Run(run["call_type"], *why, turns, is_open))
    spent: dict[str, int] = defaultdict(int)
    for day in map(str, redis.smembers(f"{{{prefix}}}:days")):
        for field, value in _table(redis, f"{{{prefix}}}:spent:{day}"):
            kind, _, account = field.partition(" ")
            if kind == "turns":
                spent[account.split("/")[2]] += int(value)
    return runs, dict(spent)


def _table(redis: "Redis", key: str) -> list[tuple[str, str]]:
    return [(str(field), str(value)) for field, value in redis.hgetall(key).items()]


def answered_runs(journal: Path) -> frozenset[str]:
    """Return the ids of the runs whose turn was answered.

    A call has one turn. An agent that hears it in pieces, as on a busy machine, answers each.
    """
    lines = (line.split() for line in journal.read_text().splitlines())
    return frozenset(room.removeprefix(ROOMS) for room, count in lines if int(count))


def by_target(calls: Iterable[Call]) -> dict[str, list[Call]]:
    """Return calls by target, each in the order of their begin."""
    found = defaultdict(list)
    for call in calls:
        found[call.target].append(call)
    return dict(found)


def overlaps(calls: Sequence[Call], until: float) -> list[tuple[Call, Call, float]]:
    """Return pairs of calls to one target at one time, with the seconds that both lasted."""
    found = []
    for each in by_target(calls).values():
        for place, call in enumerate(each):
            for later in each[place + 1 :]:
                both = min(call.ended or until, later.ended or until) - later.began
                if both > 0:
                    found.append((call, later, both))
    return found


def repeats(calls: Sequence[Call], apart_s: float) -> list[tuple[Call, Call]]:
    """Return pairs of calls to one target, one after another, less than that apart."""
    return [
        (before, call)
        for each in by_target(calls).values()
        for before, call in pairwise(each)
        if call.began - before.began < apart_s
    ]


def longest_gaps(
    calls: Sequence[Call], targets: Iterable[str], began: float, ended: float
) -> dict[str, float]:
    """Return the longest time without the begin of a call, for each target."""
    found = by_target(calls)
    return {
        name: max(
            later - earlier
            for earlier, later in pairwise(
                [began, *(each.began for each in found.get(name, ())), ended]
            )
        )
        for name in targets
    }


def lost_turns(
    lives: Sequence[Life], calls: Sequence[Call], answered: Collection[str]
) -> tuple[int, int]:
    """Return turns that were answered and are in no counter, and calls that were in flight.

    Refused results are in no counter either, by design.
    """
    lost, flying = 0, 0
    for life in lives:
        end = life.ended if life.ended is not None else float("inf")
        mine = [c for c in calls if c.exporter == life.exporter and life.began <= c.began < end]
        settled = [c for c in mine if c.ended is not None and c.ended < end - IN_FLIGHT_S]
        flying += len(mine) - len(settled)
        told = sum(call.run_id in answered for call in settled)
        lost += max(0, round(told - life.turns - life.refused))
    return lost, flying
