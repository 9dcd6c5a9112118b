"""Which of a group's works this exporter runs: it takes leases, renews them, gives them back.

Safety needs no clock but the holder's own: a lease counts from before it was asked for, on a
monotonic clock, and is over for its holder some time before it can be over in the store. Whatever
the store says later, and however late, changes nothing about that.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from exporter.errors import StoreError
from exporter.fleet.client import Holder, LeaseClient

log = logging.getLogger(__name__)

STEP_S = 2.0
"""Between two looks at what is free; leases are renewed as often."""
MEMBER_LASTS_S = 4 * STEP_S
"""A member that is not heard of for so long counts no more for the fair share."""
_LEFT_S = 3 * STEP_S
"""What nobody has taken for so long is taken by whoever sees it."""
SHORTEST_S, LONGEST_S = 10.0, 60.0
_MARGIN = 0.3
"""Share of a lease by which it is over for its holder before it is in the store: for clocks that do
not run alike, and for a call to end."""


def lease_s(interval_s: float) -> float:
    """Return how long a lease of work with such an interval lasts, in seconds.

    Short enough that after a holder's death, and a restart of the store as well, the work is due
    again within two intervals; long enough to outlive a short outage of the store.
    """
    return min(max(interval_s / 4, SHORTEST_S), LONGEST_S)


def now_s() -> float:
    """Return seconds on a clock that nobody sets, and that goes on while the host is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True, slots=True)
class Share:
    """Work that the exporters of a group share."""

    id: str
    """The same in every exporter of the group."""
    interval_s: float
    load: int
    """How much of a process it keeps busy, in thousandths."""

    @property
    def lasts_s(self) -> float:
        """How long its lease lasts."""
        return lease_s(self.interval_s)


class Watcher(Protocol):
    """Told what becomes of leases."""

    def gained(self, work: str, fence: int, since_run_s: float | None) -> None:
        """Run this work from now on.

        Args:
            work: Its id.
            fence: The fencing number of the lease.
            since_run_s: As in `Grant`.
        """

    def renewed(self, work: str, until: float) -> None:
        """A lease lasts until then, on the clock of the leases."""

    def lost(self, work: str, reason: str) -> None:
        """Run this work no more: `expired`, `taken` by another, or `handed_over`."""


@dataclass(slots=True)
class _Held:
    fence: int
    until: float
    """When it is over for this exporter, on its own clock."""


