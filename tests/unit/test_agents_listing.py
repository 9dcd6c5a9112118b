"""What a listing concludes from rooms, where a real server cannot be brought to the case."""

import asyncio
import time
from collections.abc import Iterable, Mapping

import pytest

from exporter.errors import ProbeError
from exporter.outcome import (
    AgentInRoom,
    CallerAlone,
    Listing,
    PendingDispatch,
    Reason,
    RoomWithoutHuman,
)
from exporter.probe import PROBE_ATTRIBUTE, ROOM_PREFIX, Run
from exporter.probes.agents import measure
from exporter.probes.agents.rooms import RoomSeen, listing_of
from exporter.probes.agents.spec import AgentsConfig
from exporter.probes.calibrate.spec import ECHO_ATTRIBUTE
from exporter.server_api.records import Dispatch, Job, Participant, Room
from tests.fake_call.api import SERVER, FakeApi


def _participant(
    identity: str,
    kind: str = "agent",
    attributes: Mapping[str, str] | None = None,
    *,
    hidden: bool = False,
    speaks: bool = True,
) -> Participant:
    return Participant(identity, kind, attributes or {}, age_s=5.0, hidden=hidden, speaks=speaks)


def _dispatch(agent_name: str, *identities: str, age_s: float = 5.0) -> Dispatch:
    jobs = tuple(Job(identity, f"AW_{identity}") for identity in identities)
    return Dispatch(f"AD_{agent_name}", agent_name, age_s, jobs)


def _in(name: str, *more: object) -> RoomSeen:
    return RoomSeen(Room(name, f"RM_{name}", 60.0), *more)  # type: ignore[arg-type]


def test_an_agent_without_attributes_is_named_by_its_job() -> None:
    """With servers and workers too old to tell, the dispatch knows whom the job was for."""
    room = _in("r", (_participant("agent-1"),), (_dispatch("demo", "agent-1"),))
    assert listing_of([room]).agents == (
        AgentInRoom("demo", "agent-1", "r", state="", humans=0, age_s=5.0, worker_id="AW_agent-1"),
    )


def test_an_agent_that_nothing_names_has_no_name() -> None:
    """Neither attribute nor job: the agent is listed all the same."""
    room = _in("r", (_participant("agent-1"),), (_dispatch("demo", "agent-2"),))
    assert [agent.agent_name for agent in listing_of([room]).agents] == [""]


def test_a_dispatch_whose_agent_has_left_is_not_pending() -> None:
    """An agent came: that it left since is another matter than that nobody came."""
    room = _in("r", (_participant("caller", "standard"),), (_dispatch("demo", "agent-1"),))
    assert listing_of([room]).pending == ()


def test_the_nameless_dispatch_of_every_room_is_never_pending() -> None:
    """The server makes one for each room, whether or not there are such workers."""
    room = _in("r", (_participant("caller", "standard"),), (_dispatch(""),))
    assert listing_of([room]).pending == ()


def test_an_agent_whose_job_is_not_shown_yet_answers_the_oldest_dispatch() -> None:
    """For its first seconds in the room an agent is known by its name only."""
    agent = _participant("agent-1", attributes={"lk.agent.name": "demo"})
    callers = (_participant("one", "standard"), _participant("two", "connector"))
    dispatches = (_dispatch("demo", age_s=2.0), _dispatch("demo", age_s=9.0))
    room = _in("r", (agent, *callers), dispatches)
    assert listing_of([room]).pending == (PendingDispatch("demo", "r", 2.0, humans=2),)


def test_an_agent_whose_job_is_shown_answers_no_other_dispatch() -> None:
    """One agent in the room and two dispatches, one of them taken: the other is pending."""
    agent = _participant("agent-1", attributes={"lk.agent.name": "demo"})
    dispatches = (_dispatch("demo", "agent-1", age_s=9.0), _dispatch("demo", age_s=2.0))
    assert [each.age_s for each in listing_of([_in("r", (agent,), dispatches)]).pending] == [2.0]


def test_an_agent_of_another_room_answers_no_dispatch_here() -> None:
    """Rooms do not share agents, even under equal identities."""
    agent = _participant("agent-1", attributes={"lk.agent.name": "demo"})
    rooms = [_in("a", (agent,)), _in("b", (), (_dispatch("demo"),))]
    assert [each.room for each in listing_of(rooms).pending] == ["b"]


def test_what_stands_in_for_an_agent_is_not_listed_as_one() -> None:
    """An avatar lends an agent its face, and our own echo is there to calibrate: no agents."""
    avatar = _participant("avatar", attributes={"lk.publish_on_behalf": "agent-1"})
    echo = _participant("echo", attributes={ECHO_ATTRIBUTE: "true"})
    listing = listing_of([_in("r", (avatar, echo))])
    assert listing.agents == ()
    assert listing.participants == (("agent", 2),)


