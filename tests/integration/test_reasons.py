"""Failures that lie around the agent: the server, the room, the prober itself."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import psutil
import pytest

from exporter.outcome import CallResult, Outcome, Reason, TurnOutcome
from exporter.probes.latency.conversation import TORN
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.runner import Runner
from exporter.server_api import Server, ServerApi
from tests import patience
from tests.integration.scripts import Script

pytestmark = pytest.mark.integration


def target(**settings: Any) -> LatencyConfig:
    """Return a target that replies after a second, with some settings of its own."""
    defaults = {"metadata": Script().metadata(), "trials": 2, "join_timeout": 15}
    return LatencyConfig(agent_name="truth", **(defaults | settings))


def call(
    server: Server,
    config: LatencyConfig,
    meanwhile: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> Outcome:
    """Place one call through the runner, with something else going on until it ends."""

    async def place() -> Outcome:
        runner = Runner(server, processes=1)
        try:
            run = asyncio.ensure_future(runner.run("latency", config))
            if meanwhile is not None:
                await meanwhile()
            return await run
        finally:
            await runner.aclose()

    return asyncio.run(place())


async def until(condition: Callable[[], Coroutine[Any, Any, bool]]) -> None:
    """Wait until the condition holds; fail when it does not within a minute."""
    deadline = time.monotonic() + patience.START_S
    while not await condition():
        assert time.monotonic() < deadline, "the condition never held"
        await asyncio.sleep(0.05)


async def agent_speaks_in(server: Server, room: str) -> None:
    """Wait until the agent of that room says that it is speaking."""
    async with ServerApi(server) as api:

        async def speaking() -> bool:
            if not await api.list_rooms([room]):
                return False
            people = await api.list_participants(room)
            return any(p.attributes.get("lk.agent.state") == "speaking" for p in people)

        await until(speaking)


def probe_process() -> psutil.Process:
    """Return the process in which the call runs: the child that holds the SDK's library.

    Other tests may have the demo's agent beside it, whose processes hold it as well.
    """
    children = psutil.Process().children(recursive=True)
    demos = [child for child in children if "exporter.demo" in " ".join(child.cmdline())]
    others = {each for demo in demos for each in (demo, *demo.children(recursive=True))}
    for child in children:
        if child not in others and any("liblivekit" in each.path for each in child.memory_maps()):
            return child
    raise AssertionError("no probe process found")


@pytest.mark.long  # test_cli.py has this and the next with each command
def test_a_wrong_secret_is_refused(livekit: Server) -> None:
    """A server that refuses the credentials is auth_failed, and no secret is told."""
    wrong = replace(livekit, api_secret="x" * 40)
    outcome = call(wrong, target())
    assert outcome.reason is Reason.AUTH_FAILED
    assert "x" * 40 not in repr(outcome)


@pytest.mark.long
def test_an_unreachable_server_is_told(livekit: Server) -> None:
    """A port on which nobody listens is connect_failed."""
    outcome = call(replace(livekit, url="ws://127.0.0.1:9"), target())
    assert outcome.reason is Reason.CONNECT_FAILED


def test_a_room_name_that_the_server_does_not_take(livekit: Server) -> None:
    """An answer of the API that is no refusal is api_failed."""
    assert call(livekit, target(room_name="r" * 300)).reason is Reason.API_FAILED


def test_a_room_in_use_is_left_alone(livekit: Server) -> None:
    """A target's room that exists already is not entered and not deleted."""

    async def scenario() -> tuple[Outcome, tuple[str, ...]]:
        runner = Runner(livekit, processes=1)
        async with ServerApi(livekit) as api:
            await api.create_room("in-use", empty_timeout_s=60)
            try:
                outcome = await runner.run("latency", target(room_name="in-use"))
                return outcome, await api.list_rooms(["in-use"])
            finally:
                await runner.aclose()
                await api.delete_room("in-use")

    outcome, rooms = asyncio.run(scenario())
    assert outcome.reason is Reason.API_FAILED
    assert "already exists" in outcome.detail
    assert rooms == ("in-use",)


def test_a_dispatch_that_the_server_does_not_take(livekit: Server) -> None:
    """Metadata beyond the server's limit of 512 KiB makes the dispatch fail, not the room."""
    outcome = call(livekit, target(metadata="m" * (513 * 1024)))
    assert outcome.reason is Reason.DISPATCH_FAILED


@pytest.mark.long
def test_a_room_that_is_deleted_in_the_call(truth: Server) -> None:
    """A call whose room is closed under it says so, and keeps its turns."""

    async def close() -> None:
        await agent_speaks_in(truth, "closing")
        async with ServerApi(truth) as api:
            await api.delete_room("closing")

    outcome = call(truth, target(room_name="closing"), close)
    assert outcome.reason is Reason.ROOM_CLOSED
    assert isinstance(outcome.result, CallResult)
    assert outcome.result.turns[-1].outcome is TurnOutcome.FAILED


@pytest.mark.long  # test_runner_rooms.py has this and the next of a call that waits for its agent
def test_a_probe_that_dies_in_the_call(truth: Server) -> None:
    """A killed probe process is probe_crashed, and its room is deleted all the same."""

    async def kill() -> None:
        await agent_speaks_in(truth, "orphan")
        probe_process().kill()

    outcome = call(truth, target(room_name="orphan"), kill)
    assert outcome.reason is Reason.PROBE_CRASHED
    assert "SIGKILL" in outcome.detail

    async def gone() -> None:
        async with ServerApi(truth) as api:

            async def no_room() -> bool:
                return not await api.list_rooms(["orphan"])

            await until(no_room)

    asyncio.run(gone())


@pytest.mark.long
def test_a_prober_that_was_late_voids_its_turns(truth: Server) -> None:
    """Turns in which the probe's process stood still are void: neither good nor bad."""

    async def hinder() -> None:
        await agent_speaks_in(truth, "hindered")
        pid = probe_process().pid
        deadline = time.monotonic() + patience.START_S
        async with ServerApi(truth) as api:
            while time.monotonic() < deadline and await api.list_rooms(["hindered"]):
                os.kill(pid, signal.SIGSTOP)
                await asyncio.sleep(0.2)
                os.kill(pid, signal.SIGCONT)
                await asyncio.sleep(0.4)

    outcome = call(truth, target(room_name="hindered", reply_timeout=5), hinder)
    assert isinstance(outcome.result, CallResult)
    assert outcome.reason is Reason.VOID, outcome
    assert TurnOutcome.VOID in {turn.outcome for turn in outcome.result.turns}
    assert all(t.e2e_s is None for t in outcome.result.turns if t.outcome is TurnOutcome.VOID)
    # The utterance was torn: a late answer to it must not be taken for the reply to the next.
    assert outcome.result.turns[-1].detail == TORN


@pytest.mark.long
def test_a_call_that_is_cancelled_leaves_no_room(truth: Server) -> None:
    """When the runner is closed in a call, the call ends and its room is deleted."""

    async def scenario() -> tuple[str, ...]:
        runner = Runner(truth, processes=1)
        run = asyncio.ensure_future(runner.run("latency", target(room_name="cancelled")))
        await agent_speaks_in(truth, "cancelled")
        await runner.aclose()
        await asyncio.gather(run, return_exceptions=True)
        async with ServerApi(truth) as api:
            return await api.list_rooms(["cancelled"])

    assert asyncio.run(scenario()) == ()
