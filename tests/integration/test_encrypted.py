"""Calls to an agent that encrypts end to end: a participant of the real SDK, on a real server."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from livekit import rtc

from exporter.outcome import CallResult, Outcome, Reason, TurnOutcome
from exporter.probes.calibrate.echo import Echo, buzz, reply_after
from exporter.probes.latency.spec import LatencyConfig
from exporter.rtc import connection
from exporter.run.runner import Runner
from exporter.server_api import Server, ServerApi, make_token
from tests import patience
from tests.integration.voids import measured

pytestmark = pytest.mark.integration

KEY = "a-key-of-the-test"
DELAY_S = 1.0


def target(room: str, **settings: Any) -> LatencyConfig:
    """Return a target whose agent comes by itself."""
    defaults = {"dispatch": "automatic", "greeting": "none", "trials": 1, "reply_timeout": 4}
    return LatencyConfig(
        agent_name="echo",
        room_name=room,
        join_timeout=patience.WAIT_S,
        **(defaults | settings),
    )


def call(server: Server, config: LatencyConfig, agents_key: str) -> Outcome:
    """Place one call to an echo that encrypts with that key, or not at all."""

    async def place() -> Outcome:
        runner, room = Runner(server, processes=1), rtc.Room()
        echo = Echo(room, reply_after(DELAY_S, buzz(0.6, pitch_hz=200)))
        try:
            run = asyncio.ensure_future(runner.run("latency", config))
            await until(lambda: exists(server, config.room_name or ""))
            token = make_token(server, identity="echo", room=config.room_name or "", kind="agent")
            await connection.connect(
                room, server.url, token, patience.WAIT_S, publish=publish(echo), e2ee_key=agents_key
            )
            return await run
        finally:
            await echo.aclose()
            await room.disconnect()
            await runner.aclose()

    return asyncio.run(place())


def publish(echo: Echo) -> Callable[[rtc.LocalParticipant], Coroutine[Any, Any, None]]:
    """Return what an echo does once it is connected."""

    async def once_inside(_: rtc.LocalParticipant) -> None:
        await echo.publish()

    return once_inside


async def exists(server: Server, room: str) -> bool:
    """Tell whether that room exists."""
    async with ServerApi(server) as api:
        return bool(await api.list_rooms([room]))


async def until(condition: Callable[[], Coroutine[Any, Any, bool]]) -> None:
    """Wait until the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + patience.START_S
    while not await condition():
        assert time.monotonic() < deadline, "the condition never held"
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("name", "ours", "agents", "words"),
    [
        ("no-key", "", KEY, "is encrypted, but the call is not; set livekit.e2ee_key_file"),
        ("another-key", "another-key", KEY, "cannot be decrypted with the key"),
        ("no-encryption", KEY, "", "is not encrypted, but the call is; set e2ee: false"),
    ],
)
def test_what_cannot_be_decrypted_is_never_timed(
    name: str, ours: str, agents: str, words: str, livekit: Server
) -> None:
    """Cipher noise is as loud as speech: no turn of it is measured, and the reason says why."""
    outcome = call(replace(livekit, e2ee_key=ours), target(name), agents)
    assert outcome.reason is Reason.ENCRYPTED, outcome
    assert words in outcome.detail
    assert isinstance(outcome.result, CallResult)
    assert TurnOutcome.REPLIED not in {turn.outcome for turn in outcome.result.turns}


def test_with_its_key_an_agent_is_measured(livekit: Server) -> None:
    """The caller hears what the agent says, and the agent hears the caller."""
    outcome = call(replace(livekit, e2ee_key=KEY), target("same-key"), KEY)
    assert isinstance(outcome.result, CallResult)
    for turn in measured(outcome.result.turns):
        assert turn.e2e_s is not None
        assert turn.e2e_s > DELAY_S


def test_a_target_may_be_called_without_the_key(livekit: Server) -> None:
    """With `e2ee: false` an agent that does not encrypt is measured, though there is a key."""
    outcome = call(replace(livekit, e2ee_key=KEY), target("without", e2ee=False), "")
    assert isinstance(outcome.result, CallResult)
    assert all(turn.e2e_s and turn.e2e_s > DELAY_S for turn in measured(outcome.result.turns))
