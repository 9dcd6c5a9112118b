"""Hold a conversation, or place a whole call, and tell what came of it."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar
from unittest.mock import patch

from exporter.errors import ProbeError
from exporter.evidence import recording
from exporter.outcome import CallResult, EvidenceLost, Outcome, Turn
from exporter.probe import Keep, Run
from exporter.probes.latency.conversation import Conversation
from exporter.probes.latency.measure import place_call
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.latency.way_in.fetch import FetchToken, fetch_for
from exporter.rtc.caller import Caller
from exporter.rtc.levels import Pcm
from exporter.rtc.tracks import Devices
from exporter.standstill import watching
from tests import virtual_time
from tests.fake_call.agent import FakeAgent, Heard
from tests.fake_call.api import SERVER, FakeApi
from tests.fake_call.devices import FakeMicrophone, ear_on
from tests.fake_call.room import FakeRoom
from tests.fake_call.script import Script
from tests.fake_call.sounds import utterance
from tests.virtual_time import Clock

T = TypeVar("T")
AGENT = "agent-1"


def target(**settings: Any) -> LatencyConfig:
    """Return a target that is called without much waiting; `settings` are its own."""
    defaults: dict[str, Any] = {"greeting": "none", "reply_timeout": 6, "trials": 1}
    return LatencyConfig(agent_name="demo", **(defaults | settings))


@dataclass
class Talk:
    """What came of a conversation, and what truly happened in it."""

    turns: list[Turn] = field(default_factory=list)
    greeted_after_s: float | None = None
    """From the agent's track being heard."""
    listened_after_s: float | None = None
    """Until the greeting was over, or none came."""
    ended: ProbeError | None = None
    """With which the call ended early."""
    truth: list[Heard] = field(default_factory=list)

    def true_e2e_s(self, turn: int) -> float:
        """Return the latency that the caller lived through."""
        exchange = self.truth[turn]
        assert exchange.replied is not None
        return exchange.replied - exchange.end


def converse(script: Script, turns: int = 1, **settings: Any) -> Talk:
    """Hold a conversation of so many turns with an agent that is there already."""

    async def story(clock: Clock) -> Talk:
        agent = FakeAgent(script, clock, AGENT, {})
        room = FakeRoom()
        devices = Devices(lambda: room, lambda: FakeMicrophone(agent.hear), ear_on)
        caller = Caller(lambda person: person.identity == AGENT, devices=devices)
        talk = Talk(truth=agent.exchanges)
        try:
            await caller.connect("ws://livekit.test", "token", 10.0)
            agent.start(room)
            assert await caller.meet(1.0) is not None
            await _talk(caller, clock, talk, turns, target(**settings))
        except ProbeError as error:
            talk.ended = error
        finally:
            await caller.leave()
            await agent.aclose()
        return talk

    return virtual_time.run(watched(story))


def watched(
    story: Callable[[Clock], Coroutine[Any, Any, T]],
) -> Callable[[Clock], Coroutine[Any, Any, T]]:
    """Return the story with a look at what stands still in it, as the process of a probe has."""

    async def run(clock: Clock) -> T:
        with watching(asleep_s=lambda: 0.0):
            return await story(clock)

    return run


async def _talk(
    caller: Caller, clock: Clock, talk: Talk, turns: int, config: LatencyConfig
) -> None:
    await caller.listen(config.track_timeout)
    begin = clock()
    conversation = Conversation(caller, config, (utterance(),))
    greeted = await conversation.greeting()
    talk.listened_after_s = clock() - begin
    talk.greeted_after_s = None if greeted is None else greeted - begin
    for _ in range(turns):
        talk.turns.append(conversation.explained(await conversation.turn()))


@dataclass(frozen=True, slots=True)
class World:
    """What surrounds a call: the workers, and what the server and the network do."""

    works: bool = True
    """A worker takes the dispatch."""
    join_after_s: float | None = 0.0
    """From the dispatch to the agent in the room; None: it never comes."""
    named: bool = True
    """The agent's attributes have its name; else only the server's list of jobs tells."""
    successor: Script | None = None
    """What another agent does that takes over when the first says goodbye."""
    companion: bool = False
    """Another agent is in the room before, and answers every utterance after 0.3 s."""
    unasked: bool = False
    """The agents come to every room, without a dispatch."""
    transcriber: bool = False
    """An agent without a voice is in the room before."""
    twin_until_s: float | None = None
    """A second agent of the same name comes with the first, and goes so long after; None: none."""
    refused: str = ""
    """The SDK's word for why the caller may not enter."""
    endless: bool = False
    """Entering never ends."""
    blocks: tuple[tuple[float, float], ...] = ()
    """The prober's event loop: blocked so long after the beginning of the call, so long."""
    back_s: tuple[float, ...] = ()
    """When a connection that is broken on purpose is made again, in seconds after the break."""
    taken_s: float = 0.0
    """How long after that the others hear the caller again, whose track was published anew."""
    api_fails: dict[str, ProbeError] = field(default_factory=dict)
    """Requests by their names, and what each raises."""
    rooms: frozenset[str] = frozenset()
    """Rooms that exist already."""
    people: tuple[str, ...] = ()
    """Who is in those rooms."""
    dies: str = ""
    """Name of a task of the caller that dies; none if empty."""
    dies_after_s: float = 1.8
    """From the beginning of the call; by default in the wait for the first reply."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What came of a call, and what it left."""

    outcome: Outcome
    call: CallResult
    rooms_made: tuple[str, ...]
    rooms_left: frozenset[str]
    dispatches_left: int
    inside: bool
    """The caller is still in the room."""


