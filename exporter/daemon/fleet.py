"""The daemon's part that knows the workers: the roster, its metrics, and unclosed rooms."""

import asyncio
from typing import Protocol

from exporter.metrics.exposition import PageRegistry
from exporter.metrics.probes import ServerCheck
from exporter.metrics.registry import Metrics
from exporter.metrics.unclosed import UnclosedRooms
from exporter.metrics.worker_series import WorkerSeries
from exporter.metrics.workers import WorkerMetrics
from exporter.outcome import Outcome
from exporter.probes.agents.spec import AgentsConfig
from exporter.probes.workers.spec import WorkersConfig
from exporter.roster.roster import Roster

STEP_S = 1.0
"""Between two looks at what changed."""


class FleetSettings(Protocol):
    """The settings that matter here."""

    @property
    def agents(self) -> AgentsConfig:
        """How rooms and agents are listed."""

    @property
    def workers(self) -> WorkersConfig:
        """Workers: their pages, and when one is offline."""


class Fleet:
    """Puts the roster, its metrics and the unclosed rooms together. All of one event loop."""

    def __init__(
        self, settings: FleetSettings, metrics: Metrics, registry: PageRegistry, server: str
    ) -> None:
        """Set up.

        Args:
            settings: The configuration.
            metrics: What is written to.
            registry: The registry of these metrics; gets the series of single workers.
            server: The label `server`.
        """
        self.roster = make_roster(settings.workers)
        series = WorkerSeries(server)
        registry.ready.append(series)
        agents = settings.agents
        self._metrics = WorkerMetrics(
            metrics, series, self.roster, no_job_after_s=agents.no_job_after
        )
        self._rooms = UnclosedRooms(metrics, unclosed_after_s=agents.unclosed_after)
        self._registered = metrics
        self._pages = ServerCheck(metrics, "workers")
        self._create_series(settings)

    def record(self, outcome: Outcome) -> None:
        """Take note of a listing or of pages that were read: a listener."""
        self.roster.record(outcome)
        self._metrics.follow()
        self._metrics.record(outcome)
        self._rooms.record(outcome)
        if outcome.probe == "workers":
            self._pages.judge(outcome.verdict)

    async def watch(self) -> None:
        """Show what changes in the roster, every `STEP_S`, for ever."""
        while True:
            self._metrics.follow()
            await asyncio.sleep(STEP_S)

    def reconfigure(self, settings: FleetSettings) -> None:
        """Follow a new configuration; whoever is known stays known."""
        workers = settings.workers
        self.roster.reconfigure(
            offline_after_s=workers.offline_after,
            forget_after_s=workers.forget_after,
            full_load=workers.full_load,
            max_workers=workers.max_workers,
        )
        self._metrics.no_job_after_s = settings.agents.no_job_after
        self._rooms.unclosed_after_s = settings.agents.unclosed_after
        self._create_series(settings)

    def _create_series(self, settings: FleetSettings) -> None:
        """Let the series of the probe exist, at 0, as long as there are pages to read."""
        if settings.workers.scrape:
            self._pages.begin()
        else:
            self._pages.end()
            self._registered.remove("voice_worker_pages")


def make_roster(config: WorkersConfig) -> Roster:
    """Return an empty roster as it is configured."""
    return Roster(
        offline_after_s=config.offline_after,
        forget_after_s=config.forget_after,
        full_load=config.full_load,
        max_workers=config.max_workers,
    )
