"""`serve` over fake probes: `python -m tests.fake_daemon NOTE PROBE`.

PROBE is what every call does: `answers`, `hangs`, `ignores_cancellation` or `replays`.
"""

import pickle
import sys
from pathlib import Path

from pydantic import BaseModel

from exporter.daemon.serve import serve
from exporter.outcome import AgentInRoom, Listing, Outcome
from exporter.probe import Probe, Run
from exporter.probes.agents.spec import AgentsConfig
from exporter.probes.calibrate.spec import CalibrateConfig
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.sfu.spec import SfuConfig
from exporter.run.process import ProbeTable
from exporter.settings.settings import Settings
from tests import fake_probes
from tests.fake_probes import FakeConfig, row


async def lists(_config: AgentsConfig, run: Run) -> Outcome:
    """Find one agent, which no target names."""
    stray = AgentInRoom("stray", "agent-1", "room", "listening", humans=1, age_s=3)
    return run.outcome("agents", result=Listing((stray,), rooms=1))


async def calibrates(_config: CalibrateConfig, run: Run) -> Outcome:
    """Find nothing out."""
    return run.outcome("calibrate")


async def measures(_config: SfuConfig, run: Run) -> Outcome:
    """Find nothing out."""
    return run.outcome("sfu")


async def answers(config: LatencyConfig, run: Run) -> Outcome:
    """Have two turns."""
    return await fake_probes.call(config, run)


async def hangs(config: LatencyConfig, run: Run) -> Outcome:
    """Note this process's id in the file that the metadata names, and never end."""
    return await fake_probes.reports_pid(FakeConfig(note=Path(config.metadata)), run)


async def ignores_cancellation(config: LatencyConfig, run: Run) -> Outcome:
    """Note that it began, and go on whatever it is told."""
    Path(config.metadata).touch()  # noqa: ASYNC240 - an instant
    return await fake_probes.ignores_cancellation(FakeConfig(), run)


async def replays(config: LatencyConfig, run: Run) -> Outcome:
    """Return the next of the outcomes of calls that the note holds, pickled."""
    note = Path(config.metadata)
    outcome, *others = pickle.loads(note.read_bytes())  # noqa: ASYNC240, S301 - an instant; our own
    note.write_bytes(pickle.dumps(others))  # noqa: ASYNC240 - an instant
    for turn in outcome.result.turns:
        run.on_turn(turn)
    return outcome  # type: ignore[no-any-return] # as the test has written it


def _table(call: str) -> ProbeTable:
    return ProbeTable("tests.fake_daemon", f"{call.upper()}_TABLE")


def _latency(measure: str) -> Probe[BaseModel, object]:
    return row("latency", LatencyConfig, f"tests.fake_daemon:{measure}")


_OWN = {
    "agents": row("agents", AgentsConfig, "tests.fake_daemon:lists", "api"),
    "calibrate": row("calibrate", CalibrateConfig, "tests.fake_daemon:calibrates"),
    "sfu": row("sfu", SfuConfig, "tests.fake_daemon:measures"),
}
REPLAYS_TABLE = {**_OWN, "latency": _latency("replays")}
ANSWERS_TABLE = {**_OWN, "latency": _latency("answers")}
HANGS_TABLE = {**_OWN, "latency": _latency("hangs")}
IGNORES_CANCELLATION_TABLE = {**_OWN, "latency": _latency("ignores_cancellation")}


if __name__ == "__main__":
    note, call = sys.argv[1:]
    settings = Settings.model_validate(
        {
            "server_name": "fake",
            "log": {"level": "debug"},
            "livekit": {"url": "ws://127.0.0.1:1", "api_key": "key", "api_secret": "very-secret"},
            "store": {"folder": str(Path(note).parent / "state")},
            "web": {"listen_address": "127.0.0.1:0"},
            "sfu": {"enabled": False},
            "reach": {"enabled": False},
            "reconnect": {"enabled": False},
            "targets": [{"agent_name": "demo", "metadata": note, "trials": 1}],
        }
    )
    sys.exit(serve(lambda: settings, _table(call)))
