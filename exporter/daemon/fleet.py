"""The daemon's part that knows the workers: the roster and its metrics."""

import asyncio
from dataclasses import replace

from exporter.metrics.agent_names import AgentNames
from exporter.metrics.registry import Metrics
from exporter.metrics.workers import WorkerMetrics
from exporter.outcome import Listing, Outcome
from exporter.probes.agents.spec import Judge, judge_workers
from exporter.probes.workers.spec import WorkersConfig
from exporter.roster.roster import Roster
from exporter.roster.worker_state import RosterLimits
from exporter.settings.settings import Settings

STEP_S = 1.0
"""Between two looks at what changed."""


class Fleet:
    """Puts the roster and its metrics together. All of one event loop."""

    def __init__(self, settings: Settings, metrics: Metrics, names: AgentNames) -> None:
        """Set up.

        Args:
            settings: The configuration.
            metrics: What is written to.
            names: Which agent names have series of their own.
        """
        self.roster = Roster(roster_limits(settings.workers))
        self._judge = Judge()
        self._agents = settings.agents
        no_job_after_s = settings.agents.no_job_after
        self._metrics = WorkerMetrics(metrics, self.roster, names, no_job_after_s=no_job_after_s)

    def judged(self, outcome: Outcome) -> Outcome:
        """Return a listing with all that is wrong: by those before it, and by the workers."""
        if outcome.reason is not None or not isinstance(outcome.result, Listing):
            return outcome
        findings = (*self._judge(self._agents, outcome), *judge_workers(self.roster.workers()))
        return replace(outcome, findings=findings)

    def record(self, outcome: Outcome) -> None:
        """Take note of a listing or of pages that were read: a listener."""
        self.roster.record(outcome)
        self._metrics.follow()
        self._metrics.record(outcome)

    async def watch(self) -> None:
        """Show what changes in the roster, every `STEP_S`, for ever.

        Where the daemon itself stood still, nobody's silence in that time counts: heartbeats of
        workers are still unread then.
        """
        clock = asyncio.get_running_loop().time
        while True:
            self._metrics.follow()
            due = clock() + STEP_S
            await asyncio.sleep(STEP_S)
            if clock() - due > STEP_S:
                self.roster.was_away()

    def relabel(self) -> None:
        """Show the workers anew, because agent names have other labels now."""
        self._metrics.relabel()

    def reconfigure(self, settings: Settings) -> None:
        """Follow a new configuration; known workers stay known."""
        self.roster.reconfigure(roster_limits(settings.workers))
        self._agents = settings.agents
        self._metrics.no_job_after_s = settings.agents.no_job_after


def roster_limits(config: WorkersConfig) -> RosterLimits:
    """Return the limits of a roster as they are configured."""
    return RosterLimits(
        offline_after_s=config.offline_after,
        forget_after_s=config.forget_after,
        full_load=config.full_load,
        max_workers=config.max_workers,
    )
