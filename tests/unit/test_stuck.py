"""Agents that stay in a state that should be short."""

from dataclasses import dataclass

import pytest

from exporter.outcome import AgentInRoom, Listing, Outcome
from exporter.probes.agents.families import STUCK
from exporter.probes.agents.listings import Listings
from exporter.probes.agents.spec import AgentsConfig
from tests.unit.calls import WHEN


@dataclass
class Clock:
    """A clock that the test sets."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Return the time it was set to."""
        return self.now


class Tracker:
    """Listings in their order, read for agents that are stuck after 30 s."""

    def __init__(self, clock: Clock) -> None:
        self._listings = Listings(clock)

    def update(self, listing: Listing) -> dict[tuple[str, str], float]:
        """Return how many are stuck by name and state; no zeros."""
        outcome = Outcome("agents", "", WHEN, 0.1, result=listing)
        readings = self._listings(AgentsConfig(stuck_after=30), outcome)
        return {
            (each.labels["agent_name"], each.labels["state"]): each.value
            for each in readings
            if each.family is STUCK and each.value
        }


def _listing(state: str, *, identity: str = "a", age_s: float = 100.0) -> Listing:
    agent = AgentInRoom("demo", identity, "room", state, humans=1, age_s=age_s)
    return Listing(agents=(agent,))


def test_an_agent_that_thinks_through_the_threshold_is_stuck() -> None:
    """It is stuck once listings further apart than the threshold all saw it thinking."""
    clock = Clock()
    tracker = Tracker(clock)
    seen = []
    for _ in range(4):
        seen.append(tracker.update(_listing("thinking")))
        clock.now += 15
    assert seen == [{}, {}, {}, {("demo", "thinking"): 1}]


@pytest.mark.parametrize("between", ["speaking", "listening", ""])
def test_another_state_in_between_starts_the_time_anew(between: str) -> None:
    """An agent that was heard in between has not been thinking all the time."""
    clock = Clock()
    tracker = Tracker(clock)
    for state in ("thinking", between, "thinking"):
        assert tracker.update(_listing(state)) == {}
        clock.now += 20
    assert tracker.update(_listing("thinking")) == {}


def test_a_state_that_may_last_is_never_stuck() -> None:
    """An agent may listen for hours."""
    clock = Clock()
    tracker = Tracker(clock)
    tracker.update(_listing("listening"))
    clock.now += 7200
    assert tracker.update(_listing("listening", age_s=7300)) == {}


def test_an_agent_that_initializes_too_long_is_stuck_at_first_sight() -> None:
    """It is in its first state since it joined, which the server tells."""
    tracker = Tracker(Clock())
    assert tracker.update(_listing("initializing", age_s=29)) == {}
    assert tracker.update(_listing("initializing", age_s=31)) == {("demo", "initializing"): 1}


def test_an_agent_that_left_is_forgotten() -> None:
    """Another agent of the same identity, in a later listing, starts anew."""
    clock = Clock()
    tracker = Tracker(clock)
    tracker.update(_listing("thinking"))
    clock.now += 31
    tracker.update(Listing())
    assert tracker.update(_listing("thinking")) == {}


def test_stuck_agents_are_counted_by_name_and_state() -> None:
    """Two of one name make one count of two; one that is well is not in it."""
    clock = Clock()
    tracker = Tracker(clock)
    agents = (
        AgentInRoom("demo", "a", "one", "thinking", humans=1, age_s=1),
        AgentInRoom("demo", "a", "two", "thinking", humans=1, age_s=1),
        AgentInRoom("demo", "b", "two", "listening", humans=1, age_s=1),
    )
    tracker.update(Listing(agents=agents))
    clock.now += 31
    assert tracker.update(Listing(agents=agents)) == {("demo", "thinking"): 2}
