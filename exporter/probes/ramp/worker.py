"""A process of the ramp: `python -m exporter.probes.ramp.worker`, started by `RampProcesses`.

It takes orders on stdin and answers on stdout, a line each; stderr is its log. It holds about ten
clients, because the SDK delivers every event to all of them. When stdin ends, because the ramp is
over or because its parent has died, however it died, it leaves.
"""

import asyncio
import contextlib
import logging
import os
import sys
import time
from asyncio import StreamReader, StreamReaderProtocol
from collections.abc import Callable
from typing import Protocol

from exporter import logs
from exporter.limits import Limit
from exporter.probes.ramp.clients import RoomOfClients, Seat
from exporter.probes.ramp.messages import (
    ORDER,
    ConnectClients,
    Connected,
    Measured,
    MeasureTier,
    Message,
    Pulse,
    Setup,
    line,
)
from exporter.probes.ramp.tier import NEVER, Tier
from exporter.rtc.lag import LagMonitor
from exporter.rtc.noise import Noise
from exporter.server_api import Server
from exporter.standstill import watching

AT_ONCE = 2
"""Connections made at one time: more make each other slow, and that is no figure of the SFU."""
LEAVE_S = 1.5
"""For the clients to say that they leave; the server finds the others gone by itself."""
_STDOUT, _STDERR = 1, 2


class Worker:
    """The rooms of this process, and its orders."""

    def __init__(self, setup: Setup, out: int) -> None:
        self._setup = setup
        self._server = Server(setup.url, setup.api_key, setup.api_secret)
        self._out = out
        self._noise = Noise()
        self._lag = LagMonitor()
        self._rooms: dict[str, RoomOfClients] = {}

    async def serve(self, orders: "asyncio.Queue[bytes]") -> None:
        """Do what is ordered, one order after the other, until cancelled."""
        self._lag.start()
        with watching():
            while True:
                order = ORDER.validate_json(await orders.get())
                if isinstance(order, ConnectClients):
                    await self._grow(order)
                else:
                    await self._hold(order)

    async def leave(self) -> None:
        """Take everybody out."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await asyncio.gather(*(room.leave() for room in self._rooms.values()))

    async def _grow(self, order: ConnectClients) -> None:
        for wanted in order.rooms:
            room = self._rooms.setdefault(
                wanted.room, RoomOfClients(wanted.room, self._server, self._noise)
            )
            room.widen(wanted.size)
        at_once = asyncio.Semaphore(AT_ONCE)
        empty = [(r, seat) for r in self._rooms.values() for seat in r.seats if not seat.taken]
        for _, seat in empty:
            seat.error = None  # of an earlier tier
        since = time.monotonic()
        try:
            async with asyncio.timeout(order.within_s), asyncio.TaskGroup() as group:
                for room, seat in empty:
                    group.create_task(self._connect(room, seat, at_once))
        except TimeoutError:
            left = Limit.SEAT.ran_out(NEVER, since, order.within_s)
            for _, seat in empty:
                if not seat.taken:
                    seat.error = seat.error or left
        self._tell(Connected(clients=sum(len(room.clients) for room in self._rooms.values())))

    async def _connect(self, room: RoomOfClients, seat: Seat, at_once: asyncio.Semaphore) -> None:
        async with at_once:
            await room.connect(seat, self._setup.connect_timeout_s)

    async def _hold(self, order: MeasureTier) -> None:
        tier = Tier(tuple(self._rooms.values()), self._lag, self._setup.ping_interval_s)
        await tier.hold(order.seconds, lambda seconds: self._tell(Pulse(round_trip_s=seconds)))
        self._tell(Measured(members=tier.members(), load=tier.load()))

    def _tell(self, answer: Message) -> None:
        tell(answer, self._out)


class Obedient(Protocol):
    """Does what is ordered in a process."""

    async def serve(self, orders: "asyncio.Queue[bytes]") -> None:
        """Do what is ordered, one order after the other, until cancelled."""

    async def leave(self) -> None:
        """Leave nothing behind."""


def tell(answer: Message, out: int) -> None:
    """Write an answer, whole, to a descriptor."""
    rest = line(answer)
    while rest:
        rest = rest[os.write(out, rest) :]


async def _main(make: Callable[[bytes, int], Obedient], out: int) -> None:
    loop = asyncio.get_running_loop()
    stdin = StreamReader()
    await loop.connect_read_pipe(lambda: StreamReaderProtocol(stdin), sys.stdin)
    worker = make(await stdin.readline(), out)
    orders: asyncio.Queue[bytes] = asyncio.Queue()
    reading = asyncio.create_task(_read(stdin, orders))
    serving = asyncio.create_task(worker.serve(orders))
    await asyncio.wait((reading, serving), return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()  # raises: it ends by an error only
    serving.cancel()
    await asyncio.wait((serving,))
    # Interrupted in the middle, the SDK stumbles over news of tracks that it has just let go.
    logging.getLogger("livekit").setLevel(logging.CRITICAL)
    await worker.leave()


async def _read(stdin: StreamReader, orders: "asyncio.Queue[bytes]") -> None:
    """Take orders until stdin ends."""
    while order := await stdin.readline():
        orders.put_nowait(order)


def run_process(make: Callable[[bytes, int], Obedient]) -> None:
    """Run, then go without the SDK's own farewell, which may hang or abort.

    Args:
        make: Makes what obeys, of the first line and the descriptor that takes its answers.
    """
    out = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)  # the SDK may print
    logs.configure(logs.LogSetup(level="error"))
    code = 1
    try:
        asyncio.run(_main(make, out))
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    run_process(lambda setup, out: Worker(Setup.model_validate_json(setup), out))
