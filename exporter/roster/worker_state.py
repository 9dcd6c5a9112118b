"""The state of one worker: the reports of each source, and the status that follows."""

from dataclasses import dataclass
from math import inf

from exporter.outcome import WorkerPage
from exporter.roster.types import Worker, WorkerReport, WorkerStatus


@dataclass(frozen=True, slots=True)
class RosterLimits:
    """What decides about a worker's status and place."""

    offline_after_s: float = 45.0
    """Silence after which it is offline."""
    forget_after_s: float = 3600.0
    """Silence after which it is forgotten; not before it is offline."""
    full_load: float = 0.7
    """Load from which it is full, where only its page is known."""
    max_workers: int = 10_000
    """How many are known at most. For a newcomer the worker that has been offline for longest is
    forgotten; where none is, the newcomer is refused."""

    def report(self, worker_id: str, page: WorkerPage) -> WorkerReport:
        """Return the content of a page as a report.

        A page has neither draining nor the worker's threshold: `full_load` is used instead.
        """
        return WorkerReport(
            worker_id=worker_id,
            agent_name=page.agent_name,
            status=self._status(page),
            active_jobs=page.active_jobs,
            load=page.load,
            sdk_version=page.sdk_version,
            addresses=(page.address,),
            http_port=page.port,
        )

    def _status(self, page: WorkerPage) -> WorkerStatus:
        if page.load is not None and page.load >= self.full_load:
            return WorkerStatus.FULL
        return WorkerStatus.BUSY if page.active_jobs else WorkerStatus.IDLE


@dataclass(slots=True)
class WorkerState:
    """One worker as reported by each source; times by the clock of the roster."""

    worker_id: str
    agent_name: str = ""
    """As reported by rooms; the other sources take precedence."""
    beat: WorkerReport | None = None
    beat_at: float | None = None
    page: WorkerReport | None = None
    page_at: float | None = None
    room_jobs: int = 0
    room_at: float | None = None
    awaited_since: float = -inf
    """Since when its silence counts, where nobody could hear it before: at a restart, or where the
    prober itself spoiled what it read."""

    @classmethod
    def of(cls, worker: Worker) -> "WorkerState":
        """Return what was known of a worker before a restart."""
        report = WorkerReport(
            worker_id=worker.worker_id,
            agent_name=worker.agent_name,
            # Who was lost did not say so: its silence makes it offline again.
            status=WorkerStatus.BUSY if worker.is_lost else worker.status,
            active_jobs=worker.active_jobs,
            load=worker.load,
            memory_bytes=worker.memory_bytes,
            cpu_ratio=worker.cpu_ratio,
            sdk_version=worker.sdk_version,
            version=worker.version,
            region=worker.region,
            addresses=worker.addresses,
            http_port=worker.http_port,
        )
        return cls(
            worker.worker_id,
            worker.agent_name,
            beat=report if worker.last_heartbeat is not None else None,
            beat_at=worker.last_heartbeat,
            page=report if worker.last_scrape is not None else None,
            page_at=worker.last_scrape,
            room_jobs=worker.active_jobs or 0,
            room_at=worker.last_in_room,
        )

    @property
    def name(self) -> str:
        """The agent's name, from the best source."""
        report = self.beat or self.page
        return report.agent_name if report else self.agent_name

    @property
    def own_at(self) -> float | None:
        """When it last gave a sign of life of its own."""
        return max((at for at in (self.beat_at, self.page_at) if at is not None), default=None)

    @property
    def seen_at(self) -> float:
        """The same, or when an agent of its was last in a room where that is all there is."""
        own = self.own_at
        at = own if own is not None else self.room_at
        return -inf if at is None else at

    @property
    def said_goodbye(self) -> bool:
        """Whether its last report was that it leaves."""
        return self.beat is not None and self.beat.status is WorkerStatus.OFFLINE

    def places(self) -> set[tuple[str, int]]:
        """Return the addresses and ports at which its page is."""
        reports = [report for report in (self.beat, self.page) if report and report.http_port]
        return {
            (address, report.http_port or 0) for report in reports for address in report.addresses
        }

    def is_offline(self, now: float, limits: RosterLimits) -> bool:
        """Whether it left, or has been silent for too long."""
        silent_s = now - max(self.seen_at, self.awaited_since)
        return self.said_goodbye or silent_s > limits.offline_after_s

    def is_forgotten(self, now: float, limits: RosterLimits) -> bool:
        """Whether it has been silent for so long that nobody asks any more."""
        longest_s = max(limits.offline_after_s, limits.forget_after_s)
        kept_s = limits.offline_after_s if self.own_at is None else longest_s
        return now - self.seen_at > kept_s and self.is_offline(now, limits)

    def worker(self, now: float, limits: RosterLimits) -> Worker | None:
        """Return the worker at that moment; None if it is forgotten."""
        if self.is_forgotten(now, limits):
            return None
        if self.is_offline(now, limits):
            return self._worker(WorkerStatus.OFFLINE, None, None)
        beat = self.beat if _fresh(self.beat_at, now, limits) else None
        # Where nobody could read its page meanwhile, what it said last is the best that is known.
        page_at = None if self.page_at is None else max(self.page_at, self.awaited_since)
        page = self.page if _fresh(page_at, now, limits) else None
        best = beat or page
        return self._worker(best.status if best else WorkerStatus.BUSY, beat, page)

    def _worker(
        self, status: WorkerStatus, beat: WorkerReport | None, page: WorkerReport | None
    ) -> Worker:
        """Merge: a heartbeat knows better than a page, and both better than the rooms.

        Args:
            status: At this moment.
            beat: The last heartbeat, if it still holds.
            page: The last page, if it still holds.
        """
        told = [report for report in (beat, page) if report is not None]
        jobs = next((each.active_jobs for each in told if each.active_jobs is not None), None)
        if self.own_at is None:
            jobs = self.room_jobs
        lasting = [report for report in (self.beat, self.page) if report is not None]
        return Worker(
            worker_id=self.worker_id,
            agent_name=self.name,
            status=status,
            active_jobs=jobs,
            load=next((each.load for each in told if each.load is not None), None),
            memory_bytes=beat.memory_bytes if beat else None,
            cpu_ratio=beat.cpu_ratio if beat else None,
            sdk_version=next((each.sdk_version for each in lasting if each.sdk_version), ""),
            version=self.beat.version if self.beat else "",
            region=self.beat.region if self.beat else "",
            addresses=lasting[0].addresses if lasting else (),
            http_port=next((each.http_port for each in lasting if each.http_port), None),
            last_heartbeat=self.beat_at,
            last_scrape=self.page_at,
            last_in_room=self.room_at,
            is_lost=status is WorkerStatus.OFFLINE and not self.said_goodbye,
        )


def _fresh(at: float | None, now: float, limits: RosterLimits) -> bool:
    return at is not None and now - at <= limits.offline_after_s
