"""The daemon's part in a group: what it runs follows from the leases that it holds."""

import asyncio
import logging
import secrets
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from exporter.config.values import ProbeSection
from exporter.daemon.plan import call_id
from exporter.fleet.client import LeaseClient
from exporter.fleet.leases import STEP_S, Leases, Share, now_s
from exporter.metrics.leases import LeaseSeries
from exporter.metrics.registry import Metrics
from exporter.outcome import Outcome, Reason, Turn, failure
from exporter.probes import PROBES
from exporter.probes.latency.spec import as_target
from exporter.run.budget import CUT_SHORT
from exporter.run.leash import Leash
from exporter.run.process import partial_result
from exporter.run.scheduler import Refused, Work
from exporter.settings.settings import Settings
from exporter.web.status import GroupView

log = logging.getLogger(__name__)

ELSEWHERE = "lease"
"""Why a run may not start: another exporter of the group has the lease, or nobody."""
CUT_OFF = "it was ended because the lease of the target ended"
TOO_LATE = "the lease of the target ended before the run did"
_LEAVE_S = 2.0
"""To give leases back at the end, where the store answers slowly or not at all."""
_OF_SERVER = {"agent_name": "", "call_type": "", "scenario": ""}


@dataclass(frozen=True, slots=True)
class Parts:
    """What the rest of the daemon does when leases come and go."""

    take: Callable[[Work, float], None]
    """Run work from now on, first in so many seconds."""
    park: Callable[[Work], None]
    """Run it no more, because another exporter does; it may come back."""
    refuse: Callable[[Outcome], None]
    """Note what a run cost whose result is not used."""


class RunOnLeash(Protocol):
    """Runs a probe: the runner, with what is run."""

    def __call__(
        self,
        *,
        on_start: Callable[[], Awaitable[None]],
        on_turn: Callable[[Turn], None],
        leash: Leash,
    ) -> Awaitable[Outcome]:
        """Return what the run found.

        Args:
            on_start: Awaited when it has a process.
            on_turn: Called with every turn as it ends.
            leash: Ends it in its process.
        """


