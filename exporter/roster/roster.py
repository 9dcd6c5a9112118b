"""The roster: merges the sources about workers."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import itemgetter
from time import monotonic, time

from exporter.outcome import Listing, Outcome, WorkerPage, WorkerScrape
from exporter.roster.types import Worker, WorkerReport, WorkerStatus
from exporter.roster.worker_state import RosterLimits, WorkerState


@dataclass(frozen=True, slots=True)
class Changes:
    """What is new since the last time that someone asked."""

    workers: tuple[Worker, ...]
    """Workers that came or changed, as they are now."""
    gone: tuple[str, ...]
    """Ids of workers that are no longer known."""


class Roster:
    """Merges what is known of workers. All methods belong to one thread; none does any I/O.

    A worker is known by the id that LiveKit gave it, which heartbeats and dispatches contain, or
    by host and port of its page. A page and a heartbeat are of one worker when the page is at an
    address and port that the heartbeat names, for the same agent.

    Taking a report costs the same however many workers there are.
    """

    def __init__(
        self,
        limits: RosterLimits = RosterLimits(),  # noqa: B008 - it is frozen
        *,
        clock: Callable[[], float] = monotonic,
        wall_clock: Callable[[], float] = time,
    ) -> None:
        """Set up; nobody is known yet.

        Args:
            limits: As they are configured.
            clock: Seconds that only go on: by them silence is counted, whatever is done to the
                wall clock.
            wall_clock: Unix time, by which workers are shown and kept.
        """
        self._limits = limits
        self._clock = clock
        self._wall_clock = wall_clock
        # Each in the order of the last sign of life: only those that are due need be looked at.
        self._live: OrderedDict[str, WorkerState] = OrderedDict()
        self._silent: OrderedDict[str, WorkerState] = OrderedDict()
        self._left: OrderedDict[str, WorkerState] = OrderedDict()
        # By source: a report that no longer holds changes a worker of which another one does.
        self._beats: OrderedDict[str, float] = OrderedDict()
        self._pages: OrderedDict[str, float] = OrderedDict()
        self._by_place: dict[tuple[str, int], set[str]] = {}
        self._in_rooms: set[str] = set()
        self._touched: set[str] = set()
        self._gone: set[str] = set()
        self.refused = 0
        """Newcomers that found no place, over the life of the roster."""

    def reconfigure(self, limits: RosterLimits) -> None:
        """Follow a new configuration, as for a new roster.

        A limit below the number of workers that are known forgets nobody; it keeps newcomers out.
        """
        self._limits = limits
        for known in [each for queue in self._queues for each in queue.values()]:
            # A longer patience brings back who was offline; order within the queues stays.
            if self._queue(known, self._clock()) is self._live:
                self._silent.pop(known.worker_id, None)
                self._live[known.worker_id] = known
                self._touched.add(known.worker_id)
        for known in sorted(self._live.values(), key=lambda known: known.seen_at):
            self._live.move_to_end(known.worker_id)
        self._note_reports()

    def __len__(self) -> int:
        return sum(map(len, self._queues))

    @property
    def _queues(self) -> tuple[OrderedDict[str, WorkerState], ...]:
        return self._live, self._silent, self._left

    def heartbeat(self, report: WorkerReport) -> str | None:
        """Take a worker's report.

        Returns:
            Why it was refused, one line; None when it was taken.
        """
        now = self._clock()
        self._advance(now)
        self._replace(report)
        known = self._find(report.worker_id)
        beat = known.beat if known else None
        if beat is None or _page_place(beat) != _page_place(report):
            self._absorb(report)
        known = known or self._admit(report.worker_id)
        if known is None:
            return f"the roster is full: {self._limits.max_workers} workers are known"
        self._unplace(known)
        known.beat, known.beat_at = report, now
        _to_end(self._beats, known.worker_id, now)
        self._place(known)
        self._heard(known, now)
        return None

    def record(self, outcome: Outcome) -> None:
        """Take note of what a run of the probes `agents` or `workers` found: a listener."""
        if isinstance(outcome.result, Listing):
            self.listed(outcome.result)
        elif isinstance(outcome.result, WorkerScrape):
            self.scraped(outcome.result)
        elif outcome.probe == "workers" and outcome.reason and outcome.reason.is_own_fault:
            self._unheard(known for known in self._live.values() if known.beat is None)

    def scraped(self, scrape: WorkerScrape) -> None:
        """Take note of the pages that answered; silence of the others speaks by itself.

        Not that of pages whose reading the prober itself spoiled: nobody has heard them.
        """
        now = self._clock()
        self._advance(now)
        unheard: list[WorkerState | None] = []
        for page in scrape.pages:
            if page.reason is None:
                self._read(page, now)
            elif page.reason.is_own_fault and page.host:
                unheard.append(self._find(f"{page.host}:{page.port}"))
            elif page.reason.is_own_fault:  # a name: each that is known by its page may be behind
                unheard += (known for known in self._live.values() if known.beat is None)
        self._unheard(known for known in unheard if known is not None)

    def was_away(self) -> None:
        """Let the silence of all begin now: this process stood still, and could hear nobody."""
        now = self._clock()
        for known in list(self._live.values()):
            known.awaited_since = now
            self._heard(known, now)

    def listed(self, listing: Listing) -> None:
        """Take note of the workers whose agents are in rooms."""
        now = self._clock()
        self._advance(now)
        agents = {agent.worker_id: agent for agent in listing.agents if agent.worker_id}
        jobs = Counter(agent.worker_id for agent in listing.agents if agent.worker_id)
        for worker_id in set() if listing.unread else self._in_rooms - set(agents):
            known = self._find(worker_id)
            if known is not None:
                self._leave_rooms(known)
        for worker_id, agent in agents.items():
            known = self._find(worker_id) or self._admit(worker_id)
            if known is None:
                continue
            known.agent_name = agent.agent_name
            known.room_jobs, known.room_at = jobs[worker_id], now
            self._in_rooms.add(worker_id)
            if known.own_at is None:
                self._heard(known, now)
            else:
                self._touched.add(worker_id)

    def workers(self) -> tuple[Worker, ...]:
        """Return every worker with its status as of now, by name and id."""
        known = (each for queue in self._queues for each in queue.values())
        found = self._shown(known, self._clock())
        return tuple(sorted(found, key=lambda worker: (worker.agent_name, worker.worker_id)))

    def take_changes(self) -> Changes:
        """Return what came, changed, fell silent or went since the last call: for one listener."""
        now = self._clock()
        self._advance(now)
        found = (self._find(worker_id) for worker_id in self._touched)
        workers = self._shown((known for known in found if known is not None), now)
        changes = Changes(tuple(workers), tuple(self._gone))
        self._touched, self._gone = set(), set()
        return changes

    def export(self) -> tuple[Worker, ...]:
        """Return all that a restart should not forget, for `restore`."""
        return self.workers()

    def restore(self, workers: Iterable[Worker]) -> None:
        """Know workers again from before a restart; those known already stay as they are.

        Whoever was offline stays so, and is forgotten as if there had been no restart. Of the
        others silence counts from now on: nobody could hear them before. Workers beyond the limit
        are left out, those silent for longest first.
        """
        now = self._clock()
        back_s = now - self._wall_clock()
        for worker in sorted(workers, key=lambda worker: -worker.last_seen):
            if self._find(worker.worker_id) is None and len(self) < self._limits.max_workers:
                known = WorkerState.of(worker.moved(back_s, latest=now))
                if known.is_forgotten(now, self._limits):
                    continue
                if worker.status is not WorkerStatus.OFFLINE:
                    known.awaited_since = now
                self._place(known)
                self._heard(known, now)
                if known.own_at is None:
                    self._in_rooms.add(known.worker_id)
        for queue in self._queues:
            for known in sorted(queue.values(), key=lambda known: known.seen_at):
                queue.move_to_end(known.worker_id)
        self._note_reports()
        self._advance(now)

    def _shown(self, known: Iterable[WorkerState], now: float) -> Iterator[Worker]:
        """Yield those that are not forgotten, with their times as the wall clock has them."""
        wall = self._wall_clock()
        for each in known:
            worker = each.worker(now, self._limits)
            if worker is not None:
                yield worker.moved(wall - now, latest=wall)

    def _read(self, page: WorkerPage, now: float) -> None:
        """Take one page that answered."""
        known, ignored = self._owner(page, now)
        known = known or (None if ignored else self._admit(f"{page.host}:{page.port}"))
        if known is not None:
            self._unplace(known)
            known.page, known.page_at = self._limits.report(known.worker_id, page), now
            _to_end(self._pages, known.worker_id, now)
            self._place(known)
            self._heard(known, now)

    def _owner(self, page: WorkerPage, now: float) -> tuple[WorkerState | None, bool]:
        """Return whose page it is, and whether to ignore it.

        The page of a worker that has just said goodbye may have been read before that: it is
        ignored. Where several workers claim the place, as behind one forwarded port, the page
        stays one of its own.
        """
        ids = self._by_place.get((page.address, page.port), set())
        found = (self._find(worker_id) for worker_id in ids)
        claims = [known for known in found if known and known.name == page.agent_name]
        live = [known for known in claims if not known.said_goodbye]
        if len(live) == 1:
            return live[0], False
        left = [each for each in claims if now - each.seen_at <= self._limits.offline_after_s]
        return self._find(f"{page.host}:{page.port}"), not live and bool(left)

    def _absorb(self, report: WorkerReport) -> None:
        """Forget the worker that was known by this one's page only."""
        for address in report.addresses:
            for worker_id in self._by_place.get((address, report.http_port or 0), set()).copy():
                known = self._find(worker_id)
                if known and known.beat is None and known.name == report.agent_name:
                    self._forget(known)

    def _replace(self, report: WorkerReport) -> None:
        """Forget the id that the worker had before."""
        known = self._find(report.replaces) if report.replaces != report.worker_id else None
        if known is not None and known.name == report.agent_name:
            self._forget(known)

    def _unheard(self, workers: Iterable[WorkerState]) -> None:
        """Let the silence of workers count from now on: nobody could hear them before.

        Args:
            workers: Who is offline already stays so.
        """
        now = self._clock()
        for known in list(workers):
            if not known.is_offline(now, self._limits):
                known.awaited_since = now
                self._heard(known, now)

    def _leave_rooms(self, known: WorkerState) -> None:
        self._in_rooms.discard(known.worker_id)
        known.room_jobs = 0
        if known.own_at is None:
            self._forget(known)  # no source knows whether it is still there
        else:
            self._touched.add(known.worker_id)

    def _admit(self, worker_id: str) -> WorkerState | None:
        """Return a newcomer; None where there is no place for it."""
        if len(self) >= self._limits.max_workers:
            offline = [next(iter(queue.values())) for queue in self._queues[1:] if queue]
            if not offline:
                self.refused += 1
                return None
            self._forget(min(offline, key=lambda known: known.seen_at))
        return WorkerState(worker_id)

    def _heard(self, known: WorkerState, now: float) -> None:
        """Put a worker, after its latest sign of life, to the end of the queue that it is in."""
        for queue in self._queues:
            queue.pop(known.worker_id, None)
        self._queue(known, now)[known.worker_id] = known
        self._touched.add(known.worker_id)
        self._gone.discard(known.worker_id)

    def _queue(self, known: WorkerState, now: float) -> OrderedDict[str, WorkerState]:
        if known.said_goodbye:
            return self._left
        return self._silent if known.is_offline(now, self._limits) else self._live

    def _advance(self, now: float) -> None:
        """Let those go offline, and go, whose time has come."""
        for known in _due(self._live, lambda known: known.is_offline(now, self._limits)):
            if known.own_at is None:
                self._forget(known)
            else:
                self._heard(known, now)
        for queue in (self._silent, self._left):
            for known in _due(queue, lambda known: known.is_forgotten(now, self._limits)):
                self._forget(known)
        for reports in (self._beats, self._pages):
            while reports and now - next(iter(reports.values())) > self._limits.offline_after_s:
                worker_id, _ = reports.popitem(last=False)
                self._touched.add(worker_id)

    def _note_reports(self) -> None:
        """Put the reports of each source into the order in which they came."""
        everyone = [known for queue in self._queues for known in queue.values()]
        beats = ((known.worker_id, known.beat_at) for known in everyone)
        pages = ((known.worker_id, known.page_at) for known in everyone)
        self._beats, self._pages = _in_order(beats), _in_order(pages)

    def _forget(self, known: WorkerState) -> None:
        self._unplace(known)
        for queue in self._queues:
            queue.pop(known.worker_id, None)
        self._in_rooms.discard(known.worker_id)
        self._beats.pop(known.worker_id, None)
        self._pages.pop(known.worker_id, None)
        self._touched.discard(known.worker_id)
        self._gone.add(known.worker_id)

    def _find(self, worker_id: str) -> WorkerState | None:
        return next((queue[worker_id] for queue in self._queues if worker_id in queue), None)

    def _place(self, known: WorkerState) -> None:
        for place in known.places():
            self._by_place.setdefault(place, set()).add(known.worker_id)

    def _unplace(self, known: WorkerState) -> None:
        for place in known.places():
            ids = self._by_place.get(place, set())
            ids.discard(known.worker_id)
            if not ids:
                self._by_place.pop(place, None)


def _page_place(report: WorkerReport) -> tuple[tuple[str, ...], int | None]:
    """Return where a worker says that its page is."""
    return report.addresses, report.http_port


def _to_end(reports: OrderedDict[str, float], worker_id: str, at: float) -> None:
    reports[worker_id] = at
    reports.move_to_end(worker_id)


def _in_order(reports: Iterable[tuple[str, float | None]]) -> OrderedDict[str, float]:
    told = ((worker_id, at) for worker_id, at in reports if at is not None)
    return OrderedDict(sorted(told, key=itemgetter(1)))


def _due(
    queue: OrderedDict[str, WorkerState], is_due: Callable[[WorkerState], bool]
) -> Iterator[WorkerState]:
    """Yield the first of the queue as long as it is due; the consumer removes it."""
    while queue and is_due(known := next(iter(queue.values()))):
        yield known
