"""When each probe runs: one job for every target and probe, spread over time, never twice at once.

It knows what is due and when, and nothing of what a run does.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from apscheduler.events import (
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    JobExecutionEvent,
    JobSubmissionEvent,
)
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from exporter.config.values import ProbeSection
from exporter.outcome import Outcome, Turn, Verdict
from exporter.run.began import Began
from exporter.run.runner import new_run_id

log = logging.getLogger(__name__)

FIRST_CALL_S = 2.0
"""Start to the first call: the first listing goes before."""
MAX_STAGGER_S = 30.0
"""Between two targets' first calls at most, however few there are."""
_JITTER = 0.05
"""Share of the interval by which the time between two runs varies around it."""
_DEAD_AFTER_S = 15.0
"""A run that is due and not started for so long: the scheduler's timer has died."""
_ASK_AGAIN_S = 300.0
"""A run that a gate refuses is due again after this, if its interval is longer: a ramp of each day
that is due at noon would never meet a window at night."""
_PUT_BACK_S = 1.0
"""A wall clock that goes back by more is followed; by less, runs are late by as much."""


@dataclass(frozen=True, slots=True)
class Work:
    """One probe of one target, again and again."""

    id: str
    probe: str
    agent_name: str
    """"" for probes of the server."""
    config: ProbeSection
    interval_s: float
    shared_account: str = ""
    """Whose budget it is charged to, together with other work; "" for one of its own."""

    @property
    def account(self) -> str:
        """Under which name the ledger keeps what it spends."""
        return self.shared_account or self.id


def stagger(intervals_s: Sequence[float]) -> list[float]:
    """Return the seconds after the start at which each target is first called.

    They are spread over their interval, so that calls do not come in packs, but no wider apart
    than `MAX_STAGGER_S`.
    """
    count = len(intervals_s)
    return [
        FIRST_CALL_S + place * min(interval / count, MAX_STAGGER_S)
        for place, interval in enumerate(intervals_s)
    ]