class Group:
    """The works of a group, of which this exporter runs those that it holds. A `Watcher`."""

    def __init__(
        self, name: str, client: LeaseClient, vantage: str, series: LeaseSeries, parts: Parts
    ) -> None:
        """Set up; nothing is leased before `watch`.

        Args:
            name: Of the group.
            client: The store of the leases.
            vantage: The label, where a configuration has none of its own.
            series: Shows the leases.
            parts: Called when leases come and go.
        """
        self.name = name
        self.member = f"{socket.gethostname()}-{secrets.token_hex(4)}"
        self._client = client
        self._vantage = vantage
        self._series = series
        self._parts = parts
        self._works: dict[str, tuple[Work, float]] = {}
        """By the id of the lease: the work, and when it is to run first, on the clock of leases."""
        self._began: dict[str, float] = {}
        """When a run of ours last began, by the id of the lease, on the clock of leases."""
        self._runs: dict[str, tuple[asyncio.Timeout, Leash]] = {}
        """The runs under way, waits for a process included, by the id of the lease."""
        self.leases = Leases(self.member, client, self, self._runs.__contains__)

    @property
    def problem(self) -> str:
        """Why the store of the leases is not reached, "" when it is."""
        why = self.leases.problem
        return f"leases: {why}; what is not leased any more is not run" if why else ""

    @property
    def has_looked(self) -> bool:
        """Whether it is known what the others run: a listing of rooms may be one of it."""
        return self.member in self.leases.members and not self._lists

    @property
    def _lists(self) -> bool:
        held = (self._works[lease][0] for lease in self.leases.held & self._works.keys())
        return any(work.probe == "agents" for work in held)

    def reconfigure(self, vantage: str) -> None:
        """Follow a new vantage: what runs once for each vantage has another lease then."""
        if vantage == self._vantage:
            return
        for work, _ in self._works.values():
            self._series.remove(self._subject(work.probe, work.config))
        self._vantage = vantage
        for lease, (work, first_at) in list(self._works.items()):
            if self._lease(work.probe, work.config) != lease:
                self.add(work, max(0.0, first_at - now_s()))
        self.show()

    def add(self, work: Work, first_in_s: float) -> None:
        """Share this work; known work is replaced."""
        lease = self._lease(work.probe, work.config)
        if lease != work.id:  # of a vantage, which may be another than before
            self._leave_others(work.id, lease)
        self._works[lease] = work, now_s() + first_in_s
        self.leases.add(Share(lease, work.interval_s, _load(work)))
        if self.leases.fence(lease) is not None:
            self._parts.take(work, first_in_s)
        self._show(lease)

    def remove(self, work: Work) -> None:
        """Share it no more."""
        self._forget(self._lease(work.probe, work.config))

    def _leave_others(self, work_id: str, lease: str) -> None:
        """Give up the lease that work had before, as it runs by another one from now on."""
        before = [each for each, (work, _) in self._works.items() if work.id == work_id]
        for each in before:
            if each != lease:
                self._parts.park(self._works[each][0])
                self._forget(each)

    def _forget(self, lease: str) -> None:
        if lease in self._works:
            work, _ = self._works.pop(lease)
            self.leases.remove(lease)
            self._began.pop(lease, None)
            self._series.remove(self._subject(work.probe, work.config))

    def holds(self, work: Work) -> bool:
        """Return whether this exporter runs it now."""
        return self.leases.fence(self._lease(work.probe, work.config)) is not None

    async def gate(self, work: Work, _run_id: str) -> str:
        """Let no run start whose lease another one has: asked when it is due."""
        self.leases.expire()
        return "" if self.holds(work) else ELSEWHERE

    async def begin(self, work: Work, _run_id: str) -> str:
        """The same when the run starts: the others get to know of it."""
        self.leases.expire()
        return (
            "" if await self.leases.may_begin(self._lease(work.probe, work.config)) else ELSEWHERE
        )

    async def fenced(
        self,
        probe: str,
        config: ProbeSection,
        run_id: str,
        run: RunOnLeash,
        *,
        on_start: Callable[[], Awaitable[None]] | None = None,
        on_turn: Callable[[Turn], None] | None = None,
    ) -> Outcome:
        """Run while the lease lasts, and return an Outcome with its fencing number.

        Args:
            probe: What is run.
            config: Its configuration.
            run_id: Of the run.
            run: Runs it.
            on_start: Awaited when it has a process; what it raises ends the run.
            on_turn: Called with every turn as it ends.

        Raises:
            Refused: The lease ended before the run, which was ended, or whose result is not used.
        """
        lease = self._lease(probe, config)
        if (fence := self.leases.fence(lease)) is None:
            raise Refused(ELSEWHERE)
        self._began[lease] = now_s()
        cut = _Cut(probe, config, run_id, fence, on_start, on_turn)
        outcome, is_ours = None, False
        try:
            until = self.leases.until(lease)
            async with asyncio.timeout(until - now_s()) as limit:
                self._runs[lease] = limit, (leash := Leash(until))
                outcome = replace(
                    await run(on_start=cut.start, on_turn=cut.hear, leash=leash), fence=fence
                )
                is_ours = await self.leases.is_current(lease, fence)
        except TimeoutError:
            self.leases.expire()
        finally:
            self._runs.pop(lease, None)
        if outcome is not None and is_ours:
            return outcome
        if outcome is None and not cut.has_started:
            raise Refused(ELSEWHERE)  # it waited for a process: nothing to note, nothing to pay
        log.warning("result refused: the lease ended", extra={"run": run_id, "fence": fence})
        self._series.refused()
        self._parts.refuse(_refused(outcome) if outcome is not None else cut.outcome())
        raise Refused(ELSEWHERE)

    async def watch(self) -> None:
        """Renew, take and hand over leases, for ever."""
        while True:
            await self.leases.step()
            self.show()
            await asyncio.sleep(STEP_S)

    async def aclose(self) -> None:
        """Hand everything over; no run may be under way."""
        self._works.clear()  # nothing is parked any more
        with suppress(TimeoutError):  # they expire
            async with asyncio.timeout(_LEAVE_S):
                await self.leases.leave()
                await self._client.aclose()

    def show(self) -> None:
        """Show all leases as they are now."""
        self._series.members(0 if self.leases.problem else len(self.leases.members))
        for lease in self._works:
            self._show(lease)

    def view(self) -> GroupView:
        """Return what the status page shows."""
        held = {work.id for lease, (work, _) in self._works.items() if self.leases.fence(lease)}
        others = {
            work.id: holder.member if (holder := self.leases.holders.get(lease)) else ""
            for lease, (work, _) in self._works.items()
            if work.id not in held
        }
        return GroupView(self.name, self.member, len(self.leases.members), len(held), others)

    def gained(self, lease: str, fence: int, since_run_s: float | None) -> None:
        """Run what was leased, when it is due: an interval after the last run of any exporter."""
        work, first_at = self._works[lease]
        if since_run_s is None and lease in self._began:  # a lease that was found again
            since_run_s = now_s() - self._began[lease]
        due_s = first_at - now_s() if since_run_s is None else work.interval_s - since_run_s
        log.info("lease taken", extra={"lease": lease, "fence": fence})
        self._parts.take(work, max(0.0, due_s))

    def renewed(self, lease: str, until: float) -> None:
        """Let a run go on for as long as its lease."""
        if (limit := self._limit(lease)) is not None:
            limit.reschedule(asyncio.get_running_loop().time() + until - now_s())
            self._runs[lease][1].renew(until)

    def lost(self, lease: str, reason: str) -> None:
        """End the run, if there is one, and leave the work to the others."""
        if (limit := self._limit(lease)) is not None:
            limit.reschedule(asyncio.get_running_loop().time())
        log.info("lease given up", extra={"lease": lease, "reason": reason})
        if reason != "handed_over":
            self._series.lost(reason)
        if lease in self._works:
            self._parts.park(self._works[lease][0])

    def _limit(self, lease: str) -> asyncio.Timeout | None:
        """Return what ends the run under way, if one is and it has not been ended."""
        limit, _ = self._runs.get(lease, (None, None))
        return None if limit is None or limit.expired() else limit

    def _show(self, lease: str) -> None:
        work = self._works[lease][0]
        self._series.show(
            self._subject(work.probe, work.config),
            is_held=self.leases.fence(lease) is not None,
            unheld_intervals=self.leases.unheld_s(lease) / work.interval_s,
        )

    def _subject(self, probe: str, config: ProbeSection) -> Mapping[str, str]:
        labels = PROBES[probe].labels(config)
        return {"probe": probe, **_OF_SERVER, "vantage": self._vantage, **labels}

    def _lease(self, probe: str, config: ProbeSection) -> str:
        """Return the id of its lease: probes of the server run once for each vantage."""
        if (target := as_target(config)) is not None:
            return call_id(target.key)
        return f"{probe}@{self._subject(probe, config)['vantage']}"


