"""Probes that record a call of noise, in a process of the runner's."""

import asyncio
import os
import signal
import time

import numpy as np

from exporter.evidence.reading import steps_of
from exporter.evidence.recording import Recording
from exporter.outcome import EvidenceLost, LossReason, Outcome, Timeline, Turn, TurnOutcome
from exporter.probe import Run
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.process import ProbeTable
from tests import fake_probes
from tests.fake_probes import row

CHUNK_S = 0.05
ENOUGH = 50
"""Steps that are on the disk when it dies: a second."""


async def dies(_config: LatencyConfig, run: Run) -> Outcome:
    """Record, and die as soon as a second of it is on the disk."""
    run.log("it is going to die")
    await _record(run)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


async def goes_on(_config: LatencyConfig, run: Run) -> Outcome:
    """Record, tell of a turn as soon as a second of it is on the disk, and wait for ever."""
    await _record(run)
    run.on_turn(Turn(TurnOutcome.REPLIED, e2e_s=0.5))
    await asyncio.Event().wait()
    raise AssertionError("it was not ended")


async def _record(run: Run) -> None:
    assert run.keep is not None
    recording = Recording(run, run.keep, Timeline())
    recording.begin()
    noise = np.random.default_rng(1).integers(-3000, 3000, 2400).astype(np.int16)
    while not (run.keep.folder.exists() and steps_of(run.keep.folder) >= ENOUGH):
        recording.tape.said(time.monotonic(), noise)
        await asyncio.sleep(CHUNK_S)


async def loses(config: LatencyConfig, run: Run) -> Outcome:
    """Tell that the disk is full, and go on."""
    run.on_lost(EvidenceLost(LossReason.DISK_FULL, "told by the test"))
    return await fake_probes.call(config, run)


GOES_ON_TABLE = {"latency": row("latency", LatencyConfig, f"{__name__}:goes_on")}
DIES_TABLE = {"latency": row("latency", LatencyConfig, f"{__name__}:dies")}
LOSES_TABLE = {"latency": row("latency", LatencyConfig, f"{__name__}:loses")}
GOES_ON = ProbeTable(__name__, "GOES_ON_TABLE")
DIES = ProbeTable(__name__, "DIES_TABLE")
LOSES = ProbeTable(__name__, "LOSES_TABLE")