def test_rooms_of_probes_do_not_count() -> None:
    """Of whichever exporter, command or way to name the room: else discovery feeds on itself."""
    agent = _participant("agent-1", attributes={"lk.agent.name": "demo"})
    caller = _participant("caller", "standard", {PROBE_ATTRIBUTE: "true"})
    dispatches = (_dispatch("nobody"),)
    named = _in("our-test-room", (agent, caller), dispatches)
    random = _in(f"{ROOM_PREFIX}0123", (agent,), dispatches)
    empty = _in(f"{ROOM_PREFIX}4567", (), dispatches)

    listing = listing_of([named, random, empty])

    assert listing == Listing(probe_rooms=("our-test-room", f"{ROOM_PREFIX}0123"))


def test_rooms_without_a_human_are_listed() -> None:
    """Agents, recorders and hidden observers are no humans; whoever called is."""
    agent = _participant("agent-1", attributes={"lk.agent.name": "demo"})
    rooms = [_in("empty", ()), _in("left", (agent,)), _in("used", (_participant("a", "sip"),))]
    assert listing_of(rooms).without_human == (
        RoomWithoutHuman("empty", "RM_empty", 60.0),
        RoomWithoutHuman("left", "RM_left", 60.0),
    )


CALLER = _participant("caller", "sip")
AGENT = _participant("agent-1", attributes={"lk.agent.name": "demo"})


@pytest.mark.parametrize("kind", ["standard", "sip", "connector"])
def test_the_only_human_of_a_room_without_an_agent_is_alone(kind: str) -> None:
    """By whichever way it called; a dispatch by name tells whom it waits for."""
    named = _in("a", (_participant("caller", kind),), (_dispatch(""), _dispatch("demo")))
    nameless = _in("b", (_participant("caller", kind),), (_dispatch(""),))
    assert listing_of([named, nameless]).alone == (
        CallerAlone("demo", "a", 5.0),
        CallerAlone("", "b", 5.0),
    )


@pytest.mark.parametrize(
    "people",
    [
        pytest.param((CALLER, AGENT), id="an agent is there"),
        pytest.param((CALLER, _participant("b", "standard")), id="two talk to each other"),
        pytest.param((), id="nobody"),
        pytest.param((_participant("o", "standard", hidden=True),), id="an observer"),
        pytest.param((_participant("recorder", "egress"),), id="a recorder"),
        pytest.param((_participant("c", "standard", {PROBE_ATTRIBUTE: ""}),), id="a probe"),
    ],
)
def test_nobody_is_alone(people: tuple[Participant, ...]) -> None:
    """Whoever has somebody to talk to, and whoever is no caller."""
    assert listing_of([_in("r", people)]).alone == ()


def test_rooms_that_are_for_no_agent_do_not_count() -> None:
    """Meetings on the same server have a first participant too."""
    rooms = [_in(name, (CALLER,)) for name in ("call-1", "meeting-1", "Call-2")]
    alone = listing_of(rooms, call_rooms=("call-*", "support")).alone
    assert [each.room for each in alone] == ["call-1"]


def test_an_avatar_is_the_voice_of_its_agent() -> None:
    """It publishes in the agent's place; without either there is nothing to hear."""
    mute = _participant("agent-1", attributes={"lk.agent.name": "demo"}, speaks=False)
    avatar = _participant("avatar", attributes={"lk.publish_on_behalf": "agent-1"})
    other = _participant("avatar", attributes={"lk.publish_on_behalf": "agent-2"})
    rooms = [_in("a", (mute, avatar)), _in("b", (mute, other)), _in("c", (AGENT,))]
    heard = {each.room: each.has_audio for each in listing_of(rooms).agents}
    assert heard == {"a": True, "b": False, "c": True}


class _Server(FakeApi):
    """Two rooms with an agent each, of which the second cannot be asked for."""

    def __init__(self, error: ProbeError) -> None:
        super().__init__(lambda _: ())
        self._error = error

    async def describe_rooms(self, names: Iterable[str] = ()) -> tuple[Room, ...]:
        """Return the two."""
        assert not names
        return Room("a", "RM_a", 60.0), Room("b", "RM_b", 60.0)

    async def list_participants(self, room: str) -> tuple[Participant, ...]:
        """Return an agent."""
        if room == "b":
            raise self._error
        return (_participant("agent-1"),)

    async def list_dispatch(
        self, room: str, timeout_s: float | None = None
    ) -> tuple[Dispatch, ...]:
        """Return the agent's."""
        assert (room, timeout_s) == ("a", measure._DISPATCH_TIMEOUT_S)
        return (_dispatch("demo", "agent-1"),)


@pytest.mark.parametrize(
    ("reason", "agents"), [(Reason.VOID, ["demo"]), (Reason.CONNECT_FAILED, None)]
)
def test_what_was_read_before_the_prober_stood_still_is_kept(
    monkeypatch: pytest.MonkeyPatch, reason: Reason, agents: list[str] | None
) -> None:
    """Agents that are there do not go because of the prober; a server that fails has no listing."""
    server = _Server(ProbeError(reason, "why"))
    monkeypatch.setattr(measure, "ServerApi", lambda _: server)
    run = Run("r1", SERVER, time.monotonic() + 30.0)
    outcome = asyncio.run(measure.list_agents(AgentsConfig(concurrency=1), run))
    found = outcome.result
    assert outcome.reason is reason
    assert ([each.agent_name for each in found.agents] if isinstance(found, Listing) else None) == (
        agents
    )
