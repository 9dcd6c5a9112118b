"""Calls to an agent that is a participant of the test's own process, on a real server."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Self

from livekit import rtc

from exporter.outcome import Outcome
from exporter.probes.calibrate.echo import Answer, Echo, buzz, reply_after
from exporter.probes.latency.spec import LatencyConfig
from exporter.rtc import connection
from exporter.rtc.tracks import Microphone
from exporter.run.runner import Runner
from exporter.server_api import Server, ServerApi, make_token
from tests import patience

DELAY_S = 1.0
REPLY_S = 0.6
REPLY = reply_after(DELAY_S, buzz(REPLY_S, pitch_hz=200))


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


class OwnEcho(Echo):
    """Listens to people, and not to another agent that may be in the room."""

    def _on_track(self, track: rtc.Track, *of: object) -> None:
        agent = rtc.ParticipantKind.PARTICIPANT_KIND_AGENT
        if not any(isinstance(each, rtc.RemoteParticipant) and each.kind == agent for each in of):
            super()._on_track(track)


class Agents:
    """Lets agents into one room; all have left it at the end of the block.

    Args:
        server: Where the room is.
        room: Its name.
        e2ee_key: With which they encrypt; not encrypted if "".
    """

    def __init__(self, server: Server, room: str, e2ee_key: str = "") -> None:
        self._server = server
        self._room = room
        self._key = e2ee_key
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def enter(
        self,
        identity: str,
        answer: Callable[[rtc.Room], Answer],
        set_up: Callable[[rtc.LocalParticipant], None] = lambda _participant: None,
    ) -> None:
        """Let an agent in that does `answer` at the end of each utterance, and does `set_up`."""
        room = rtc.Room()
        echo = OwnEcho(room, answer(room))
        self._stack.push_async_callback(room.disconnect)
        self._stack.push_async_callback(echo.aclose)

        async def publish(participant: rtc.LocalParticipant) -> None:
            set_up(participant)
            await echo.publish()

        token = make_token(self._server, identity=identity, room=self._room, kind="agent")
        limit_s, key = patience.WAIT_S, self._key
        await connection.connect(
            room, self._server.url, token, limit_s, publish=publish, e2ee_key=key
        )

    def hands_over(self, room: rtc.Room) -> Answer:
        """Return what an agent does that has another one come after its first reply, and goes."""

        async def reply_and_go(microphone: Microphone, heard: float) -> None:
            await REPLY(microphone, heard)
            await asyncio.sleep(DELAY_S + REPLY_S)  # until it has said so much
            await self.enter("second", lambda _room: REPLY)
            await room.disconnect()

        return reply_and_go


def call(
    server: Server,
    config: LatencyConfig,
    answer: Callable[[rtc.Room], Answer] | None = lambda _room: REPLY,
    *,
    set_up: Callable[[rtc.LocalParticipant], None] = lambda _participant: None,
    e2ee_key: str = "",
) -> Outcome:
    """Place one call to an agent that comes when the room exists.

    Args:
        server: That is called.
        config: Of the target; names its room.
        answer: Returns what the agent does at the end of each utterance; it hands over if None.
        set_up: Called with the agent once it is in the room.
        e2ee_key: With which it encrypts.
    """
    name = config.room_name or ""

    async def place() -> Outcome:
        runner = Runner(server, processes=1)
        async with Agents(server, name, e2ee_key) as agents:
            try:
                run = asyncio.ensure_future(runner.run("latency", config))
                await room_exists(server, name)
                await agents.enter("first", answer or agents.hands_over, set_up)
                return await run
            finally:
                await runner.aclose()

    return asyncio.run(place())


async def room_exists(server: Server, room: str) -> None:
    """Wait until that room exists; fail when it does not in time."""
    deadline = time.monotonic() + patience.START_S
    async with ServerApi(server) as api:
        while not await api.list_rooms([room]):
            assert time.monotonic() < deadline, f"there is no room {room}"
            await asyncio.sleep(0.05)
