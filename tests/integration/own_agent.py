"""Calls to an agent that is a participant of the test's own process, on a real server."""

import asyncio
import time
from collections.abc import Callable

from livekit import rtc

from exporter.outcome import Outcome
from exporter.probes.calibrate.echo import Answer, Echo, buzz, reply_after
from exporter.probes.latency.spec import LatencyConfig
from exporter.rtc import connection
from exporter.run.runner import Runner
from exporter.server_api import Server, ServerApi, make_token
from tests import patience

DELAY_S = 1.0
REPLY = reply_after(DELAY_S, buzz(0.6, pitch_hz=200))


def target(room: str, /, **settings: object) -> LatencyConfig:
    """Return a target of one turn after the warm-up, whose agent comes by itself."""
    return LatencyConfig.model_validate(
        {
            "agent_name": "own",
            "room_name": room,
            "dispatch": "automatic",
            "greeting": "none",
            "trials": 1,
            "reply_timeout": 4,
            "join_timeout": patience.WAIT_S,
            **settings,
        }
    )


def call(
    server: Server,
    config: LatencyConfig,
    answer: Callable[[rtc.Room], Answer] = lambda _room: REPLY,
    *,
    set_up: Callable[[rtc.LocalParticipant], None] = lambda _participant: None,
    e2ee_key: str = "",
) -> Outcome:
    """Place one call to an agent that comes when the room exists.

    Args:
        server: That is called.
        config: Of the target; names its room.
        answer: Returns what the agent does at the end of each utterance.
        set_up: Called with the agent once it is in the room.
        e2ee_key: With which it encrypts.
    """
    name = config.room_name or ""

    async def place() -> Outcome:
        runner, room = Runner(server, processes=1), rtc.Room()
        echo = Echo(room, answer(room))

        async def enter(participant: rtc.LocalParticipant) -> None:
            set_up(participant)
            await echo.publish()

        try:
            run = asyncio.ensure_future(runner.run("latency", config))
            await _exists(server, name)
            token = make_token(server, identity="own", room=name, kind="agent")
            limit_s = patience.WAIT_S
            await connection.connect(
                room, server.url, token, limit_s, publish=enter, e2ee_key=e2ee_key
            )
            return await run
        finally:
            await echo.aclose()
            await room.disconnect()
            await runner.aclose()

    return asyncio.run(place())


async def _exists(server: Server, room: str) -> None:
    """Wait until that room exists; fail when it does not in time."""
    deadline = time.monotonic() + patience.START_S
    async with ServerApi(server) as api:
        while not await api.list_rooms([room]):
            assert time.monotonic() < deadline, f"there is no room {room}"
            await asyncio.sleep(0.05)
