"""Probes that record a call of noise, in a process of the runner's."""

import asyncio
import os
import signal
import time

import numpy as np

from exporter.evidence.reading import steps_of
from exporter.evidence.recording import Recording
from exporter.outcome import EvidenceLost, LossReason, Outcome, Timeline
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
    assert run.keep is not None
    recording = Recording(run, run.keep, Timeline())
    recording.begin()
    run.log("it is going to die")
    noise = np.random.default_rng(1).integers(-3000, 3000, 2400).astype(np.int16)
    while not (run.keep.folder.exists() and steps_of(run.keep.folder) >= ENOUGH):
        recording.tape.said(time.monotonic(), noise)
        await asyncio.sleep(CHUNK_S)
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("still alive")


async def loses(config: LatencyConfig, run: Run) -> Outcome:
    """Tell that the disk is full, and go on."""
    run.on_lost(EvidenceLost(LossReason.DISK_FULL, "told by the test"))
    return await fake_probes.call(config, run)


DIES_TABLE = {"latency": row("latency", LatencyConfig, f"{__name__}:dies")}
LOSES_TABLE = {"latency": row("latency", LatencyConfig, f"{__name__}:loses")}
DIES = ProbeTable(__name__, "DIES_TABLE")
LOSES = ProbeTable(__name__, "LOSES_TABLE")
