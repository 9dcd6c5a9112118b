"""The coordinator's mind: who is there, which step is next, who is lost.

Every tier is two steps for all: to grow, and to hold. The next step begins when everybody has done
the last one, or was lost. A vantage is lost when it is silent for too long, is late with a step,
or says that it cannot go on; the others go on without it.

It knows nothing of HTTP. All methods belong to one event loop.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from exporter.distributed.combine import CombinedTier, VantageTier, combined
from exporter.distributed.messages import Done, Heard, Plan, Registration, Sign, Step
from exporter.errors import ExporterError
from exporter.outcome import RampProgress
from exporter.probes.ramp.judge import JudgedTier, is_last
from exporter.probes.ramp.processes import GROW_S, MARGIN_S, SETTLE_S, START_S
from exporter.probes.ramp.spec import RampConfig
from exporter.probes.ramp.summary import WORST_FIRST

log = logging.getLogger(__name__)

COUNTDOWN_S = 2.0
"""From the order to hold to its beginning: long polls and requests come through by then."""

FAREWELL_S = 3.0
"""For the probers to hear that it is over."""


class RefusedError(ExporterError):
    """A prober cannot take part; the message says why."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the coordinator waits; seconds."""

    gather_s: float = 120.0
    """For all vantages to register."""
    silent_s: float = 10.0
    """For a sign of life of a vantage."""
    grow_s: float = GROW_S + START_S + MARGIN_S + SETTLE_S + MARGIN_S
    """For a vantage to connect its clients, one of whose processes may hang, and to ask for the
    clock."""
    late_s: float = MARGIN_S + 5.0
    """For a vantage to report a tier, beyond its duration and the countdown."""


@dataclass(slots=True)
class Member:
    """One vantage."""

    vantage: str
    attempt: str
    """At registration: who says it again has not heard the answer."""
    id: str
    rooms: str
    seen_s: float
    done: int = 0
    """The last step that it has done."""
    tiers: list[JudgedTier] = field(default_factory=list)
    lost: str = ""
    """Why it takes part no more; "" while it does."""
    round_trip_s: float | None = None
    dismissed: bool = False
    """Whether it has heard that the ramp is over."""


@dataclass(frozen=True, slots=True)
class VantageResult:
    """What one vantage has found."""

    vantage: str
    tiers: tuple[JudgedTier, ...]
    lost: str
    """Why it did not come to the end; "" if it did."""


@dataclass(frozen=True, slots=True)
class DistributedRamp:
    """What all of them have found."""

    tiers: tuple[CombinedTier, ...]
    vantages: tuple[VantageResult, ...]
    missing: int
    """Vantages that were expected and never came."""
    complete: bool
    """Whether it came to the end, or to a tier that broke."""


