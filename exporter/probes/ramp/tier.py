"""One tier in one process: pings and statistics of its clients, and the load of the process."""

import asyncio
import random
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from exporter.errors import ProbeError
from exporter.limits import Limit, away
from exporter.outcome import ProberLoad, RampClient, Reason
from exporter.probes.ramp.clients import RoomOfClients, Seat, Span, media_loss, sent_ratio
from exporter.rtc.client import Client
from exporter.rtc.lag import LagMonitor
from exporter.rtc.pings import Pinger, Pings
from exporter.rtc.stats import Snapshot
from exporter.stats import quantile

PULSE_S = 1.0
_GONE = "the connection was lost"
NEVER = "not connected when the tier began"
"""Why a seat is empty that nothing else is known of."""


@dataclass(slots=True)
class _Member:
    """One client while the tier lasts."""

    seat: Seat
    client: Client
    first: Snapshot
    pings: Pings = field(default_factory=Pings)
    last: Snapshot | None = None
    error: ProbeError | None = None

    @property
    def span(self) -> Span | None:
        return Span(self.first, self.last) if self.last else None


class Tier:
    """Measures the clients of some rooms, which are connected."""

    def __init__(
        self, rooms: Sequence[RoomOfClients], lag: LagMonitor, ping_interval_s: float
    ) -> None:
        self._rooms = rooms
        self._lag = lag
        self._interval_s = ping_interval_s
        self._recent: list[float] = []
        self._lags: list[float] = []
        self._looked = 0.0
        self._members: list[list[_Member]] = []
        self._began = self._ended = 0.0
        self._cpu_s = 0.0

    async def hold(self, seconds: float, pulse: Callable[[float | None], None]) -> None:
        """Measure for so long.

        Args:
            seconds: From the first ping to the last statistics.
            pulse: Called every second with the median round trip of that second, or None.
        """
        self._members = [await self._seated(room) for room in self._rooms]
        everyone = [member for members in self._members for member in members]
        self._began, cpu_s = time.monotonic(), time.process_time()
        self._looked = self._began
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                group.create_task(self._pulse(pulse))
                for members in self._members:
                    for member, after in zip(members, members[1:] + members[:1], strict=True):
                        if member is not after:
                            group.create_task(self._ping(member, after.client))
        self._ended, self._cpu_s = time.monotonic(), time.process_time() - cpu_s
        self._note_lag()
        await asyncio.gather(*(self._read_last(member) for member in everyone))

    def members(self) -> tuple[RampClient, ...]:
        """Return what every seat has found, the empty ones as well."""
        return tuple(
            self._result(seat, members)
            for room, members in zip(self._rooms, self._members, strict=True)
            for seat in room.seats
        )

    def load(self) -> ProberLoad:
        """Return what this process spent."""
        everyone = [member for members in self._members for member in members]
        took_s = max(self._ended - self._began, 1e-9)
        lags = sorted(self._lags)
        waits = sorted(wait for member in everyone for wait in member.pings.floors_s)
        spans = [member.span for member in everyone if member.span]
        return ProberLoad(
            clients=len(everyone),
            cpu_cores=self._cpu_s / took_s,
            lag_s=quantile(lags, 0.99) if lags else took_s,
            send_wait_s=quantile(waits, 0.95) if waits else None,
            sent_ratio=sent_ratio(spans, took_s),
            memory_bytes=psutil.Process().memory_info().rss,
        )

    async def _seated(self, room: RoomOfClients) -> list[_Member]:
        members = []
        for seat in room.seats:
            if seat.client is not None and seat.taken:
                try:
                    members.append(_Member(seat, seat.client, await seat.client.read()))
                except ProbeError as error:
                    seat.error = error
        return members

    async def _ping(self, member: _Member, receiver: Client) -> None:
        pinger = Pinger(member.client, receiver, self._lag)
        member.pings = pinger.result
        # Spread over the interval: messages that are sent at once wait for each other.
        await asyncio.sleep(self._interval_s * random.random())
        while True:
            began = time.monotonic()
            try:
                measured = await pinger.ping()
            except ProbeError as error:
                member.error = error
                return
            if measured is not None:
                self._recent.append(measured)
            await asyncio.sleep(max(0.0, began + self._interval_s - time.monotonic()))

    async def _pulse(self, pulse: Callable[[float | None], None]) -> None:
        while True:
            await asyncio.sleep(PULSE_S)
            self._note_lag()
            recent, self._recent = self._recent, []
            pulse(statistics.median(recent) if recent else None)

    def _note_lag(self) -> None:
        """Keep what was late since the last time: the monitor forgets after a minute."""
        now = time.monotonic()
        self._lags += self._lag.late(self._looked, now)
        self._looked = now

    async def _read_last(self, member: _Member) -> None:
        try:
            member.last = await member.client.read()
        except ProbeError as error:
            member.error = member.error or error
        member.client.snapshots.clear()

    def _result(self, seat: Seat, members: Sequence[_Member]) -> RampClient:
        member = next((each for each in members if each.seat is seat), None)
        if member is None:
            return RampClient(reason=seat.error.reason if seat.error else Reason.CONNECT_FAILED)
        others = [each.span for each in members if each is not member and each.span]
        lost = away(Limit.LOST, ProbeError(Reason.ROOM_CLOSED, _GONE), self._ended)
        failure = member.error or (None if seat.taken else lost)
        return RampClient(
            round_trips_s=tuple(round(each, 6) for each in member.pings.on_the_way_s),
            lost=member.pings.lost,
            voids=member.pings.voids,
            media=media_loss(member.span, others) if member.span else None,
            quality=member.client.quality,
            sent_kbps=member.span.sent_kbps if member.span else None,
            received_kbps=member.span.received_kbps if member.span else None,
            reason=failure.reason if failure else None,
        )
