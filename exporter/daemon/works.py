"""What this exporter runs: works come and go, and run on the schedule or when someone asks."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace

from exporter.daemon.discovery import Discovery
from exporter.daemon.group import ELSEWHERE, Group, Parts
from exporter.daemon.ledger import Ledger
from exporter.daemon.plan import call_id, call_work, server_works
from exporter.daemon.run_log import RunLog
from exporter.metrics.recorder import Recorder
from exporter.outcome import Outcome, Turn
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.demand import PoolSize
from exporter.run.process import ProbeTable
from exporter.run.scheduler import Refused, RunProbe, Scheduler, Work, stagger
from exporter.settings.settings import Settings
from exporter.web.sources import NotNowError
from exporter.web.watched import WatchList

_AFTER_CALLS_S = 20.0
"""What takes a call's place, and is no call, begins so long after the last of the first calls."""
_OTHERS_WITHIN_S = 60.0
_OTHERS_APART_S = 15.0
_ASK_AGAIN_S = 60.0
_REFUSALS = {
    "busy": "no probe process became free in time",
    "overlap": "a call to it is in progress",
    "removed": "its configuration changed during the wait",
    "window": "it is outside its time windows",
    "budget": "its budget for today is spent",
    ELSEWHERE: "another exporter of the group calls it",
}


@dataclass(frozen=True, slots=True)
class Followers:
    """The parts of the daemon that follow which works there are."""

    watch_list: WatchList
    run_log: RunLog
    ledger: Ledger
    recorder: Recorder
    discovery: Discovery
    pool: PoolSize
    last_found: Mapping[str, Callable[[], Coroutine[None, None, None]]]
    """By probe: shows from the ledger what its last run of any exporter found."""


class Works:
    """Every work of the configuration, and what is found; in a group, those it holds run here."""

    def __init__(
        self,
        followers: Followers,
        run: RunProbe,
        listeners: Sequence[Callable[[Outcome], None]],
        make_group: Callable[[Parts], Group | None],
    ) -> None:
        """Set up; nothing runs before `start`.

        Args:
            followers: What follows which works there are.
            run: Runs a probe.
            listeners: Called with every Outcome of the schedule.
            make_group: Makes the group, None where there is none.
        """
        self._followers = followers
        self._watch_list = followers.watch_list
        self._run_log = followers.run_log
        self._ledger = followers.ledger
        self._recorder = followers.recorder
        self._coming: dict[str, tuple[Work, float]] = {}
        """What a start has not added yet, by id, with the seconds until it runs first."""
        self._reading: set[asyncio.Task[None]] = set()
        self.stopping = False
        """Whether nothing begins any more."""
        self.group = of_group = make_group(Parts(self._take, self._park, self._refuse))
        self.scheduler = Scheduler(
            run,
            listeners,
            self._recorder.skip,
            (*((of_group.gate,) if of_group else ()), *self._ledger.gates),
            (*((of_group.begin,) if of_group else ()), *self._ledger.reserve),
        )

    async def start(self, settings: Settings, table: ProbeTable) -> None:
        """Schedule everything: what only asks the server at once, then calls, then the rest.

        A thousand targets take seconds, in which pages are served all the same, and a reload may
        change or remove what has not been added yet.
        """
        starts = stagger([target.interval for target in settings.targets])
        first_s = min(max(starts, default=0) + _AFTER_CALLS_S, _OTHERS_WITHIN_S)
        others = 0
        for work in server_works(settings):
            if table.load()[work.probe].lane == "api":
                self.add(work, 0)
            else:
                self.add(work, first_s + others * _OTHERS_APART_S)
                others += 1
        calls = zip(map(call_work, settings.targets), starts, strict=True)
        self._coming = {work.id: (work, first_in_s) for work, first_in_s in calls}
        while self._coming:
            self.add(*next(iter(self._coming.values())))
            await asyncio.sleep(0)
        self.scheduler.start()

    def stop(self) -> None:
        """Begin nothing any more."""
        self.stopping = True
        self.scheduler.stop()

    def add(self, work: Work, first_in_s: float) -> None:
        """Run this from now on; in a group, when its lease is held."""
        self._coming.pop(work.id, None)
        self._watch_list.add(work)
        if self.group is None:
            self._take(work, first_in_s)
        else:
            self.group.add(work, first_in_s)

    def remove(self, work: Work) -> None:
        """Run this no more, and let its series go."""
        self._coming.pop(work.id, None)
        if self.group is not None:
            self.group.remove(work)
        self._leave(work)
        self._watch_list.remove(work.id)
        self._recorder.remove(work.probe, work.config)

    async def call(self, target: LatencyConfig, on_turn: Callable[[Turn], None]) -> Outcome:
        """Call a target for someone who asks: the ledger knows of it, the series do not.

        Raises:
            NotNowError: It is being called, its windows or its budget forbid it, or we stop.
        """
        if self.stopping:
            raise NotNowError("exporter stopped", _ASK_AGAIN_S)
        work_id = call_id(target.key)
        listeners = (
            self._run_log.record,
            self._ledger.record,
            lambda outcome: self._watch_list.record_asked(work_id, outcome),
        )
        known = self._watch_list.lines.get(work_id)
        work = replace(known.work, config=target) if known else call_work(target)
        try:
            return await self.scheduler.ask(work, on_turn, listeners)
        except Refused as refusal:
            raise NotNowError(_REFUSALS[refusal.reason], _ASK_AGAIN_S) from None

    def _take(self, work: Work, first_in_s: float) -> None:
        """Run this here from now on."""
        self._recorder.add(work.probe, work.config)
        self._ledger.add(work)
        self.scheduler.add(work, first_in_s)
        self._followers.pool.add(work)
        show = self._followers.last_found.get(work.probe)
        if self.group is not None and show is not None:
            # Another exporter may have run it since the start, when this one read the ledger.
            reading = asyncio.create_task(show())
            self._reading.add(reading)
            reading.add_done_callback(self._reading.discard)

    def _park(self, work: Work) -> None:
        """Run this here no more, because another exporter of the group does."""
        self._leave(work)
        self._watch_list.park(work.id)
        self._recorder.park(work.probe, work.config)
        if work.probe == "agents":
            self._followers.discovery.forget()

    def _leave(self, work: Work) -> None:
        """Run this here no more, for whatever reason."""
        self.scheduler.remove(work.id)
        self._followers.pool.remove(work.id)
        self._run_log.forget(work)
        self._ledger.remove(work)

    def _refuse(self, outcome: Outcome) -> None:
        """Note what a run cost whose result is not used."""
        self._run_log.record(outcome)
        self._ledger.record(outcome)
