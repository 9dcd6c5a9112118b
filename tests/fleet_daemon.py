"""`serve` in a group, over calls that only note when they are made.

`python -m tests.fleet_daemon FOLDER`: FOLDER holds `fleet.json` (`Plan`), and the state.
"""

import asyncio
import json
import os
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from exporter.daemon.serve import serve
from exporter.outcome import Outcome
from exporter.probe import Run
from exporter.probes.agents.spec import AgentsConfig
from exporter.probes.calibrate.spec import CalibrateConfig
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.process import ProbeTable
from exporter.settings.settings import Settings
from tests import fake_probes
from tests.fake_probes import row

PLAN_NAME = "fleet.json"
DEADLINE_S = 180.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What an exporter of the group does."""

    journal: str
    """The file in which all calls of the group are noted."""
    url_file: str
    targets: int
    interval_s: float
    call_s: float
    processes: int = 2
    group: str = "g"

    @classmethod
    def of(cls, folder: Path) -> Self:
        """Read it."""
        return cls(**json.loads((folder / PLAN_NAME).read_text()))

    def write(self, folder: Path) -> None:
        """Write it for an exporter."""
        folder.mkdir()
        (folder / PLAN_NAME).write_text(json.dumps(asdict(self)))


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it is in the journal, on the one clock of this host."""

    agent_name: str
    caller: str
    """The id of the process that made it."""
    began: float
    ended: float | None
    """When it left, by itself or because it was cut off; None: its process was killed."""

    def overlaps(self, other: Self) -> bool:
        """Return whether both were calls to one target at one time."""
        first, second = sorted((self, other), key=lambda call: call.began)
        is_one = first.agent_name == second.agent_name
        return is_one and first.ended is not None and second.began < first.ended


def calls(journal: Path) -> list[Call]:
    """Return the calls of a journal, by the time at which they began."""
    begun: dict[tuple[str, str], list[Call]] = {}
    for line in journal.read_text().splitlines():
        at, what, agent_name, caller = line.split()
        of_both = begun.setdefault((agent_name, caller), [])
        if what == "begin":
            of_both.append(Call(agent_name, caller, float(at), None))
        else:
            last = of_both.pop()
            of_both.append(Call(agent_name, caller, last.began, float(at)))
    return sorted((call for each in begun.values() for call in each), key=lambda call: call.began)


async def notes(config: LatencyConfig, run: Run) -> Outcome:
    """Be a call of the length that the metadata name, and have two turns."""
    plan = json.loads(config.metadata)
    _note(plan["journal"], "begin", config.agent_name)
    try:
        await asyncio.sleep(plan["call_s"])
    finally:  # one that is cut off leaves as well
        _note(plan["journal"], "end", config.agent_name)
    return await fake_probes.call(config, run)


def _note(journal: str, what: str, agent_name: str) -> None:
    line = f"{time.monotonic():.3f} {what} {agent_name} {os.getpid()}\n".encode()
    file = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, line)  # one write: lines of several processes do not mix
    os.close(file)


TABLE = {
    "agents": row("agents", AgentsConfig, "tests.fake_daemon:lists", "api"),
    "calibrate": row("calibrate", CalibrateConfig, "tests.fake_daemon:calibrates"),
    "latency": row("latency", LatencyConfig, "tests.fleet_daemon:notes"),
}


def settings_of(folder: Path) -> Settings:
    """Return the configuration of one exporter of the group."""
    plan = Plan.of(folder)
    metadata = json.dumps({"journal": plan.journal, "call_s": plan.call_s})
    off = {"enabled": False}
    return Settings.model_validate(
        {
            "server_name": "fake",
            "group": plan.group,
            "livekit": {"url": "ws://127.0.0.1:1", "api_key": "key", "api_secret": "very-secret"},
            "store": {"folder": str(folder / "state"), "redis": {"url_file": plan.url_file}},
            "web": {"listen_address": "127.0.0.1:0"},
            "pool": {"processes": plan.processes},
            **dict.fromkeys(("sfu", "reach", "reconnect"), off),
            "targets": [
                {
                    "agent_name": f"agent-{place}",
                    "metadata": metadata,
                    "interval": plan.interval_s,
                    "trials": 1,
                    "deadline": max(DEADLINE_S, 2 * plan.call_s),
                    "budget": {"turns_per_day": None},
                }
                for place in range(plan.targets)
            ],
        }
    )


if __name__ == "__main__":
    sys.exit(
        serve(lambda: settings_of(Path(sys.argv[1])), ProbeTable("tests.fleet_daemon", "TABLE"))
    )
