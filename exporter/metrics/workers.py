"""The listener that turns the roster into metrics."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from exporter.metrics.agent_names import OTHER, AgentNames
from exporter.metrics.registry import Metrics
from exporter.outcome import Listing, Outcome
from exporter.roster.roster import Changes, Roster
from exporter.roster.types import Worker, WorkerStatus

_VALUES: Mapping[str, Callable[[Worker], float | None]] = {
    "voice_worker_load_ratio": lambda worker: worker.load,
    "voice_worker_active_jobs": lambda worker: worker.active_jobs,
    "voice_worker_memory_bytes": lambda worker: worker.memory_bytes,
    "voice_worker_cpu_ratio": lambda worker: worker.cpu_ratio,
    "voice_worker_last_heartbeat_timestamp_seconds": lambda worker: worker.last_heartbeat,
}
_STATUS = "voice_worker_status"
_INFO = "voice_worker_info"
_OF_AGENTS = ("voice_workers", "voice_workers_lost", "voice_workers_not_taking_jobs")
_SOURCE = "workers"
"""Of agent names."""


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
        self, metrics: Metrics, roster: Roster, names: AgentNames, *, no_job_after_s: float
    ) -> None:
        """Show the roster as it is.

        Args:
            metrics: What is written to.
            roster: What is followed; nobody else may take its changes.
            names: Which agent names have series of their own.
            no_job_after_s: Age of a dispatch that nobody took from which the idle workers of
                its agent do not take jobs.
        """
        self.no_job_after_s = no_job_after_s
        self._metrics = metrics
        self._roster = roster
        self._names = names
        self._shown: dict[str, _Shown] = {}
        self._told: dict[str, tuple[str, ...]] = {}
        """The labels of `_INFO` of each worker."""
        self._counts: Counter[tuple[str, WorkerStatus]] = Counter()
        self._lost: Counter[str] = Counter()
        self._agents: Counter[str] = Counter()
        self._waited_for: set[str] = set()
        self._refused = 0
        metrics.create("voice_worker_reports_refused_total")
        self.follow()

    def follow(self) -> None:
        """Show what changed in the roster since the last time."""
        self._follow(self._roster.take_changes())
        refused, self._refused = self._roster.refused - self._refused, self._roster.refused
        if refused:
            self._metrics.add("voice_worker_reports_refused_total", refused)

    def relabel(self) -> None:
        """Show all workers anew, because names have other labels now."""
        for worker_id in self._shown:
            self._forget(worker_id)
        for name in _OF_AGENTS:
            self._metrics.remove(name)
        for counted in (self._shown, self._counts, self._lost, self._agents):
            counted.clear()
        self._follow(Changes(self._roster.workers(), ()))

    def _follow(self, changes: Changes) -> None:
        agents: set[str] = set()
        for worker_id in changes.gone:
            agents |= self._uncount(worker_id)
            self._forget(worker_id)
        for worker in changes.workers:
            now = _Shown(worker.agent_name, worker.status, worker.is_lost)
            before = self._shown.get(worker.worker_id)
            if before is not None and before.agent_name != now.agent_name:
                self._forget(worker.worker_id)
            if before != now:
                agents |= self._uncount(worker.worker_id)
                self._shown[worker.worker_id] = now
                self._counts[now.agent_name, now.status] += 1
                self._lost[now.agent_name] += now.is_lost
                self._agents[worker.agent_name] += 1
                agents.add(worker.agent_name)
        if agents:
            self._names.use(_SOURCE, self._agents)
        for worker in changes.workers:
            self._show(worker)
        self._show_agents(agents)
        for agent in [each for each in agents if not self._agents[each]]:
            del self._agents[agent], self._lost[agent]
            for status in WorkerStatus:
                del self._counts[agent, status]
        if agents:
            self._names.use(_SOURCE, self._agents)

    def record(self, outcome: Outcome) -> None:
        """Take note of dispatches that nobody took: a listener, after the roster."""
        if isinstance(outcome.result, Listing) and not outcome.result.unread:
            waiting = {
                each.agent_name
                for each in outcome.result.pending
                if each.age_s >= self.no_job_after_s
            }
            agents, self._waited_for = self._waited_for ^ waiting, waiting
            self._show_agents(agents & self._agents.keys())

    def _show(self, worker: Worker) -> None:
        """Show a worker as it is now; what is not known of it has no series."""
        labels = self._names.label(worker.agent_name), worker.worker_id
        for status in WorkerStatus:
            self._metrics.set(_STATUS, worker.status is status, *labels, status)
        told = (*labels, worker.sdk_version, worker.version, worker.region)
        before = self._told.get(worker.worker_id)
        if before != told:
            if before is not None:
                self._metrics.discard(_INFO, before)
            self._metrics.set(_INFO, 1, *told)
            self._told[worker.worker_id] = told
        for name, value_of in _VALUES.items():
            value = value_of(worker)
            if value is None:
                self._metrics.discard(name, labels)
            else:
                self._metrics.set(name, value, *labels)

    def _forget(self, worker_id: str) -> None:
        for name in (_STATUS, _INFO, *_VALUES):
            self._metrics.remove(name, worker_id=worker_id)
        self._told.pop(worker_id, None)

    def _uncount(self, worker_id: str) -> set[str]:
        """Take a worker out of the counts; return the agents that this concerns."""
        shown = self._shown.pop(worker_id, None)
        if shown is None:
            return set()
        self._counts[shown.agent_name, shown.status] -= 1
        self._lost[shown.agent_name] -= shown.is_lost
        self._agents[shown.agent_name] -= 1
        return {shown.agent_name}

    def _show_agents(self, agents: Iterable[str]) -> None:
        """Show agents by their labels; several may share one."""
        for label in {self._names.label(agent) for agent in agents}:
            shared = self._agents if label == OTHER else (label,)
            of = [each for each in shared if self._agents[each]]
            self._show_label(label, [each for each in of if self._names.label(each) == label])

    def _show_label(self, label: str, agents: Sequence[str]) -> None:
        if not agents:
            for name in _OF_AGENTS:
                self._metrics.remove(name, agent_name=label)
            return
        for status in WorkerStatus:
            count = sum(self._counts[agent, status] for agent in agents)
            self._metrics.set("voice_workers", count, label, status)
        self._metrics.set("voice_workers_lost", sum(self._lost[each] for each in agents), label)
        waited_for = self._waited_for.intersection(agents)
        idle = sum(self._counts[agent, WorkerStatus.IDLE] for agent in waited_for)
        self._metrics.set("voice_workers_not_taking_jobs", idle, label)