def _arrive(
    world: World, room: FakeRoom, agent: FakeAgent, twin: FakeAgent, silent: FakeAgent
) -> None:
    """Let the agents come that the world has."""
    if world.transcriber:
        silent.start(room)
    if world.works and world.join_after_s is not None:
        agent.start(room, world.join_after_s)
    if world.twin_until_s is not None:
        twin.start(room, world.join_after_s or 0.0)
        asyncio.get_running_loop().call_later(world.twin_until_s, twin.go)


def _block(world: World, clock: Clock) -> None:
    """Let the prober stand still when the world says so."""
    for after_s, seconds in world.blocks:
        asyncio.get_running_loop().call_later(after_s, clock.advance, seconds)


def place(
    script: Script,
    world: World,
    config: LatencyConfig,
    agent_of: Callable[[Script, Clock, str, dict[str, str]], FakeAgent] = FakeAgent,
    *,
    keep: Keep | None = None,
    on_lost: Callable[[EvidenceLost], None] = lambda _loss: None,
    fetch: FetchToken = fetch_for,
) -> Placed:
    """Place a whole call, as the probe `latency` does.

    Args:
        script: What the agent does.
        world: What surrounds the call.
        config: Of the target.
        agent_of: Makes the agent.
        keep: Where it is recorded; it is not if None.
        on_lost: As of `Run`.
        fetch: Fetches the caller's token, where the target has an endpoint.
    """

    async def story(clock: Clock) -> Placed:
        room = FakeRoom(world.refused, endless=world.endless)
        room.back_s, room.taken_s = world.back_s, world.taken_s
        name = {"lk.agent_name": config.agent_name} if world.named else {}
        agent = agent_of(script, clock, AGENT, name)
        bystander = FakeAgent(Script(delay_s=0.3), clock, "agent-0", {"lk.agent_name": "other"})
        agents = [agent, bystander] if world.companion else [agent]
        if world.successor is not None:
            successor = FakeAgent(world.successor, clock, "agent-4", {"lk.agent_name": "second"})
            agents.append(successor)
            agent.on_goodbye = partial(successor.start, room)
        twin = FakeAgent(Script(mute=True), clock, "agent-2", name)
        silent = FakeAgent(Script(no_track=True), clock, "agent-3", {"lk.agent_name": "scribe"})

        arrive = partial(_arrive, world, room, agent, twin, silent)

        def hear(leaves: float, pcm: Pcm) -> None:
            for each in agents if room.takes else ():
                each.hear(leaves, pcm)

        def on_dispatch(agent_name: str) -> tuple[str, ...]:
            assert agent_name == config.agent_name
            if world.companion:
                bystander.start(room)
            arrive()
            return (AGENT,) if world.works else ()

        api = FakeApi(on_dispatch, world.api_fails)
        api.rooms |= world.rooms
        api.people = world.people
        devices = Devices(lambda: room, lambda: FakeMicrophone(hear), ear_on)
        _block(world, clock)
        if world.unasked:
            arrive()
        if world.dies:
            asyncio.get_running_loop().call_later(world.dies_after_s, _kill, world.dies)
        run = Run(
            "r1",
            SERVER,
            clock() + config.deadline,
            clock=clock,
            started=clock(),
            keep=keep,
            on_lost=on_lost,
        )
        outcome = await place_call(
            config,
            run,
            open_api=lambda _server: api,
            make_caller=lambda is_agent, confirm: Caller(is_agent, confirm, devices),
            fetch=fetch,
        )
        for each in (*agents, twin, silent):
            await each.aclose()
        assert isinstance(outcome.result, CallResult)
        left = frozenset(api.rooms), len(api.dispatches), room.isconnected()
        return Placed(outcome, outcome.result, tuple(api.made), *left)

    with patch.object(recording, "ThreadPoolExecutor", _AtOnce):
        return virtual_time.run(watched(story))


class _AtOnce(Executor):
    """Does work when it is handed in: a thread has no virtual clock."""

    def __init__(self, *_: object) -> None:
        pass

    def submit(self, work: Callable[..., Any], /, *args: Any, **keys: Any) -> Future[Any]:
        """Do it."""
        done: Future[Any] = Future()
        try:
            done.set_result(work(*args, **keys))
        except Exception as error:  # noqa: BLE001 - as an executor does
            done.set_exception(error)
        return done


def _kill(name: str) -> None:
    """Let what a task waits for fail, as a library does that has a bug."""
    (task,) = (each for each in asyncio.all_tasks() if each.get_name() == name)
    waits_for: asyncio.Future[None] = getattr(task, "_fut_waiter")  # noqa: B009 - not in its type
    waits_for.set_exception(RuntimeError("bad frame"))