class Refused(Exception):  # noqa: N818 - not an error of the program
    """A run that was asked for may not start now.

    Attributes:
        reason: overlap; busy, no process became free in time; removed, it is configured no more,
            or differently; or what a gate says: window, budget.
        waited_s: How long it had waited for a process; None if it was refused before.
    """

    def __init__(self, reason: str, waited_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason, self.waited_s = reason, waited_s


class RunProbe(Protocol):
    """Runs a probe: the runner."""

    async def __call__(
        self,
        probe: str,
        config: ProbeSection,
        run_id: str,
        /,
        *,
        soon: bool = False,
        on_start: Callable[[], Awaitable[None]] | None = None,
        on_turn: Callable[[Turn], None] | None = None,
    ) -> Outcome:
        """Return what the run of that id found; `on_start` is awaited when its wait is over.

        `soon`: the run before it was FAIL, so it is not to wait behind all others.
        """


Gate = Callable[[Work, str], Awaitable[str]]
"""Asked before a run, of that id, starts: returns why it may not, "" when it may."""


class Scheduler:
    """Starts runs when they are due and hands their Outcomes on."""

    def __init__(
        self,
        run: RunProbe,
        listeners: Sequence[Callable[[Outcome], None]],
        on_skip: Callable[[str, str, str], None],
        gates: Sequence[Gate] = (),
        reserve: Sequence[Gate] = (),
    ) -> None:
        """Set up; nothing runs before `start`.

        Args:
            run: Runs a probe.
            listeners: Called with every Outcome, in this order.
            on_skip: Called with probe, agent name and reason (overlap, missed, or a gate's) when
                a run that was due did not start.
            gates: Asked in this order when a run is due, and again when its wait for a process is
                over; the first that refuses is the reason.
            reserve: Asked last, only when the run starts if they agree: they may reserve.
        """
        self._run = run
        self._listeners = listeners
        self._on_skip = on_skip
        self._gates = tuple(gates)
        self._reserve = tuple(reserve)
        self._skipped: dict[str, str] = {}
        """Why the last tick of a work started no run, until one does."""
        self._failed: set[str] = set()
        """Works whose last run, of those that the prober did not spoil, was FAIL."""
        self._under_way: set[str] = set()
        self._works: dict[str, Work] = {}
        self._ahead_s = _wall_clock_ahead()
        self._jobs = AsyncIOScheduler(timezone=UTC)
        self._jobs.add_listener(self._on_overlap, EVENT_JOB_MAX_INSTANCES)
        self._jobs.add_listener(self._on_missed, EVENT_JOB_MISSED)

    @property
    def running(self) -> bool:
        """Whether due runs are started."""
        return bool(self._jobs.running)

    async def check(self) -> str:
        """Return why due runs are not started, "" when they are."""
        if not self._jobs.running:
            return "the scheduler is not running"
        self._follow_clock()
        due = [job.next_run_time for job in self._jobs.get_jobs() if job.next_run_time is not None]
        late_s = (datetime.now(UTC) - min(due, default=datetime.now(UTC))).total_seconds()
        if late_s > _DEAD_AFTER_S:
            return f"the scheduler started nothing for {late_s:.0f} s although a run was due"
        return ""

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._jobs.start()

    def stop(self) -> None:
        """Start nothing more, and cancel what runs."""
        if self._jobs.running:
            self._jobs.shutdown(wait=False)

    def add(self, work: Work, first_in_s: float) -> None:
        """Run this from now on; work with a known id is replaced."""
        self._works[work.id] = work
        # The library's jitter is never negative, and counts from the run before.
        jitter = work.interval_s * _JITTER
        shortest_s = work.interval_s - jitter / 2
        self._jobs.add_job(
            self._tick,
            IntervalTrigger(seconds=shortest_s, jitter=jitter, timezone=UTC),
            args=(work,),
            id=work.id,
            replace_existing=True,
            next_run_time=datetime.now(UTC) + timedelta(seconds=first_in_s),
            max_instances=1,
            # Every tick that was slept through is counted, and as the grace is less than the
            # interval, at most one of them still runs.
            coalesce=False,
            misfire_grace_time=max(1, int(work.interval_s / 2)),
        )

    def remove(self, work_id: str) -> None:
        """Run this no more; a run under way ends by itself."""
        self._skipped.pop(work_id, None)
        self._failed.discard(work_id)
        if self._works.pop(work_id, None) is not None:
            self._jobs.remove_job(work_id)

    def next_run(self, work_id: str) -> datetime | None:
        """Return when the next run is due, None if none is."""
        job = self._jobs.get_job(work_id)
        when: datetime | None = job.next_run_time if job is not None else None
        return when

    async def ask(
        self,
        work: Work,
        on_turn: Callable[[Turn], None],
        listeners: Sequence[Callable[[Outcome], None]],
    ) -> Outcome:
        """Run this now, in addition to its schedule. If cancelled, it ends the run and reports it.

        Args:
            work: What to run; its id is that of what is scheduled.
            on_turn: Called with every turn as it ends.
            listeners: Called with the Outcome, instead of those of scheduled runs.

        Raises:
            Refused: It is under way, a gate refuses, or it was cancelled before it had a process.
        """
        if work.id in self._under_way:
            raise Refused("overlap")
        self._under_way.add(work.id)
        run_id, began = new_run_id(), Began()
        turns: list[Turn] = []

        def hear(turn: Turn) -> None:
            turns.append(turn)
            on_turn(turn)

        try:
            outcome = await self._start(work, run_id, began, hear)
        except asyncio.CancelledError:
            if began.at is None:  # nothing was run, so there is nothing to report
                raise Refused("busy") from None
            _tell(
                listeners, began.given_up(work.probe, work.agent_name, work.config, run_id, turns)
            )
            raise
        finally:
            self._under_way.discard(work.id)
        _tell(listeners, outcome)
        return outcome

    async def _tick(self, work: Work) -> None:
        if work.id in self._under_way:
            self._skip(work.id, "overlap")
            return
        if self._works.get(work.id) is not work:
            return  # it was removed or replaced in this moment
        self._under_way.add(work.id)
        run_id = new_run_id()
        try:
            outcome = await self._start(work, run_id, Began())
        except Refused as refusal:
            if self._works.get(work.id) is work:
                self._put_off(work, refusal)
            return
        except asyncio.CancelledError:
            return  # we are stopping
        except Exception:
            fields = {"run": run_id, "probe": work.probe, "agent_name": work.agent_name}
            log.exception("run failed without an outcome", extra=fields)
            return
        finally:
            self._under_way.discard(work.id)
        self._skipped.pop(work.id, None)
        _tell(self._listeners, outcome)

    async def _start(
        self,
        work: Work,
        run_id: str,
        began: Began,
        on_turn: Callable[[Turn], None] | None = None,
    ) -> Outcome:
        """Run as soon as there is a process, if the gates agree now and then.

        Raises:
            Refused: A gate does not; a window may have closed during the wait. Or a reload removed
                or replaced the work during the wait.
        """
        known, due_s = self._works.get(work.id), time.monotonic()

        async def on_start() -> None:
            if self._works.get(work.id) is not known:
                raise Refused("removed")
            waited_s = time.monotonic() - due_s
            await _pass((*self._gates, *self._reserve), work, run_id, waited_s)
            began.now()

        await _pass(self._gates, work, run_id)
        outcome = await self._run(
            work.probe,
            work.config,
            run_id,
            soon=work.id in self._failed,
            on_start=on_start,
            on_turn=on_turn,
        )
        self._note_failure(work, outcome.verdict)
        return outcome

    def _note_failure(self, work: Work, verdict: Verdict) -> None:
        """Know whose last run was FAIL; UNKNOWN, a fault of the prober, changes nothing."""
        if verdict in (Verdict.PASS, Verdict.SLOW):
            self._failed.discard(work.id)
        elif verdict is Verdict.FAIL and work.id in self._works:
            self._failed.add(work.id)

    def _put_off(self, work: Work, refusal: Refused) -> None:
        """Count a run that was refused, and ask again before long."""
        self._skip(work.id, refusal.reason, logging.INFO, refusal.waited_s)
        soon = datetime.now(UTC) + timedelta(seconds=_ASK_AGAIN_S)
        job = self._jobs.get_job(work.id)
        if job is not None and job.next_run_time > soon:
            job.modify(next_run_time=soon)

    def _follow_clock(self) -> None:
        """Bring runs forward when the wall clock was put back; the library plans by that alone.

        They would be due only when it is as late again. A clock that is put forward is like a
        sleep: what was due meanwhile is missed.
        """
        before, self._ahead_s = self._ahead_s, _wall_clock_ahead()
        back_s = before - self._ahead_s
        if back_s < _PUT_BACK_S:
            return
        log.warning("system clock was set back", extra={"seconds": round(back_s)})
        now, back = datetime.now(UTC), timedelta(seconds=back_s)
        for job in self._jobs.get_jobs():
            job.modify(next_run_time=max(now, job.next_run_time - back))

    def _on_overlap(self, event: JobSubmissionEvent) -> None:
        for _ in event.scheduled_run_times:
            self._skip(event.job_id, "overlap")

    def _on_missed(self, event: JobExecutionEvent) -> None:
        self._skip(event.job_id, "missed")

    def _skip(
        self,
        work_id: str,
        reason: str,
        level: int = logging.WARNING,
        waited_s: float | None = None,
    ) -> None:
        work = self._works.get(work_id)
        if work is None:
            return
        if self._skipped.get(work_id) == reason:
            level = logging.DEBUG  # a night outside of the window, or asleep, is one line
        self._skipped[work_id] = reason
        fields = {"probe": work.probe, "agent_name": work.agent_name, "reason": reason}
        if waited_s is not None:  # it may have been due in time, and have waited too long
            fields["waited_s"] = f"{waited_s:.0f}"
        log.log(level, "run skipped", extra=fields)
        self._on_skip(work.probe, work.agent_name, reason)


async def _pass(
    gates: Sequence[Gate], work: Work, run_id: str, waited_s: float | None = None
) -> None:
    """Ask gates in their order, of a run that has waited so long for a process, if it has.

    Raises:
        Refused: The first that refuses says why.
    """
    for gate in gates:
        if reason := await gate(work, run_id):
            raise Refused(reason, waited_s)


def _tell(listeners: Sequence[Callable[[Outcome], None]], outcome: Outcome) -> None:
    for listener in listeners:
        try:
            listener(outcome)
        except Exception:
            log.exception("callback failed", extra={"run": outcome.run_id})


def _wall_clock_ahead() -> float:
    """Return what the wall clock is ahead of the monotonic one: it changes only when it is set."""
    return time.time() - time.monotonic()
