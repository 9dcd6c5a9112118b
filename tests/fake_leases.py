"""The store of leases as Redis keeps it, on a clock of the test; it may be away, slow, or forget.

`tests/integration/test_leases_redis.py` holds it and Redis to the same promises.
"""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from exporter.errors import StoreError
from exporter.fleet.client import Grant, Holder
from exporter.fleet.leases import LONGEST_S, Leases, Share

T = TypeVar("T")


def done(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise AssertionError("it waits for something")


@dataclass
class Server:
    """What all exporters share."""

    now: Callable[[], float]
    fence: int = 0
    leases: dict[str, tuple[Holder, float]] = field(default_factory=dict)
    """By work, with the time at which each expires."""
    members: dict[str, tuple[float, int]] = field(default_factory=dict)
    last_run: dict[str, float] = field(default_factory=dict)
    started_at: float = float("-inf")

    def restart(self, *, keeps: Sequence[str]) -> None:
        """Be started again, with some of the leases that it had."""
        self.leases = {work: self.leases[work] for work in keeps}
        self.members, self.last_run = {}, {}
        self.started_at = self.now()
        self.fence += 1000  # the time of the restart, in Redis

    def holder(self, work: str) -> Holder | None:
        """Return who has a lease."""
        holder, until = self.leases.get(work, (None, 0.0))
        return holder if self.now() < until else None

    def knows_all(self, lasts_s: float) -> bool:
        """Return whether leases of such a duration that it forgot are over."""
        return self.now() - self.started_at >= lasts_s


class Link:
    """One exporter's connection to it: a `LeaseClient`."""

    def __init__(self, server: Server, wait: Callable[[float], None]) -> None:
        self._server = server
        self._wait = wait
        self.is_up = True
        self.loses_answer = False
        """The next question is done, and its answer never comes."""
        self.slow_s = 0.0
        """How long a question, and then an answer, is on its way."""

    async def beat(self, member: str, lasts_s: float, load: int) -> Mapping[str, int]:
        """As in `LeaseClient`."""

        def beat() -> dict[str, int]:
            now, members = self._server.now(), self._server.members
            members[member] = now + lasts_s, load
            return {name: load for name, (until, load) in members.items() if now < until}

        return self._ask(beat)

    async def leave(self, member: str) -> None:
        """As in `LeaseClient`."""
        self._ask(lambda: self._server.members.pop(member, None))

    async def holders(self, works: Sequence[str]) -> Mapping[str, Holder]:
        """As in `LeaseClient`."""

        def holders() -> dict[str, Holder]:
            found = {work: self._server.holder(work) for work in works}
            return {work: holder for work, holder in found.items() if holder is not None}

        return self._ask(holders)

    async def acquire(self, work: str, member: str, lasts_s: float) -> Grant | None:
        """As in `LeaseClient`."""

        def acquire() -> Grant | None:
            server = self._server
            if server.holder(work) is not None or not server.knows_all(lasts_s):
                return None
            server.fence += 1
            server.leases[work] = Holder(member, server.fence), server.now() + lasts_s
            last = server.last_run.get(work)
            return Grant(server.fence, None if last is None else server.now() - last)

        return self._ask(acquire)

    async def renew(self, member: str, leases: Mapping[str, tuple[int, float]]) -> frozenset[str]:
        """As in `LeaseClient`."""

        def renew() -> frozenset[str]:
            server, renewed = self._server, set()
            for work, (fence, lasts_s) in leases.items():
                found, mine = server.holder(work), Holder(member, fence)
                if found == mine or (found is None and not server.knows_all(lasts_s)):
                    server.leases[work] = mine, server.now() + lasts_s
                    server.fence = max(server.fence, fence)
                    renewed.add(work)
            return frozenset(renewed)

        return self._ask(renew)

    async def release(self, work: str, member: str, fence: int) -> None:
        """As in `LeaseClient`."""

        def release() -> None:
            if self._server.holder(work) == Holder(member, fence):
                del self._server.leases[work]

        self._ask(release)

    async def began(self, work: str, member: str, fence: int, ago_s: float = 0.0) -> bool:
        """As in `LeaseClient`."""

        def began() -> bool:
            is_ours = self._server.holder(work) == Holder(member, fence)
            if is_ours:
                self._server.last_run[work] = self._server.now() - ago_s
            return is_ours

        return self._ask(began)

    async def aclose(self) -> None:
        """As in `LeaseClient`."""

    def _ask(self, do: Callable[[], T]) -> T:
        if not self.is_up:
            raise StoreError("no route to the store")
        self._wait(self.slow_s)
        answer = do()
        self._wait(self.slow_s)
        if self.loses_answer:
            self.loses_answer = False
            raise StoreError("no answer in time")
        return answer


class Member:
    """An exporter that does nothing but hold leases."""

    def __init__(self, group: "FakeGroup", name: str, pace: float = 1.0) -> None:
        """Join a group; it takes nothing before its steps.

        Args:
            group: Which.
            name: Of this exporter, and of no other.
            pace: Seconds that its clock counts in one.
        """
        self.link = Link(group.server, group.wait)
        self.busy: set[str] = set()
        self.gains: list[tuple[str, int, float | None]] = []
        self.losses: list[tuple[str, str]] = []
        self._fences = group.fences
        self.leases = Leases(
            *(name, self.link, self, self.busy.__contains__),
            clock=lambda: 5e6 + pace * group.now,
        )
        for share in group.shares:
            self.leases.add(share)

    def step(self) -> None:
        """Renew, hand over and take, once."""
        done(self.leases.step())

    def gained(self, work: str, fence: int, since_run_s: float | None) -> None:
        """Hold a lease with a number that no lease of the work had before."""
        self.gains.append((work, fence, since_run_s))
        self._fences.setdefault(work, []).append(fence)

    def renewed(self, work: str, until: float) -> None:
        """Nothing to do."""

    def lost(self, work: str, reason: str) -> None:
        """Note it."""
        self.losses.append((work, reason))
        self.busy.discard(work)  # its run is ended


class FakeGroup:
    """Exporters and the store that they share, on one clock that the test moves."""

    def __init__(self, shares: Sequence[Share], *paces: float) -> None:
        self.now = 1000.0
        self.shares = shares
        self.fences: dict[str, list[int]] = {}
        """The numbers of all leases that were given, by work, in their order."""
        self.server = Server(lambda: self.now)
        self.members = [Member(self, f"m{place}", pace) for place, pace in enumerate(paces)]

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def run(self, seconds: float, every_s: float = 2.0) -> None:
        """Let time pass, with the steps of all members."""
        until = self.now + seconds
        while self.now < until:
            for member in list(self.members):
                member.step()
            self.check()
            self.wait(every_s)

    def holders(self, work: str) -> list[Member]:
        """Return who runs a work, each by its own clock."""
        return [each for each in self.members if each.leases.fence(work) is not None]

    def check(self) -> None:
        """No work has two holders."""
        for share in self.shares:
            assert len(self.holders(share.id)) <= 1, share.id

    def counts(self) -> list[int]:
        """Return how many works each member holds."""
        return [len(each.leases.held) for each in self.members]


LONGEST_INTERVAL_S = 4 * LONGEST_S
"""Its lease is the longest."""
