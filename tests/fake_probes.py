"""Probes that misbehave in every way a real one can; run by the real pool, in its processes."""

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from exporter.errors import ProbeError
from exporter.limits import Limit
from exporter.outcome import CallResult, Finding, Outcome, Reason, Turn, TurnOutcome
from exporter.probe import Lane, Probe, Run, always, failed_is_all
from exporter.probes.latency.spec import PROBE as LATENCY
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.process import ProbeTable

VAIN_S = 2.0
"""How long `waits_in_vain` waits."""
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
    return run.outcome("latency", config.agent_name, result=result)


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


async def waits_in_vain(config: FakeConfig, _run: Run) -> Outcome:
    """Write this process's id to the note, and wait for what does not come."""
    assert config.note
    since = time.monotonic()
    config.note.write_text(f"{os.getpid()} ")
    await asyncio.sleep(VAIN_S)
    raise Limit.DISPATCH.ran_out("nobody took the dispatch", since, VAIN_S)


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


def row(name: str, config: type[BaseModel], measure: str, lane: Lane = "call") -> Probe[Any, Any]:
    """Return the row of a fake; a call is judged as calls are, everything else by its failure."""
    if config is LatencyConfig:
        return replace(LATENCY, name=name, measure=measure, lane=lane)
    return Probe(
        *(name, config, measure, lane),
        judge=failed_is_all,
        summary=str,
        families=(),
        reader=always(lambda _config, _outcome: ()),
    )


def _row(name: str, config: type[BaseModel] = FakeConfig) -> Probe[Any, Any]:
    return row(name, config, f"tests.fake_probes:{name}")


def _cannot_judge(_config: BaseModel, _outcome: Outcome) -> tuple[Finding, ...]:
    raise ValueError("no such threshold")


_CALLS = ("call", "dies_in_call")
_OTHERS = (
    *("good", "hangs", "reports_pid", "waits_in_vain", "ignores_cancellation", "blocks"),
    *(
        "segfaults",
        "exits",
        "raises",
        "fails",
        "times_out_by_itself",
        "returns_nothing",
        "says_it_all",
    ),
)
PROBES = {
    **{name: _row(name, LatencyConfig) for name in _CALLS},
    **{name: _row(name) for name in _OTHERS},
    "misjudged": replace(
        row("misjudged", FakeConfig, "tests.fake_probes:good"), judge=_cannot_judge
    ),
    "solo": replace(_row("good"), name="solo", alone=True),
    "listing": row("listing", FakeConfig, "tests.fake_probes:good", "api"),
}