@dataclass(slots=True)
class _Cut:
    """A run as it is known if it is ended because its lease is over."""

    probe: str
    config: ProbeSection
    run_id: str
    fence: int
    on_start: Callable[[], Awaitable[None]] | None
    on_turn: Callable[[Turn], None] | None
    has_started: bool = False
    turns: list[Turn] = field(default_factory=list)
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    began: float = field(default_factory=time.monotonic)

    async def start(self) -> None:
        """Count from now on, if the run may start: the wait for a process is no part of it."""
        if self.on_start is not None:
            await self.on_start()
        self.has_started = True
        self.started_at, self.began = datetime.now(UTC), time.monotonic()

    def hear(self, turn: Turn) -> None:
        """Note a turn: it was paid for."""
        self.turns.append(turn)
        if self.on_turn is not None:
            self.on_turn(turn)

    def outcome(self) -> Outcome:
        """Return what is known of it."""
        outcome = Outcome(
            probe=self.probe,
            agent_name=getattr(self.config, "agent_name", ""),
            started_at=self.started_at,
            duration_s=time.monotonic() - self.began,
            reason=Reason.PROBE_CRASHED,
            detail=CUT_OFF,
            result=partial_result(self.config, self.turns),
            run_id=self.run_id,
            fence=self.fence,
        )
        return replace(outcome, findings=failure(outcome))


def _refused(outcome: Outcome) -> Outcome:
    """Return a run that came to its end after its lease, as the history keeps it."""
    # One that was cut short stays so: the turn that it could not report was paid for.
    reason = Reason.PROBE_CRASHED if outcome.reason in CUT_SHORT else Reason.VOID
    refused = replace(outcome, reason=reason, detail=TOO_LATE)
    return replace(refused, findings=failure(refused))


def _load(work: Work) -> int:
    """Return how much of a process work keeps busy, in thousandths; at least one."""
    if PROBES[work.probe].lane == "api":
        return 1
    target = as_target(work.config)
    seconds = work.config.deadline if target is None else target.most[1]
    return max(1, round(1000 * seconds / work.interval_s))


def make_group(
    settings: Settings, server_name: str, metrics: Metrics, parts: Parts
) -> Group | None:
    """Return the group that is configured, None where there is none.

    Args:
        settings: Of the daemon.
        server_name: The label `server`: leases are of one LiveKit server.
        metrics: Where the leases are shown.
        parts: Called when leases come and go.
    """
    if settings.group is None or settings.store.redis.url_file is None:
        return None
    from exporter.fleet.redis import RedisLeases  # noqa: PLC0415 - an extra may lack

    namespace = f"{settings.store.redis.prefix}:{server_name}:{settings.group}"
    client = RedisLeases(settings.store.redis.address, namespace)
    return Group(settings.group, client, settings.sfu.vantage, LeaseSeries(metrics), parts)
