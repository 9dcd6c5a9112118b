"""What a listing says on /metrics, compared with the listings before it."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exporter.outcome import AgentInRoom, Listing, Outcome
from exporter.probes.agents.families import (
    AGE,
    AGENTS,
    ALONE,
    KINDS,
    OLDEST_ALONE,
    OLDEST_PENDING,
    OLDEST_UNCLOSED,
    PARTICIPANTS,
    PENDING,
    REQUESTS,
    ROOMS,
    SEVERAL,
    STATES,
    STUCK,
    STUCK_STATES,
    UNCLOSED,
    UNREAD,
    WITHOUT_AUDIO,
)
from exporter.series import Reading

if TYPE_CHECKING:
    from exporter.probes.agents.spec import AgentsConfig

_APART_S = 60.0
"""Of two looks at a room that are further apart, the first says nothing of the time between."""

_Agent = tuple[str, str]
"""Room and identity: an identity is unique in its room only."""


@dataclass(frozen=True, slots=True)
class _InState:
    """The state of an agent; times by the clock of the listings."""

    state: str
    since: float
    seen_at: float

    @property
    def lasted_s(self) -> float:
        """For how long it is known to have been in it."""
        return self.seen_at - self.since


@dataclass(frozen=True, slots=True)
class _Attended:
    """The agent that was last in a room."""

    agent_name: str
    at: float
    is_there: bool = True
    """As of the last look at the room."""


_NOBODY = _Attended("", -math.inf, is_there=False)


@dataclass(frozen=True, slots=True)
class _Heard:
    """Since when an agent has no audio, as of the last look at its room."""

    at: float
    seen_at: float

    @property
    def silent_s(self) -> float:
        """For how long it is known to have had none."""
        return self.seen_at - self.at


class StuckAgents:
    """Compares listings over time, because the server does not report since when a state holds.

    An agent is initializing since it joined, so one listing shows that it is stuck. Thinking is
    known only from what two or more listings saw: an agent that was heard in between, and is
    thinking again each time, looks the same, unless the two looks at it are further apart than
    twice the threshold. Choose that to be at least twice the interval of the listings. After a
    restart it begins anew.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._states: dict[_Agent, _InState] = {}

    def __call__(self, after_s: float, listing: Listing) -> Counter[tuple[str, str]]:
        """Return how many agents are stuck for longer, by agent name and state."""
        now = self._clock()
        self._states = {
            _key(agent): self._state(agent, now - agent.seen_s, 2 * after_s)
            for agent in listing.agents
        }
        return Counter(
            (agent.agent_name, agent.state)
            for agent in listing.agents
            if agent.state in STUCK_STATES and self._states[_key(agent)].lasted_s > after_s
        )

    def _state(self, agent: AgentInRoom, seen_at: float, apart_s: float) -> "_InState":
        """Return the agent's state and since when it is known to be in it."""
        if agent.state == "initializing":
            return _InState(agent.state, seen_at - agent.age_s, seen_at)
        known = self._states.get(_key(agent))
        if known and known.state == agent.state and seen_at - known.seen_at <= apart_s:
            return _InState(known.state, known.since, seen_at)
        return _InState(agent.state, seen_at, seen_at)


class LonelyCallers:
    """Compares listings over time, because an agent may have left a caller who is still there."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._attended: dict[str, _Attended] = {}

    def __call__(self, after_s: float, listing: Listing) -> dict[str, list[float]]:
        """Return for how long callers have been alone, by agent name; only those for longer."""
        now = self._clock()
        attended = {
            each.room: _Attended(each.agent_name, now - each.seen_s) for each in listing.agents
        }
        found: dict[str, list[float]] = {}
        for each in listing.alone:
            seen_at = now - each.seen_s
            last = self._attended.get(each.room, _NOBODY)
            if last.is_there and seen_at - last.at > _APART_S:
                last = _Attended(last.agent_name, seen_at)
            alone_s = min(each.age_s, seen_at - last.at)
            if alone_s > after_s:
                found.setdefault(each.agent_name or last.agent_name, []).append(alone_s)
            if last is not _NOBODY:
                attended.setdefault(each.room, replace(last, is_there=False))
        self._attended = attended
        return found


class SilentAgents:
    """Compares listings over time, because the server does not say when a track was muted."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._agents: dict[_Agent, _Heard] = {}

    def __call__(self, after_s: float, listing: Listing) -> Counter[str]:
        """Return how many agents have been without audio for longer, by agent name."""
        now = self._clock()
        self._agents = {
            _key(agent): self._heard(agent, now - agent.seen_s) for agent in listing.agents
        }
        silent = (agent for agent in listing.agents if not agent.has_audio)
        return Counter(
            agent.agent_name for agent in silent if self._agents[_key(agent)].silent_s > after_s
        )

    def _heard(self, agent: AgentInRoom, seen_at: float) -> "_Heard":
        """Return since when the agent is known to be silent."""
        known = self._agents.get(_key(agent))
        if agent.has_audio or (known and seen_at - known.seen_at > _APART_S):
            return _Heard(seen_at, seen_at)
        return _Heard(known.at if known else seen_at - agent.age_s, seen_at)


