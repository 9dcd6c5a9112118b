"""No run leaves a room on a real server, however it ends."""

import asyncio
from collections.abc import Callable

import psutil
import pytest

from exporter.outcome import Outcome, Reason
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.process import delete_leftovers
from exporter.run.runner import Runner
from exporter.server_api import Server, ServerApi
from tests import patience

pytestmark = pytest.mark.integration


def test_leftovers_are_deleted_from_a_real_server(livekit: Server) -> None:
    """Rooms by name and by prefix go; the others stay; what is gone already is no error."""

    async def rooms(*create: str) -> set[str]:
        async with ServerApi(livekit) as api:
            for room in create:
                await api.create_room(room)
            return {room for room in await api.list_rooms() if room.startswith("leftover")}

    asyncio.run(rooms("leftover-run1", "leftover-run1-2", "leftover-named", "leftover-other"))

    delete_leftovers(livekit, ("leftover-named", "leftover-gone"), "leftover-run1")

    assert asyncio.run(rooms()) == {"leftover-other"}
    delete_leftovers(livekit, ("leftover-other",), "leftover-run1")


async def our_rooms(server: Server) -> set[str]:
    """Return the rooms of calls on a real server."""
    async with ServerApi(server) as api:
        return {room for room in await api.list_rooms() if room.startswith("voice-exporter-")}


async def until_rooms(server: Server, condition: Callable[[set[str]], bool]) -> None:
    """Wait until the rooms of calls are as they should be."""
    async with asyncio.timeout(patience.WAIT_S):
        while not condition(await our_rooms(server)):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.05)


async def a_waiting_call(runner: Runner, server: Server) -> "asyncio.Task[Outcome]":
    """Place a call that waits for an agent which does not exist; return when it has its room."""
    before = await our_rooms(server)
    config = LatencyConfig(agent_name="nobody-at-all", join_timeout=600)
    call = asyncio.create_task(runner.run("latency", config))
    await until_rooms(server, lambda rooms: bool(rooms - before))
    return call


def test_killed_call_leaves_no_room(livekit: Server) -> None:
    """1. A real call is under way. 2. Its process is killed. Result: counted, the room deleted."""

    async def kill() -> Outcome:
        before = await our_rooms(livekit)
        others = set(psutil.Process().children())  # such as the demo's agent, for other tests
        runner = Runner(livekit, processes=1)
        try:
            call = await a_waiting_call(runner, livekit)
            children = set(psutil.Process().children()) - others
            max(children, key=lambda child: child.memory_info().rss).kill()
            outcome = await call
            await until_rooms(livekit, lambda rooms: rooms == before)
        finally:
            await runner.aclose()
        return outcome

    outcome = asyncio.run(kill())

    assert outcome.reason is Reason.PROBE_CRASHED
    assert outcome.detail == "the probe process was ended by SIGKILL"


def test_close_deletes_the_room_of_a_real_call(livekit: Server) -> None:
    """1. A real call waits for ten minutes. 2. The runner closes. Result: no wait, no room left."""

    async def close() -> None:
        before = await our_rooms(livekit)
        runner = Runner(livekit, processes=1)
        try:
            call = await a_waiting_call(runner, livekit)
        finally:
            async with asyncio.timeout(patience.END_S):
                await runner.aclose()
        assert call.cancelled()
        assert await our_rooms(livekit) == before

    asyncio.run(close())
