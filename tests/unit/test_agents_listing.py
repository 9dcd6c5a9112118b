"""What a listing concludes from rooms, where a real server cannot be brought to the case."""

from collections.abc import Mapping

from exporter.outcome import AgentInRoom, PendingDispatch
from exporter.probes.agents import _listing, _Room
from exporter.probes.calibrate import ECHO_ATTRIBUTE
from exporter.server_api.records import Dispatch, Participant


def _participant(
    identity: str, kind: str = "agent", attributes: Mapping[str, str] | None = None
) -> Participant:
    return Participant(identity, kind, attributes or {}, age_s=5.0, hidden=False)


def _dispatch(agent_name: str, *identities: str, age_s: float = 5.0) -> Dispatch:
    return Dispatch(f"AD_{agent_name}", agent_name, age_s, identities)


def test_an_agent_without_attributes_is_named_by_its_job() -> None:
    """With servers and workers too old to tell, the dispatch knows whom the job was for."""
    room = _Room("r", (_participant("agent-1"),), (_dispatch("demo", "agent-1"),))
    assert _listing([room]).agents == (
        AgentInRoom("demo", "agent-1", "r", state="", humans=0, age_s=5.0),
    )


def test_an_agent_that_nothing_names_has_no_name() -> None:
    """Neither attribute nor job: the agent is listed all the same."""
    room = _Room("r", (_participant("agent-1"),), (_dispatch("demo", "agent-2"),))
    assert [agent.agent_name for agent in _listing([room]).agents] == [""]


def test_a_dispatch_whose_agent_has_left_is_not_pending() -> None:
    """An agent came: that it left since is another matter than that nobody came."""
    room = _Room("r", (_participant("caller", "standard"),), (_dispatch("demo", "agent-1"),))
    assert _listing([room]).pending == ()


def test_the_nameless_dispatch_of_every_room_is_never_pending() -> None:
    """The server makes one for each room, whether or not there are such workers."""
    room = _Room("r", (_participant("caller", "standard"),), (_dispatch(""),))
    assert _listing([room]).pending == ()


def test_an_agent_whose_job_is_not_shown_yet_answers_the_oldest_dispatch() -> None:
    """For its first seconds in the room an agent is known by its name only."""
    agent = _participant("agent-1", attributes={"lk.agent.name": "demo"})
    callers = (_participant("one", "standard"), _participant("two", "connector"))
    dispatches = (_dispatch("demo", age_s=2.0), _dispatch("demo", age_s=9.0))
    room = _Room("r", (agent, *callers), dispatches)
    assert _listing([room]).pending == (PendingDispatch("demo", "r", 2.0, humans=2),)


def test_an_agent_whose_job_is_shown_answers_no_other_dispatch() -> None:
    """One agent in the room and two dispatches, one of them taken: the other is pending."""
    agent = _participant("agent-1", attributes={"lk.agent.name": "demo"})
    dispatches = (_dispatch("demo", "agent-1", age_s=9.0), _dispatch("demo", age_s=2.0))
    assert [each.age_s for each in _listing([_Room("r", (agent,), dispatches)]).pending] == [2.0]


def test_an_agent_of_another_room_answers_no_dispatch_here() -> None:
    """Rooms do not share agents, even under equal identities."""
    agent = _participant("agent-1", attributes={"lk.agent.name": "demo"})
    rooms = [_Room("a", (agent,)), _Room("b", (), (_dispatch("demo"),))]
    assert [each.room for each in _listing(rooms).pending] == ["b"]


def test_what_stands_in_for_an_agent_is_not_listed_as_one() -> None:
    """An avatar lends an agent its face, and our own echo is there to calibrate: no agents."""
    avatar = _participant("avatar", attributes={"lk.publish_on_behalf": "agent-1"})
    echo = _participant("echo", attributes={ECHO_ATTRIBUTE: "true"})
    listing = _listing([_Room("r", (avatar, echo))])
    assert listing.agents == ()
    assert listing.participants == (("agent", 2),)
