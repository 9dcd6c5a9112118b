"""The client processes of a ramp, as controlled by the prober.

Each is a separate program with pipes to the prober, and not a child of `multiprocessing`, because
a probe process may have none. Its stdin ends when the prober dies, and then it exits. Its own
process group shields it from Ctrl-C from the start. Credentials go through the pipe, where no
other user can read them.
"""

import asyncio
import math
import os
import statistics
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import psutil
from pydantic import TypeAdapter

from exporter.outcome import ProberLoad, RampClient, RampTier, Reason
from exporter.probes.ramp.messages import (
    ANSWER,
    ConnectClients,
    Connected,
    Measured,
    MeasureTier,
    Message,
    Pulse,
    RoomSize,
    Setup,
    line,
)
from exporter.probes.ramp.rooms import Rooms, grown, shared_out
from exporter.server_api import Server

GROW_S = 30.0
"""For the clients of a tier to connect; who is late is a failed connection."""
MARGIN_S = 10.0
"""For a process to answer beyond the time that its order takes by itself."""
START_S = 20.0
"""For a process to start: several import the SDK at the same time."""
SETTLE_S = 1.0
"""Between the last connection and the measurement."""
_LONGEST_ANSWER = 1 << 24
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_STOP_S = 2.0

Pulses = Callable[[float | None], None]
"""Told the median round trip of the last second, now and again, while a tier is held."""


class RampProcesses:
    """Clients in several processes, from few to many; an async context manager.

    Args:
        server: Where they connect.
        rooms: Where they meet.
        ping_interval_s: Between two data messages of one client.
        connect_timeout_s: For one client.
        per_process: Clients in one process.
    """

    def __init__(
        self,
        server: Server,
        rooms: Rooms,
        *,
        ping_interval_s: float,
        connect_timeout_s: float,
        per_process: int,
    ) -> None:
        self._setup = Setup(
            url=server.url,
            api_key=server.api_key,
            api_secret=server.api_secret,
            ping_interval_s=ping_interval_s,
            connect_timeout_s=connect_timeout_s,
        )
        self._rooms = rooms
        self._per_process = per_process
        self._sizes: list[int] = []
        self._process_of_room: list[int] = []
        self._processes: list[ClientProcess] = []

    async def grow(self, clients: int) -> int:
        """Connect clients until there are this many.

        Returns:
            The number that is connected.

        Raises:
            ProbeError: The server does not make a room.
        """
        self._sizes = grown(self._sizes, clients)
        self._process_of_room = shared_out(self._sizes, self._process_of_room, self._per_process)
        names = await self._rooms.names(len(self._sizes))
        rooms: list[list[RoomSize]] = [[] for _ in range(max(self._process_of_room) + 1)]
        for name, size, index in zip(names, self._sizes, self._process_of_room, strict=True):
            rooms[index].append(RoomSize(room=name, size=size))
        self._processes += [ClientProcess() for _ in range(len(rooms) - len(self._processes))]
        connected = await asyncio.gather(
            *(self._grow(process, its) for process, its in zip(self._processes, rooms, strict=True))
        )
        await asyncio.sleep(SETTLE_S)
        return sum(connected)

    async def hold(self, seconds: float, pulse: Pulses) -> RampTier:
        """Measure a tier for this time: the clients' results and the prober's load."""
        recent: dict[int, float] = {}

        def tell(index: int, round_trip_s: float | None) -> None:
            if round_trip_s is not None:
                recent[index] = round_trip_s
            if index == 0:
                pulse(statistics.median(recent.values()) if recent else None)

        held = await asyncio.gather(
            *(
                self._hold(process, seconds, index, tell)
                for index, process in enumerate(self._processes)
            )
        )
        memory = psutil.virtual_memory()
        return RampTier(
            clients=sum(self._sizes),
            members=tuple(member for members, _ in held for member in members),
            load=tuple(load for _, load in held if load is not None),
            cores=cores(),
            memory_free_ratio=memory.available / memory.total,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(process.stop() for process in self._processes))

    async def _grow(self, process: "ClientProcess", rooms: Sequence[RoomSize]) -> int:
        process.clients = sum(wanted.size for wanted in rooms)
        order = ConnectClients(rooms=tuple(rooms), within_s=GROW_S)
        try:
            await process.start(self._setup)
            answer = await process.ask(order, GROW_S + MARGIN_S + START_S, lambda _: None)
        except ProcessLost:
            return 0
        return answer.clients if isinstance(answer, Connected) else 0

    async def _hold(
        self,
        process: "ClientProcess",
        seconds: float,
        index: int,
        tell: Callable[[int, float | None], None],
    ) -> tuple[Sequence[RampClient], ProberLoad | None]:
        try:
            answer = await process.ask(
                MeasureTier(seconds=seconds), seconds + MARGIN_S, lambda told: tell(index, told)
            )
        except ProcessLost:
            return [RampClient(reason=Reason.PROBE_CRASHED)] * process.clients, None
        assert isinstance(answer, Measured)  # noqa: S101 - the worker answers each order by its type
        return answer.members, answer.load


class ProcessLost(Exception):  # noqa: N818 - not an error of the program
    """A process of the ramp has died or hangs."""


class ClientProcess:
    """One process with clients: a module that takes orders as `worker` does.

    Args:
        module: Its name.
        answers: Reads its answers.
    """

    def __init__(
        self,
        module: str = "exporter.probes.ramp.worker",
        answers: TypeAdapter[Any] = ANSWER,
    ) -> None:
        self._module = module
        self._answers = answers
        self.clients = 0
        """That it shall hold."""
        self._process: Process | None = None

    async def start(self, setup: Message) -> None:
        """Start it, if it does not run.

        Raises:
            ProcessLost: It cannot be started.
        """
        if self._process is not None and self._process.returncode is None:
            return
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", self._module),
                stdin=PIPE,
                stdout=PIPE,
                stderr=None if sys.stderr else DEVNULL,
                limit=_LONGEST_ANSWER,
                process_group=0,
            )
        except OSError as error:
            raise ProcessLost(f"cannot start a process of the prober: {error}") from error
        self._send(setup)

    async def ask(self, order: Message, limit_s: float, pulse: Pulses) -> Message:
        """Give an order and return the answer.

        Raises:
            ProcessLost: The process died, or does not answer; then it is killed.
        """
        process = self._process
        if process is None or process.stdout is None:
            raise ProcessLost("cannot start a process of the prober")
        self._send(order)
        try:
            async with asyncio.timeout(limit_s):
                while told := await process.stdout.readline():
                    answer: Message = self._answers.validate_json(told)
                    if not isinstance(answer, Pulse):
                        return answer
                    pulse(answer.round_trip_s)
        except TimeoutError:
            self._kill()
            raise ProcessLost(
                f"a process of the prober did not answer within {limit_s:g} s"
            ) from None
        code = await process.wait()
        raise ProcessLost(f"a process of the prober ended with status {code}")

    async def stop(self) -> None:
        """End it: ask first, then kill."""
        process = self._process
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            self._kill()
            await process.wait()

    def _send(self, message: Message) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError):  # the missing answer says so
                self._process.stdin.write(line(message))

    def _kill(self) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()


def cores(quota: Path = _QUOTA) -> float:
    """Return how many CPUs this process may use.

    Args:
        quota: What a container may use of all of them, as cgroup v2 says: microseconds of CPU in
            so many of time; `max` or no file at all where there is no limit.
    """
    there = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        spent, period = quota.read_text(encoding="ascii").split()
        allowed = int(spent) / int(period)
    except (OSError, ValueError):
        allowed = math.inf
    return min(float(there or 1), allowed)
