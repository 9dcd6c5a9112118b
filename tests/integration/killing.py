"""An exporter that is killed and started again, and the truth that its ledger is held against."""

import asyncio
import os
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import yaml

from exporter.demo.livekit_server import free_ports
from exporter.demo.processes import Child
from exporter.outcome import CallResult, Outcome
from exporter.probe import ROOM_PREFIX
from exporter.run.budget import spending
from exporter.run.leftovers import DETAIL
from exporter.server_api import Server, ServerApi
from exporter.store.records import RunRecord, Spending
from exporter.store.schema import RUN_COLUMNS, Row, to_record
from exporter.store.sqlite_file import FILE_NAME
from tests import patience, plain_http
from tests.integration.scripts import Script

AGENT = "truth"
TRIALS = 2
PLAN = Spending(TRIALS, 120.0)
CALL_S = 30.0
"""That a call lasts at most, though its waits would allow more."""


@dataclass(frozen=True, slots=True)
class Account:
    """What the ledger says of the calls, beside what the agent has heard."""

    ended: int
    """Calls in the history."""
    cut_off: int
    """Those of them that ended with their exporter."""
    failed: int
    """Those that have a reason."""
    open: int
    spent: int
    """Turns, by the ledger's own sum."""
    expected: int
    """Turns by the history: settled ones, and all of the plan of what was cut off or is open."""
    heard: int
    """Utterances that the agent has heard."""
    unknown: int
    """Calls that the agent has heard and the ledger does not know."""