class Session:
    """One ramp of several vantages."""

    def __init__(
        self,
        config: RampConfig,
        expect: int,
        *,
        patience: Patience | None = None,
        clock: Callable[[], float] = time.monotonic,
        show: Callable[[RampProgress], None] = lambda _: None,
    ) -> None:
        """Set up; nobody is there yet.

        Args:
            config: The tiers of each vantage, and the targets.
            expect: Vantages that take part.
            patience: How long it waits for whom.
            clock: The clock whose times are sent to probers.
            show: Told how far it is.
        """
        self.config = config
        self.expect = expect
        self._rooms = f"voice-exporter-{secrets.token_hex(8)}"
        self._patience = patience or Patience()
        self._clock = clock
        self._show = show
        self._members: dict[str, Member] = {}
        self._step = Step(number=0, kind="grow")
        self._open = True
        self._changed = asyncio.Condition()

    @property
    def orphans(self) -> tuple[str, ...]:
        """What the names of rooms begin with that nobody is left to delete.

        Who has heard that it is over deletes its own, once its clients have left them.
        """
        return tuple(
            f"{each.rooms}-" for each in self._members.values() if each.lost or not each.dismissed
        )

    def now(self) -> float:
        """Return the coordinator's clock."""
        return self._clock()

    async def register(self, registration: Registration) -> Plan:
        """Let a vantage take part; one that asks again gets the same answer again.

        Raises:
            RefusedError: The name is taken, or it comes too late.
        """
        vantage = registration.vantage
        for each in self._members.values():
            if (each.vantage, each.attempt) == (vantage, registration.attempt):
                return self._plan(self.alive(each.id))
        if not self._open:
            raise RefusedError("the ramp has already begun; no vantage can join")
        if any(each.vantage == vantage and not each.lost for each in self._members.values()):
            raise RefusedError(f"the vantage {vantage} is already registered; use a different name")
        if len(self._alive()) >= self.expect:
            raise RefusedError(f"all {self.expect} vantages are already registered")
        member = Member(
            vantage,
            registration.attempt,
            id=secrets.token_hex(8),
            rooms=f"{self._rooms}-{len(self._members)}",
            seen_s=self._clock(),
        )
        self._members[member.id] = member
        log.info("vantage registered", extra={"vantage": vantage})
        await self._notify()
        return self._plan(member)

    async def step_after(self, member: str, number: int, within_s: float) -> Step | None:
        """Return the step after one, when there is one; None if it does not come in time.

        Raises:
            RefusedError: The vantage is unknown or was given up.
        """
        found = self.alive(member)
        try:
            async with asyncio.timeout(within_s), self._changed:
                while self._step.number <= number:
                    await self._changed.wait()
                found.dismissed = self._step.kind == "stop"
                self._changed.notify_all()
        except TimeoutError:
            return None
        return self._step

    async def sign(self, member: str, sign: Sign) -> Heard:
        """Take a sign of life, and return whether the ramp is over.

        Raises:
            RefusedError: The vantage is unknown or was given up.
        """
        found = self.alive(member)
        if sign.round_trip_s is not None:
            found.round_trip_s = sign.round_trip_s
        over = self._step.kind == "stop"
        if over:
            found.dismissed = True
            await self._notify()
        return Heard(over=over)

    def alive(self, member: str) -> Member:
        """Return a vantage that takes part, which was heard of just now.

        Raises:
            RefusedError: The vantage is unknown or was given up.
        """
        found = self._members.get(member)
        if found is None:
            raise RefusedError("unknown vantage; register first")
        if found.lost:
            raise RefusedError(f"the vantage counts as lost: {found.lost}")
        found.seen_s = self._clock()
        return found

    async def done(self, member: str, done: Done) -> None:
        """Take a vantage's word that it has done a step, or that it cannot go on.

        Said again, because the answer was lost, it changes nothing.

        Raises:
            RefusedError: The vantage is unknown or was given up, or it is another step's turn.
        """
        found = self.alive(member)
        if done.error:
            self._lose(found, done.error)
        elif done.number <= found.done:
            return
        elif done.number != self._step.number:
            raise RefusedError(
                f"step {done.number} is over; the current step is {self._step.number}"
            )
        elif fault := self._fault(done):
            self._lose(found, fault)
        else:
            found.done = done.number
            if done.tier is not None:
                found.tiers.append(done.tier)
        await self._notify()

    async def run(self) -> DistributedRamp:
        """Wait for the vantages, and lead them through the tiers; what comes of it is returned."""
        tiers: list[CombinedTier] = []
        complete = False
        try:
            await self._gather()
            for tier_index, clients in enumerate(self.config.tiers):
                self._tell(tier_index, clients, 0.0)
                await self._lead("grow", clients, self._patience.grow_s)
                if not self._alive():
                    break
                limit_s = COUNTDOWN_S + self.config.duration + self._patience.late_s
                async with self._showing(tier_index, clients):
                    await self._lead("hold", clients, limit_s, self._clock() + COUNTDOWN_S)
                if not self._alive():
                    break
                tiers.append(
                    combined([VantageTier(each.vantage, each.tiers[-1]) for each in self._alive()])
                )
                complete = tier_index == len(self.config.tiers) - 1 or is_last(tiers[-1].tier)
                if complete:
                    break
        finally:
            self._open = False
            await self._dismiss()
        return DistributedRamp(
            tuple(tiers),
            tuple(
                VantageResult(each.vantage, tuple(each.tiers), each.lost)
                for each in self._members.values()
            ),
            missing=max(0, self.expect - len({each.vantage for each in self._members.values()})),
            complete=complete,
        )

    def _plan(self, member: Member) -> Plan:
        config = self.config
        return Plan(
            member=member.id,
            rooms=member.rooms,
            duration_s=config.duration,
            ping_interval_s=config.ping_interval,
            connect_timeout_s=config.connect_timeout,
            target_rtt_ms=config.target_rtt_ms,
            max_loss=config.max_loss,
            max_failed=config.max_failed,
        )

    def _fault(self, done: Done) -> str:
        """Return what cannot be true of a report, "" if all can: others are combined with it."""
        if self._step.kind != "hold":
            return "" if done.tier is None else "it reported a tier outside of its step"
        if done.tier is None:
            return "it reported a tier without results"
        summary = done.tier.summary
        if summary.clients != self._step.clients:
            return f"it reported {summary.clients} clients; expected {self._step.clients}"
        if not 0 <= summary.connected <= summary.clients:
            return f"it reported {summary.connected} of {summary.clients} clients as connected"
        if summary.quality and summary.quality not in WORST_FIRST:
            return "it reported an unknown connection quality"
        return ""

    async def _gather(self) -> None:
        """Wait until everybody is there, or the time for it is over."""
        until = self._clock() + self._patience.gather_s
        while len(self._alive()) < self.expect and self._clock() < until:
            await self._next_change(until)
            self._give_up_silent()
        self._open = False

    async def _lead(
        self, kind: str, clients: int, limit_s: float, at_s: float | None = None
    ) -> None:
        """Order a step, and wait until everybody has done it or is lost."""
        number = await self._order(kind, clients, at_s)
        until = self._clock() + limit_s
        while late := [each for each in self._alive() if each.done < number]:
            if self._clock() >= until:
                for each in late:
                    self._lose(each, f"it did not {kind} {clients} clients within {limit_s:.0f} s")
                return
            await self._next_change(until)
            self._give_up_silent()

    async def _dismiss(self) -> None:
        """Say that it is over, and wait until everybody has heard it."""
        await self._order("stop", 0, None)
        until = self._clock() + FAREWELL_S
        while self._clock() < until and not all(each.dismissed for each in self._alive()):
            await self._next_change(until)

    async def _order(self, kind: str, clients: int, at_s: float | None) -> int:
        number = self._step.number + 1
        self._step = Step.model_validate(
            {"number": number, "kind": kind, "clients": clients, "at_s": at_s}
        )
        await self._notify()
        return number

    async def _notify(self) -> None:
        """Wake all that wait for a change."""
        async with self._changed:
            self._changed.notify_all()

    async def _next_change(self, until_s: float) -> None:
        """Wait until someone has said something of weight, for at most a second."""
        try:
            async with asyncio.timeout(max(0.0, min(1.0, until_s - self._clock()))), self._changed:
                await self._changed.wait()
        except TimeoutError:
            return

    def _alive(self) -> list[Member]:
        return [each for each in self._members.values() if not each.lost]

    def _give_up_silent(self) -> None:
        for each in self._alive():
            silent_s = self._clock() - each.seen_s
            if silent_s > self._patience.silent_s:
                self._lose(each, f"no report for {silent_s:.0f} s")

    def _lose(self, member: Member, why: str) -> None:
        member.lost = why
        log.warning("vantage lost", extra={"vantage": member.vantage, "why": why})

    def _tell(self, tier_index: int, clients: int, share: float) -> None:
        known = [each.round_trip_s for each in self._alive() if each.round_trip_s is not None]
        done = (tier_index + min(1.0, share)) / len(self.config.tiers)
        count = clients * len(self._alive())
        self._show(RampProgress(count, done, max(known, default=None) if share else None))

    @asynccontextmanager
    async def _showing(self, tier_index: int, clients: int) -> AsyncIterator[None]:
        """Tell every second how far a tier is."""

        async def show() -> None:
            began = self._clock() + COUNTDOWN_S
            while True:
                await asyncio.sleep(1.0)
                share = (self._clock() - began) / self.config.duration
                self._tell(tier_index, clients, max(0.01, share))

        task = asyncio.create_task(show())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
