"""Small kept calls, written as a probe's process and the exporter write them."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from exporter.evidence.config import EvidenceConfig
from exporter.evidence.journal import Entry
from exporter.evidence.keeper import Keeper, Watch
from exporter.evidence.recording import Files
from exporter.outcome import CallResult, EvidenceLost, Finding, LossReason, Outcome, Reason, Verdict
from exporter.probe import Keep
from exporter.rtc.levels import RATE

SECOND = np.random.default_rng(1).integers(-3000, 3000, (RATE, 2)).astype(np.int16)
"""Noise, which takes most room."""


def outcome(run_id: str, verdict: Verdict = Verdict.FAIL, reason: Reason | None = None) -> Outcome:
    """Return that of a call."""
    return Outcome(
        probe="latency",
        agent_name="demo",
        started_at=datetime(2026, 11, 20, tzinfo=UTC),
        duration_s=1.0,
        reason=reason,
        result=CallResult("demo", "default", "default"),
        run_id=run_id,
        findings=() if verdict is Verdict.PASS else (Finding(verdict, "as told"),),
    )


def write(folder: Path, *entries: Entry, audio: bool = True) -> None:
    """Write a call of a second into its own folder."""
    files = Files(Keep(folder, audio=audio))
    files.write(SECOND, entries)
    files.close()


class Shown(Watch):
    """What a keeper has shown."""

    def __init__(self) -> None:
        self.calls = self.size = -1
        self.losses: list[LossReason] = []

    def kept(self, calls: int, size: int) -> None:
        """Note it."""
        self.calls, self.size = calls, size

    def lost(self, reason: LossReason) -> None:
        """Note it."""
        self.losses.append(reason)


class House:
    """A folder of kept calls, and what keeps them."""

    def __init__(self, folder: Path, **config: Any) -> None:
        self.folder = folder
        self.shown = Shown()
        self.now = 1_000_000_000.0
        settings = EvidenceConfig(**config)
        self.keeper = Keeper(folder, settings, self.shown, clock=lambda: self.now)

    async def call(self, run_id: str, verdict: Verdict = Verdict.FAIL, **settings: Any) -> None:
        """Let a call be made, written and judged."""
        order = self.keeper.order(run_id)
        if order is not None:
            write(order.folder)
        await self.keeper.settle(outcome(run_id, verdict, **settings), 1.5)

    async def lose(self, run_id: str, reason: LossReason) -> None:
        """Let a call lose its evidence."""
        self.keeper.lost(run_id, EvidenceLost(reason, "told"))
        await self.keeper.settle(outcome(run_id))

    @property
    def kept(self) -> list[str]:
        """What is on the disk."""
        return sorted(each.name for each in self.folder.iterdir())


def run(*steps: Any) -> None:
    """Run coroutines one after the other, in one loop."""

    async def story() -> None:
        for each in steps:
            await each

    asyncio.run(story())
