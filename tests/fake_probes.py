"""Probes that misbehave in every way a real one can; run by the real pool, in its processes."""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from exporter.errors import ProbeError
from exporter.outcome import CallResult, Outcome, Reason, Turn, TurnOutcome
from exporter.probes import Probe
from exporter.probes.latency import LatencyConfig
from exporter.probes.run import Run
from exporter.run.process import ProbeTable

TABLE = ProbeTable("tests.fake_probes", "PROBES")


class FakeConfig(BaseModel):
    """What every fake is told."""

    model_config = ConfigDict(frozen=True)

    deadline: float = 30.0
    agent_name: str = "fake"
    note: Path | None = None
    """A file in which the probe leaves a trace."""


async def good(_config: FakeConfig, run: Run) -> Outcome:
    """Return at once, with this process's id as the detail's place."""
    run.log("all is well")
    return run.outcome("good", "fake", detail=str(os.getpid()))


async def call(config: LatencyConfig, run: Run) -> Outcome:
    """Tell of two turns, then return them."""
    turns = tuple(Turn(TurnOutcome.REPLIED, warmup=n == 0, e2e_s=0.5 + n) for n in range(2))
    for turn in turns:
        run.on_turn(turn)
    result = CallResult(config.agent_name, config.call_type, config.scenario, turns)
    return run.outcome("call", config.agent_name, result=result)


async def dies_in_call(config: LatencyConfig, run: Run) -> Outcome:
    """Make the room that is asked for, tell of one turn, then die as native code does."""
    if config.room_name:
        run.on_room(config.room_name)
    run.on_turn(Turn(TurnOutcome.REPLIED, e2e_s=0.7))
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError("still alive")


async def hangs(config: FakeConfig, _run: Run) -> Outcome:
    """Wait for ever; leave a note when cancelled."""
    try:
        await asyncio.sleep(3600)
    finally:
        if config.note:
            with config.note.open("a") as note:
                note.write("left")
    raise AssertionError("woke up")


async def reports_pid(config: FakeConfig, run: Run) -> Outcome:
    """Write this process's id to the note, then hang."""
    assert config.note
    config.note.write_text(f"{os.getpid()} ")
    return await hangs(config, run)


async def ignores_cancellation(_config: FakeConfig, run: Run) -> Outcome:
    """Go on waiting whatever it is told."""
    run.on_turn(Turn(TurnOutcome.REPLIED, e2e_s=0.9))
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3600)


async def blocks(_config: FakeConfig, _run: Run) -> Outcome:
    """Block the loop, as a native call that does not return."""
    while True:
        time.sleep(3600)  # noqa: ASYNC251 - that is the point


async def segfaults(_config: FakeConfig, _run: Run) -> Outcome:
    """Die of SIGSEGV."""
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError("still alive")


async def exits(_config: FakeConfig, _run: Run) -> Outcome:
    """Leave the process without a word."""
    os._exit(7)


async def raises(_config: FakeConfig, run: Run) -> Outcome:
    """Fail in a way that it does not know, with a secret in the words."""
    raise ValueError(f"cannot sign with\n{run.server.api_secret}")


async def fails(_config: FakeConfig, _run: Run) -> Outcome:
    """Fail in a way that it knows."""
    raise ProbeError(Reason.NO_WORKER, "nobody took the dispatch")


async def times_out_by_itself(_config: FakeConfig, _run: Run) -> Outcome:
    """Raise a TimeoutError that is not the deadline's."""
    raise TimeoutError("a read took too long")


async def returns_nothing(_config: FakeConfig, _run: Run) -> Outcome:
    """Break the contract."""
    return None  # type: ignore[return-value]


async def says_it_all(_config: FakeConfig, run: Run) -> Outcome:
    """Print on stdout, which belongs to the parent."""
    print("noise")  # noqa: T201 - that is the point
    return run.outcome("says_it_all")


PROBES = {
    "good": Probe(FakeConfig, good, "call"),
    "call": Probe(LatencyConfig, call, "call"),
    "dies_in_call": Probe(LatencyConfig, dies_in_call, "call"),
    "hangs": Probe(FakeConfig, hangs, "call"),
    "reports_pid": Probe(FakeConfig, reports_pid, "call"),
    "ignores_cancellation": Probe(FakeConfig, ignores_cancellation, "call"),
    "blocks": Probe(FakeConfig, blocks, "call"),
    "segfaults": Probe(FakeConfig, segfaults, "call"),
    "exits": Probe(FakeConfig, exits, "call"),
    "raises": Probe(FakeConfig, raises, "call"),
    "fails": Probe(FakeConfig, fails, "call"),
    "times_out_by_itself": Probe(FakeConfig, times_out_by_itself, "call"),
    "returns_nothing": Probe(FakeConfig, returns_nothing, "call"),
    "says_it_all": Probe(FakeConfig, says_it_all, "call"),
    "listing": Probe(FakeConfig, good, "api"),
}