class Listings:
    """Turns listings into readings: what is there, what is stuck, and what never closes.

    A room counts as without a human from the first listing without one, after a restart anew.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stuck = StuckAgents(clock)
        self._lonely = LonelyCallers(clock)
        self._silent = SilentAgents(clock)
        self._empty_since: dict[str, float] = {}
        self._rare_kinds: set[str] = set()
        self._last: tuple[Reading, ...] = ()
        self._oldest_at: float | None = None
        self._unread = 0

    def __call__(self, config: "AgentsConfig", outcome: Outcome) -> Iterator[Reading]:
        """Show what is there now; where a listing failed or was cut, what the last one found.

        Rooms that came since the first whole listing and are not read yet hide nothing: what is
        known is shown without them.
        """
        listing = outcome.result
        if isinstance(listing, Listing):
            if not listing.unread or (self._last and outcome.ok):
                self._last = (
                    *self._of_agents(config, listing),
                    *self._of_rooms(config, listing),
                )
            self._oldest_at = self._clock() - listing.oldest_s
            self._unread = listing.unread
            for became, requests in listing.requests:
                yield REQUESTS.read(requests, outcome=became)
        if self._oldest_at is not None:
            yield UNREAD.read(self._unread)
            yield AGE.read(self._clock() - self._oldest_at)
        yield from self._last

    def _of_agents(self, config: "AgentsConfig", listing: Listing) -> Iterator[Reading]:
        stuck = self._stuck(config.stuck_after, listing)
        alone = self._lonely(config.alone_after, listing)
        silent = self._silent(config.silent_after, listing)
        in_rooms = Counter((agent.agent_name, agent.room) for agent in listing.agents)
        several = Counter(name for (name, _), count in in_rooms.items() if count > 1)
        there = {each.agent_name for each in listing.agents}
        names = there | {each.agent_name for each in listing.pending} | set(alone)
        for name in names:
            states = [agent.state for agent in listing.agents if agent.agent_name == name]
            known = Counter(state if state in STATES else "unknown" for state in states)
            for state in STATES:
                yield AGENTS.read(known[state], agent_name=name, state=state)
            for state in STUCK_STATES:
                yield STUCK.read(stuck[name, state], agent_name=name, state=state)
            ages = [each.age_s for each in listing.pending if each.agent_name == name]
            yield PENDING.read(len(ages), agent_name=name)
            yield OLDEST_PENDING.read(max(ages, default=0), agent_name=name)
            waits = alone.get(name, [])
            yield ALONE.read(len(waits), agent_name=name)
            yield OLDEST_ALONE.read(max(waits, default=0), agent_name=name)
            yield WITHOUT_AUDIO.read(silent[name], agent_name=name)
            yield SEVERAL.read(several[name], agent_name=name)

    def _of_rooms(self, config: "AgentsConfig", listing: Listing) -> Iterator[Reading]:
        yield ROOMS.read(listing.rooms)
        kinds = dict.fromkeys((*KINDS, *self._rare_kinds), 0) | dict(listing.participants)
        self._rare_kinds |= kinds.keys() - KINDS
        for kind, count in kinds.items():
            yield PARTICIPANTS.read(count, kind=kind)
        now = self._clock()
        empty = listing.without_human
        self._empty_since = {room.sid: self._empty_since.get(room.sid, now) for room in empty}
        unclosed = [
            room for room in empty if now - self._empty_since[room.sid] > config.unclosed_after
        ]
        yield UNCLOSED.read(len(unclosed))
        yield OLDEST_UNCLOSED.read(max((room.age_s for room in unclosed), default=0))


def _key(agent: AgentInRoom) -> _Agent:
    return agent.room, agent.identity
