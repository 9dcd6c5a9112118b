"""Agents that stay where none should stay long, found by comparing listings over time."""

import time
from collections import Counter
from collections.abc import Callable

from exporter.outcome import AgentInRoom, Listing

STUCK_STATES = ("initializing", "thinking")
"""States of `lk.agent.state` that an agent in order leaves soon."""

_Agent = tuple[str, str]
"""Room and identity: an identity is unique in its room only."""


class StuckTracker:
    """Remembers since when each agent is in its state: the server does not tell.

    An agent is initializing since it joined, so one listing shows that it is stuck. Thinking
    is known only from what two or more listings saw: an agent that was heard in between, and
    is thinking again each time, looks the same. Choose the threshold to be at least twice the
    interval of the listings.
    """

    def __init__(self, stuck_after_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.stuck_after_s = stuck_after_s
        self._clock = clock
        self._since: dict[_Agent, tuple[str, float]] = {}

    def update(self, listing: Listing) -> dict[tuple[str, str], int]:
        """Return how many agents are stuck, by agent name and state; no zeros.

        Args:
            listing: The newest listing; agents that are not in it are forgotten.
        """
        now = self._clock()
        self._since = {_key(agent): self._start(agent, now) for agent in listing.agents}
        return Counter(
            (agent.agent_name, agent.state)
            for agent in listing.agents
            if agent.state in STUCK_STATES
            and now - self._since[_key(agent)][1] > self.stuck_after_s
        )

    def _start(self, agent: AgentInRoom, now: float) -> tuple[str, float]:
        """Return the agent's state and since when it is known to be in it."""
        state, since = self._since.get(_key(agent), ("", now))
        if agent.state == "initializing":
            return agent.state, now - agent.age_s
        return (state, since) if state == agent.state else (agent.state, now)


def _key(agent: AgentInRoom) -> _Agent:
    return agent.room, agent.identity
