"""A scheduler with fake work, and what it told."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from exporter.config.values import ProbeSection
from exporter.outcome import Outcome
from exporter.run.scheduler import Gate, RunProbe, Scheduler, Work

DONE = Outcome("fake", "", datetime(2026, 11, 20, tzinfo=UTC), 0.1)


class Nothing(ProbeSection):
    """The configuration of a probe that needs none."""

    interval: float = 1.0
    deadline: float = 1.0


def work(name: str = "w", interval_s: float = 0.1) -> Work:
    """Return work of a fake probe."""
    return Work(name, "fake", "demo", Nothing(), interval_s)


class Bench:
    """A scheduler with callbacks: what ended, and what was skipped."""

    def __init__(
        self,
        run: RunProbe | None = None,
        gates: Sequence[Gate] = (),
        reserve: Sequence[Gate] = (),
    ) -> None:
        self.seen: list[Outcome] = []
        self.skipped: list[tuple[str, str, str]] = []
        self.scheduler = Scheduler(
            run or self.done,
            [self.seen.append],
            lambda *skip: self.skipped.append(skip),
            gates,
            reserve,
        )

    async def done(self, _probe: str, _config: ProbeSection, _run_id: str, **_: object) -> Outcome:
        """Run at once."""
        return DONE


class Calls:
    """A probe that runs until it is told, and what was told of its ends."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.told: list[Outcome] = []

    async def run(
        self,
        _probe: str,
        _config: ProbeSection,
        run_id: str,
        *,
        on_start: Callable[[], Awaitable[None]] | None = None,
        **_: object,
    ) -> Outcome:
        """Begin at once, and wait for the word."""
        if on_start is not None:
            await on_start()
        await self.go_on.wait()
        return replace(DONE, run_id=run_id)

    async def ask(self, scheduler: Scheduler) -> Outcome:
        """Ask for a run, as a page does."""
        return await scheduler.ask(work(), lambda _: None, [self.told.append])
