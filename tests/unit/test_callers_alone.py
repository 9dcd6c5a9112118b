"""Callers without an agent, agents without a voice: what several listings say together."""

from exporter.outcome import AgentInRoom, CallerAlone, Listing, Outcome
from exporter.probes.agents.families import ALONE, OLDEST_ALONE, SEVERAL, WITHOUT_AUDIO
from exporter.probes.agents.listings import Listings
from exporter.probes.agents.spec import AgentsConfig
from exporter.series import Family
from tests.unit.calls import WHEN


class Server:
    """A server that is listed again and again, at times that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._listings = Listings(lambda: self.now)

    def list(self, listing: Listing, after_s: float = 15.0) -> dict[tuple[Family, str], float]:
        """List it so much later; return what is not 0 of the four families, by agent name."""
        self.now += after_s
        outcome = Outcome("agents", "", WHEN, 0.1, result=listing)
        return {
            (each.family, each.labels["agent_name"]): each.value
            for each in self._listings(AgentsConfig(), outcome)
            if each.family in (ALONE, OLDEST_ALONE, SEVERAL, WITHOUT_AUDIO) and each.value
        }


def alone(age_s: float, *, room: str = "r", agent_name: str = "") -> CallerAlone:
    """Return a caller who has been in the room for so long."""
    return CallerAlone(agent_name, room, age_s)


def agent(
    identity: str = "a", *, room: str = "r", age_s: float = 100.0, has_audio: bool = True
) -> AgentInRoom:
    """Return an agent in a room with one caller."""
    return AgentInRoom("demo", identity, room, "listening", 1, age_s, has_audio=has_audio)


def test_a_caller_is_alone_from_the_limit_on() -> None:
    """The first seconds are those in which an agent is on its way."""
    server = Server()
    assert server.list(Listing(alone=(alone(9.0, agent_name="demo"),))) == {}
    found = server.list(Listing(alone=(alone(24.0, agent_name="demo"), alone(3.0, room="s"))))
    assert found == {(ALONE, "demo"): 1, (OLDEST_ALONE, "demo"): 24.0}


def test_one_listing_is_enough_for_who_has_waited_long() -> None:
    """Also the first after a restart."""
    waits = alone(24.0), alone(70.0, room="s")
    found = Server().list(Listing(alone=waits))
    assert found == {(ALONE, ""): 2, (OLDEST_ALONE, ""): 70.0}


def test_who_was_left_is_alone_since_then_and_by_the_name_of_who_left() -> None:
    """The caller joined long ago: the time with an agent does not count."""
    server = Server()
    server.list(Listing(agents=(agent(),)))
    assert server.list(Listing(alone=(alone(300.0),)), after_s=8.0) == {}
    found = server.list(Listing(alone=(alone(315.0),)), after_s=15.0)
    assert found == {(ALONE, "demo"): 1, (OLDEST_ALONE, "demo"): 23.0}


def test_a_caller_who_gets_an_agent_or_leaves_is_no_more() -> None:
    """The series goes back to 0."""
    server = Server()
    server.list(Listing(alone=(alone(30.0),)))
    assert server.list(Listing(agents=(agent(),))) == {}
    server.list(Listing(alone=(alone(30.0, room="s"),)))
    assert server.list(Listing()) == {}


def test_a_room_that_is_made_anew_starts_anew() -> None:
    """Under the same name another caller has just come: the agent of the last call is no excuse."""
    server = Server()
    server.list(Listing(agents=(agent(),)))
    server.list(Listing())
    found = server.list(Listing(alone=(alone(20.0),)))
    assert found == {(ALONE, ""): 1, (OLDEST_ALONE, ""): 20.0}


def test_an_agent_that_never_published_is_silent_since_it_joined() -> None:
    """Its first seconds are those in which the track is on its way."""
    server = Server()
    assert server.list(Listing(agents=(agent(age_s=4.0, has_audio=False),))) == {}
    found = server.list(Listing(agents=(agent(age_s=6.0, has_audio=False),)), after_s=2.0)
    assert found == {(WITHOUT_AUDIO, "demo"): 1}


def test_an_agent_that_was_heard_is_silent_since_the_last_listing_that_saw_its_track() -> None:
    """A track that is muted for a moment, between two listings, is none that is missing."""
    server = Server()
    server.list(Listing(agents=(agent(),)))
    assert server.list(Listing(agents=(agent(has_audio=False),)), after_s=4.0) == {}
    found = server.list(Listing(agents=(agent(has_audio=False),)), after_s=4.0)
    assert found == {(WITHOUT_AUDIO, "demo"): 1}
    assert server.list(Listing(agents=(agent(),))) == {}


def test_rooms_with_several_agents_of_one_name_are_counted_once() -> None:
    """Three in one room are one room; two rooms with one each are none."""
    agents = agent("a"), agent("b"), agent("c"), agent("d", room="s")
    assert Server().list(Listing(agents=agents)) == {(SEVERAL, "demo"): 1}