@dataclass(slots=True)
class Leases:
    """The leases of one exporter. `step` is called again and again; all of one event loop."""

    member: str
    """Names this exporter; no other one, and no later process of it, has the same."""
    client: LeaseClient
    watcher: Watcher
    is_busy: Callable[[str], bool]
    """Whether a run of the work is under way: it is not handed over meanwhile."""
    clock: Callable[[], float] = now_s
    shares: dict[str, Share] = field(default_factory=dict)
    holders: dict[str, Holder] = field(default_factory=dict)
    """Who held each work at the last look, this exporter included."""
    members: Mapping[str, int] = field(default_factory=dict)
    """Who lives, with what load, as of the last look."""
    problem: str = ""
    """Why the store is not reached, "" when it is."""
    _held: dict[str, _Held] = field(default_factory=dict)
    _last_held: dict[str, float] = field(default_factory=dict)
    _free_since: dict[str, float] = field(default_factory=dict)
    """When what nobody has was first seen to be free, since the store was last reached anew."""
    _leaving: set[str] = field(default_factory=set)
    """Held, and known no longer."""
    _untold: dict[str, float] = field(default_factory=dict)
    """When a run began, on the clock, of which the store was not told yet."""
    _unwanted: set[str] = field(default_factory=set)
    """Taken because nobody else did: they may not know of it."""

    def add(self, share: Share) -> None:
        """Share this work from now on; a known one is replaced."""
        self.shares[share.id] = share
        self._leaving.discard(share.id)
        self._last_held.setdefault(share.id, self.clock())

    def remove(self, work: str) -> None:
        """Share it no more; its lease is given back when no run of it is under way."""
        if self.shares.pop(work, None) is None:
            return
        self.holders.pop(work, None)
        self._last_held.pop(work, None)
        if work in self._held:
            self._leaving.add(work)

    def fence(self, work: str) -> int | None:
        """Return the fencing number of a lease that this exporter has now; None: it has none."""
        held = self._held.get(work)
        return held.fence if held is not None and self.clock() < held.until else None

    def until(self, work: str) -> float:
        """Return when a lease is over for this exporter; a moment that is past: it has none."""
        held = self._held.get(work)
        return held.until if held is not None else float("-inf")

    def unheld_s(self, work: str) -> float:
        """Return the seconds since the work was last seen to be held by anyone."""
        return max(0.0, self.clock() - self._last_held.get(work, self.clock()))

    @property
    def held(self) -> frozenset[str]:
        """The works whose leases this exporter has."""
        return frozenset(work for work in self._held if self.fence(work) is not None)

    async def may_begin(self, work: str) -> bool:
        """Return whether a run may begin now, and let the others know that it does.

        The store's word is asked for, but not needed: what is leased goes on while it is away. It
        is told of the run later, so that whoever has the lease next does not call too soon.
        """
        if self.fence(work) is not None:
            self._untold[work] = self.clock()
        return await self._asked(work, self._tell)

    async def _tell(self, work: str, member: str, fence: int) -> bool:
        """Let the store know of a run that it does not know of."""
        now = self.clock()
        ago_s = now - self._untold.get(work, now)
        is_ours = await self.client.began(work, member, fence, ago_s)
        self._untold.pop(work, None)
        return is_ours

    async def is_current(self, work: str, fence: int) -> bool:
        """Return whether what a run found may count: its lease is the one that it began with."""

        async def holds(work: str, member: str, fence: int) -> bool:
            return (await self.client.holders([work])).get(work) == Holder(member, fence)

        return self.fence(work) == fence and await self._asked(work, holds)

    async def _asked(self, work: str, ask: Callable[[str, str, int], Awaitable[bool]]) -> bool:
        if (fence := self.fence(work)) is None:
            return False
        try:
            if not await ask(work, self.member, fence):
                self._lose(work, "taken")
        except StoreError as error:
            self._note(str(error))
        return self.fence(work) == fence

    async def step(self) -> None:
        """Renew what is held, hand over what is too much, take what is free."""
        self.expire()
        try:
            await self._renew()
            for work in list(self._untold):
                await self._asked(work, self._tell)
            await self._give_back(self._leaving)
            # Who has come a moment ago takes nothing yet: it may be one of several.
            known = self.members
            self.members = await self.client.beat(self.member, MEMBER_LASTS_S, self._load())
            await self._look()
            await self._give_back(self._too_much())
            if self.member in known:
                await self._take_free()
        except StoreError as error:
            self._note(str(error))
            self._free_since.clear()
        else:
            self._note("")
        self.expire()

    async def leave(self) -> None:
        """Give everything back, at the end: nothing may run any more."""
        try:
            await self._give_back(list(self._held))
            await self.client.leave(self.member)
        except StoreError as error:  # they expire
            log.warning("leases not given back", extra={"error": str(error)})

    def expire(self) -> None:
        """Let go of what is over; `step` does so as well."""
        for work in [each for each in self._held if self.fence(each) is None]:
            self._lose(work, "expired")

    def _lose(self, work: str, reason: str) -> None:
        if self._held.pop(work, None) is not None:
            self._leaving.discard(work)
            self._unwanted.discard(work)
            self._untold.pop(work, None)
            self.watcher.lost(work, reason)

    async def _renew(self) -> None:
        wanted = {work: (held.fence, self._lasts_s(work)) for work, held in self._held.items()}
        if not wanted:
            return
        asked_at = self.clock()
        renewed = await self.client.renew(self.member, wanted)
        for work, (fence, lasts_s) in wanted.items():
            if self.fence(work) != fence:
                self._lose(work, "expired")  # the answer came too late: it is over for us
            elif work in renewed:
                self._hold(work, fence, asked_at, lasts_s)
            else:
                self._lose(work, "taken")

    def _hold(self, work: str, fence: int, asked_at: float, lasts_s: float) -> None:
        until = asked_at + lasts_s * (1 - _MARGIN)
        self._held[work] = _Held(fence, until)
        self._last_held[work] = self.clock()
        self.watcher.renewed(work, until)

    def _lasts_s(self, work: str) -> float:
        share = self.shares.get(work)
        return share.lasts_s if share is not None else SHORTEST_S

    async def _look(self) -> None:
        """See who holds what; a lease of ours that we do not know of is taken over.

        That is one whose answer was lost.
        """
        now = self.clock()
        found = await self.client.holders(list(self.shares))
        self.holders = {work: holder for work, holder in found.items() if work in self.shares}
        free = self.shares.keys() - self.holders.keys()
        self._free_since = {work: self._free_since.get(work, now) for work in free}
        self._last_held |= dict.fromkeys(self.holders, now)
        for work, holder in list(self.holders.items()):  # a reload may change it meanwhile
            if holder.member == self.member and work not in self._held:
                await self._adopt(work, holder.fence)

    async def _adopt(self, work: str, fence: int) -> None:
        asked_at, lasts_s = self.clock(), self._lasts_s(work)
        if work in await self.client.renew(self.member, {work: (fence, lasts_s)}):
            self._begin(work, fence, asked_at, lasts_s, None)

    def _begin(
        self, work: str, fence: int, asked_at: float, lasts_s: float, since_run_s: float | None
    ) -> None:
        """Hold a new lease, unless its answer came so late that it is over."""
        if self.clock() < asked_at + lasts_s * (1 - _MARGIN) and work in self.shares:
            self.holders[work] = Holder(self.member, fence)
            self._hold(work, fence, asked_at, lasts_s)
            self.watcher.gained(work, fence, since_run_s)

    async def _give_back(self, works: Iterable[str]) -> None:
        """Hand over works of which no run is under way."""
        for work in list(works):
            held = self._held.get(work)
            if held is None or self.is_busy(work):
                continue
            self._lose(work, "handed_over")  # first: nothing begins while the store is asked
            self.holders.pop(work, None)
            await self.client.release(work, self.member, held.fence)

    def _too_much(self) -> list[str]:
        """Return what to hand over to the member with the least load.

        Each makes the larger of both loads smaller, so this comes to an end.
        """
        mine, least = self._load(), self._least()
        found: list[str] = []
        if least is None:
            return found
        for work in sorted(self.held & self.shares.keys() - self._unwanted, key=self._by_load):
            load = self.shares[work].load
            if least + load < mine and not self.is_busy(work):
                found.append(work)
                mine, least = mine - load, least + load
        return found

    async def _take_free(self) -> None:
        """Take what nobody has, the heaviest first, while no other member has less to do."""
        free = self.shares.keys() - self.holders.keys() - self._held.keys()
        took_unwanted = False
        for work in sorted(free, key=self._by_load, reverse=True):
            share, least = self.shares.get(work), self._least()
            if share is None:
                continue  # it was removed meanwhile
            is_unwanted = least is not None and self._load() > least
            if is_unwanted and (took_unwanted or not self._is_left(work)):
                continue
            took_unwanted |= is_unwanted  # one at a time: others may want the next
            asked_at = self.clock()
            grant = await self.client.acquire(work, self.member, share.lasts_s)
            if grant is not None:
                self._begin(work, grant.fence, asked_at, share.lasts_s, grant.since_run_s)
                if is_unwanted:
                    self._unwanted.add(work)

    def _is_left(self, work: str) -> bool:
        return self.clock() - self._free_since.get(work, self.clock()) > _LEFT_S

    def _by_load(self, work: str) -> tuple[int, str]:
        return self.shares[work].load, work

    def _load(self) -> int:
        return sum(self.shares[work].load for work in self._held if work in self.shares)

    def _least(self) -> int | None:
        """Return the least load of the other members; None: there is none."""
        others = (load for name, load in self.members.items() if name != self.member)
        return min(others, default=None)

    def _note(self, problem: str) -> None:
        if bool(problem) != bool(self.problem):
            if problem:
                log.warning("lease store not reached", extra={"error": problem})
            else:
                log.info("lease store reached again")
        self.problem = problem
