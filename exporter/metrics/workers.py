"""The listener that turns the roster into metrics."""

from collections import Counter
from typing import NamedTuple

from exporter.metrics.registry import Metrics
from exporter.metrics.worker_series import WorkerSeries
from exporter.outcome import Listing, Outcome, WorkerScrape
from exporter.roster.roster import Roster
from exporter.roster.types import WorkerStatus


class _Shown(NamedTuple):
    """What of a worker is in the counts."""

    agent_name: str
    status: WorkerStatus
    is_lost: bool


class WorkerMetrics:
    """Follows a roster and what the probes `agents` and `workers` find. Of one thread.

    `follow` costs as much as there are changes, not as there are workers: call it each second.
    """

    def __init__(
        self, metrics: Metrics, series: WorkerSeries, roster: Roster, *, no_job_after_s: float
    ) -> None:
        """Show the roster as it is.

        Args:
            metrics: What is written to.
            series: The same for the series of single workers.
            roster: What is followed; nobody else may take its changes.
            no_job_after_s: Age of a dispatch that nobody took from which the idle workers of
                its agent do not take jobs.
        """
        self.no_job_after_s = no_job_after_s
        self._metrics = metrics
        self._roster = roster
        self._series = series
        self._shown: dict[str, _Shown] = {}
        self._counts: Counter[tuple[str, WorkerStatus]] = Counter()
        self._lost: Counter[str] = Counter()
        self._agents: Counter[str] = Counter()
        self._waited_for: set[str] = set()
        self._refused = 0
        metrics.create("voice_worker_reports_refused_total")
        self.follow()

    def follow(self) -> None:
        """Show what changed in the roster since the last time."""
        changes = self._roster.take_changes()
        agents: set[str] = set()
        for worker_id in changes.gone:
            agents |= self._uncount(worker_id)
            self._series.forget(worker_id)
        for worker in changes.workers:
            self._series.show(worker)
            now = _Shown(worker.agent_name, worker.status, worker.is_lost)
            if self._shown.get(worker.worker_id) != now:
                agents |= self._uncount(worker.worker_id)
                self._shown[worker.worker_id] = now
                self._counts[now.agent_name, now.status] += 1
                self._lost[now.agent_name] += now.is_lost
                self._agents[worker.agent_name] += 1
                agents.add(worker.agent_name)
        for agent in agents:
            self._show_agent(agent)
        refused, self._refused = self._roster.refused - self._refused, self._roster.refused
        if refused:
            self._metrics.add("voice_worker_reports_refused_total", refused)

    def record(self, outcome: Outcome) -> None:
        """Take note of dispatches that nobody took, and of pages that did not answer: a listener.

        Give it the outcomes after the roster.
        """
        if isinstance(outcome.result, Listing):
            waiting = {
                each.agent_name
                for each in outcome.result.pending
                if each.age_s >= self.no_job_after_s
            }
            agents, self._waited_for = self._waited_for ^ waiting, waiting
            for agent in agents:
                self._show_agent(agent)
        elif isinstance(outcome.result, WorkerScrape):
            failed = sum(page.reason is not None for page in outcome.result.pages)
            answered = len(outcome.result.pages) - failed
            self._metrics.set("voice_worker_pages", answered, "answered")
            self._metrics.set("voice_worker_pages", failed, "failed")

    def _uncount(self, worker_id: str) -> set[str]:
        """Take a worker out of the counts; return the agents that this concerns."""
        shown = self._shown.pop(worker_id, None)
        if shown is None:
            return set()
        self._counts[shown.agent_name, shown.status] -= 1
        self._lost[shown.agent_name] -= shown.is_lost
        self._agents[shown.agent_name] -= 1
        return {shown.agent_name}

    def _show_agent(self, agent: str) -> None:
        if not self._agents[agent]:
            del self._agents[agent], self._lost[agent]
            for status in WorkerStatus:
                del self._counts[agent, status]
            self._metrics.remove("voice_workers", agent_name=agent)
            self._metrics.remove("voice_workers_lost", agent_name=agent)
            self._metrics.remove("voice_workers_not_taking_jobs", agent_name=agent)
            return
        for status in WorkerStatus:
            self._metrics.set("voice_workers", self._counts[agent, status], agent, status)
        self._metrics.set("voice_workers_lost", self._lost[agent], agent)
        idle = self._counts[agent, WorkerStatus.IDLE] if agent in self._waited_for else 0
        self._metrics.set("voice_workers_not_taking_jobs", idle, agent)