class Site:
    """One exporter with its ledger on a real server, beside a worker of known replies."""

    def __init__(self, server: Server, folder: Path) -> None:
        """Write the configuration; nothing runs yet."""
        self.server = server
        self.journal = folder / "heard.txt"
        self.journal.touch()
        self._folder = folder
        self._ledger = folder / "state" / FILE_NAME
        self._address = f"127.0.0.1:{free_ports().signal}"
        self._config = folder / "kills.yaml"
        self._exporter: Child | None = None
        self.families: list[psutil.Process] = []
        """Every process that an exporter which was killed had started."""
        script = Script(delay_s=0.3, journal=str(self.journal))
        target = {
            "agent_name": AGENT,
            "metadata": script.metadata(),
            "interval": 10,
            "trials": TRIALS,
            "warmup": False,
            "greeting": "none",
            "join_timeout": 8,
            "track_timeout": 5,
            "greeting_timeout": 5,
            "reply_timeout": 4,
            "deadline": PLAN.call_seconds,
            "budget": {"turns_per_day": 1_000_000},
        }
        settings = {
            "web": {"listen_address": self._address},
            "store": {"folder": str(folder / "state")},
            "agents": {"interval": 5},
            "calibrate": {"interval": "1d"},
            "targets": [target],
        }
        self._config.write_text(yaml.safe_dump(settings), encoding="utf-8")

    @property
    def exporter(self) -> Child:
        """The exporter that runs now."""
        assert self._exporter is not None
        return self._exporter

    def start(self) -> None:
        """Start an exporter and wait until it is ready."""
        environ = os.environ | {
            "LIVEKIT_URL": self.server.url,
            "LIVEKIT_API_KEY": self.server.api_key,
            "LIVEKIT_API_SECRET": self.server.api_secret,
        }
        argv = [sys.executable, "-m", "exporter", "serve", "--config", str(self._config)]
        log = self._folder / "exporter.log"
        self._exporter = Child("exporter", argv, log=log, environ=environ)
        self.until(self._is_ready, patience.START_S)

    def kill(self) -> None:
        """Kill the exporter's own process with SIGKILL, as the kernel does when memory is short."""
        process = psutil.Process(self.exporter.pid)
        self.families += process.children(recursive=True)
        process.kill()
        self.exporter.wait(patience.END_S)

    def stop(self) -> None:
        """Stop the exporter in order."""
        if self._exporter is not None:
            self.exporter.terminate()
            self.exporter.wait(patience.END_S)
            self.exporter.kill()

    def until(self, condition: Callable[[], bool], limit_s: float) -> None:
        """Wait for a condition.

        Raises:
            RuntimeError: It did not hold in time.
        """
        deadline = time.monotonic() + limit_s
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"not in time\n{self.exporter.tail(30)}")
            time.sleep(0.05)

    def rooms(self) -> dict[str, str]:
        """Return the rooms of runs on the server, by the id of the run."""
        names = asyncio.run(_rooms(self.server))
        return {
            name.removeprefix(ROOM_PREFIX)[:16]: name
            for name in names
            if name.startswith(ROOM_PREFIX)
        }

    def open_runs(self) -> set[str]:
        """Return the ids of the runs that are open in the ledger."""
        return set(self._ask("SELECT run_id FROM open_runs"))

    def ended_runs(self) -> set[str]:
        """Return the ids of the runs in the history."""
        return set(self._ask("SELECT run_id FROM runs"))

    def measured(self) -> int:
        """Return how many calls have measured all that they set out to measure."""
        return len(self._ask("SELECT 1 FROM runs WHERE probe = 'latency' AND reason IS NULL"))

    def overdue_runs(self) -> set[str]:
        """Return the ids of the runs that are open for longer than a call may last."""
        since = time.time() - CALL_S - 15
        return set(self._ask(f"SELECT run_id FROM open_runs WHERE started_at_seconds < {since}"))  # noqa: S608

    def heard_in(self) -> Counter[str]:
        """Return how many utterances the agent has heard, by the id of the run."""
        lines = self.journal.read_text().splitlines()
        return Counter(line.removeprefix(ROOM_PREFIX) for line in lines)

    def stray_rooms(self) -> set[str]:
        """Return the rooms of runs that are not under way."""
        rooms = self.rooms()
        return {rooms[run_id] for run_id in rooms.keys() - self.open_runs()}

    def orphans(self) -> list[psutil.Process]:
        """Return what is left of the exporters that were killed."""
        return [process for process in self.families if process.is_running()]

    def account(self) -> Account:
        """Hold the ledger against what the agent has heard."""
        rows = self._rows(f"SELECT {RUN_COLUMNS} FROM runs WHERE probe = 'latency'")  # noqa: S608
        records = [to_record(row) for row in rows]
        running = set(self._ask("SELECT run_id FROM open_runs WHERE target != ''"))
        heard = self.heard_in()
        known = {record.run_id for record in records} | running
        return Account(
            ended=len(records),
            cut_off=sum(record.detail == DETAIL for record in records),
            failed=sum(record.reason is not None for record in records),
            open=len(running),
            spent=sum(self._ask("SELECT turns FROM spent")),
            expected=sum(map(_turns, records)) + PLAN.turns * len(running),
            heard=heard.total(),
            unknown=len(heard.keys() - known),
        )

    def _ask(self, question: str) -> list[Any]:
        """Return the first column."""
        return [row[0] for row in self._rows(question)]

    def _rows(self, question: str) -> list[Row]:
        if not self._ledger.exists():
            return []
        with closing(sqlite3.connect(self._ledger, timeout=10)) as connection:
            return connection.execute(question).fetchall()

    def _is_ready(self) -> bool:
        if self.exporter.exit_code is not None:
            raise RuntimeError(self.exporter.obituary())
        try:
            return plain_http.get(f"http://{self._address}/-/ready", timeout_s=5).is_success
        except httpx.HTTPError:
            return False


def _turns(record: RunRecord) -> int:
    """Return the turns that a run of the history should have been charged."""
    if record.detail == DETAIL:
        return PLAN.turns
    result = CallResult(record.agent_name, record.call_type, record.scenario, record.turns)
    outcome = Outcome(
        record.probe, record.agent_name, record.started_at, 0, record.reason, result=result
    )
    return spending(outcome, PLAN).turns


async def _rooms(server: Server) -> tuple[str, ...]:
    async with ServerApi(server) as api:
        return tuple(await api.list_rooms())
