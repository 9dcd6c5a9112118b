"""What happened in a call, in the order in which the caller learned of it.

All figures about the conversation are computed from these events by pure functions. What was said
stands in the events, so that it can be compared, and in no `repr`: it stays in memory.
"""

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from exporter.outcome.calls import ModelUsage
from exporter.outcome.turn_report import TurnReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened."""

    at: float = 0.0
    """When the caller did it, heard it or was told of it, in seconds on the monotonic clock."""
    sender: str = ""
    """Identity of the agent that told of it; "" for what the caller knows by itself."""
    told_at: float | None = None
    """When it happened by the clock of who told of it, in seconds; None where that is not told.
    Only the time between two events of one sender means something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerSpoke(Event):
    """The caller said something: `at` is its first sample of speech."""

    until: float
    """The end of its last sample of speech."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSounded(Event):
    """The agent was heard, from `at` on."""

    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentState(Event):
    """The agent says what it does: initializing idle listening thinking speaking."""

    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UserState(Event):
    """The agent says what the caller does, as it hears it: speaking listening away."""

    state: str


class Source(StrEnum):
    """By which way a transcript came."""

    SESSION = "lk.agent.session"
    TRANSCRIPTION = "lk.transcription"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript(Event):
    """What the agent understood of the caller."""

    text: str = field(repr=False)
    final: bool
    """No more will come of these words; one that is not final may still change."""
    source: Source = Source.SESSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Event):
    """A message was added: the caller's when its turn is over, the agent's when it was spoken."""

    by_agent: bool
    figures: TurnReport
    text: str = field(default="", repr=False)
    interrupted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtitle(Event):
    """What the agent said, as the text that accompanies its voice (`lk.transcription`)."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute(Event):
    """An attribute of the agent has this value from now on."""

    name: str
    value: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolStarted(Event):
    """The agent called a tool."""

    call_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolEnded(Event):
    """A tool came to its end."""

    call_id: str
    name: str = ""
    """"" where it is told at the begin only."""
    failed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver(Event):
    """Within its session the agent handed over to another one."""

    to: str
    """The id of that one, as the agent's code names it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFault(Event):
    """The agent reported an error."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FalseInterruption(Event):
    """The agent had stopped for what was no interruption."""

    resumed: bool
    """It goes on with what it was saying."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage(Event):
    """The agent told what its session has used so far."""

    models: tuple[ModelUsage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined(Event):
    """Somebody came into the room."""

    identity: str = field(repr=False)
    kind: str
    """agent sip standard ...: as the server knows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left(Event):
    """Somebody left the room."""

    identity: str = field(repr=False)
    in_order: bool = False
    """It is our agent, which did not die and reported no error: it left, or ended the call."""


Kind = TypeVar("Kind", bound=Event)


class Timeline:
    """The events of one call.

    Attributes:
        reporters: Identities of the agents that tell anything on `lk.agent.session`.
    """

    def __init__(self, agent: str = "") -> None:
        self.reporters: set[str] = set()
        self._agents: list[str] = [agent]
        self._events: list[Event] = []

    @property
    def agent(self) -> str:
        """Identity of the agent in question now; what others tell does not count."""
        return self._agents[-1]

    @agent.setter
    def agent(self, identity: str) -> None:
        self._agents.append(identity)

    @property
    def reports(self) -> bool:
        """Whether our agent tells of its session: then what it does not tell did not happen."""
        return self.agent in self.reporters

    def __len__(self) -> int:
        """Return how much has happened."""
        return len(self._events)

    def after(self, count: int) -> list[Event]:
        """Return all that has happened but the first so many, whoever told of it."""
        return self._events[count:]

    def add(self, event: Event) -> None:
        """Take the next event."""
        self._events.append(event)

    def of(self, kind: type[Kind], since: float = -math.inf, until: float = math.inf) -> list[Kind]:
        """Return the events of one kind in [since, until), of our agent and of the caller."""
        return [
            each
            for each in self._events
            if isinstance(each, kind)
            and since <= each.at < until
            and each.sender in ("", self.agent)
        ]

    def of_every_agent(
        self, kind: type[Kind], since: float = -math.inf, until: float = math.inf
    ) -> list[Kind]:
        """Return the same of all agents that were ours, one after another, and of the caller."""
        return [
            each
            for each in self._events
            if isinstance(each, kind)
            and since <= each.at < until
            and (each.sender == "" or self.was_ours(each.sender))
        ]

    def was_ours(self, identity: str) -> bool:
        """Tell whether that one is our agent, or was before another one took over."""
        return identity in self._agents

    def has(self, kind: type[Event], since: float = -math.inf) -> bool:
        """Tell whether there is any such event."""
        return bool(self.of(kind, since))

    def transcripts(self, since: float = -math.inf, until: float = math.inf) -> list[Transcript]:
        """Return what the agent understood, of the one source that our agent uses.

        Transcripts of `lk.transcription` come in the caller's name, whoever made them: an agent
        that reports its session needs none, and another one's are not its own.
        """
        session = self.reports or any(each.source is Source.SESSION for each in self.of(Transcript))
        source = Source.SESSION if session else Source.TRANSCRIPTION
        return [each for each in self.of(Transcript, since, until) if each.source is source]

    def finals(self, since: float = -math.inf, until: float = math.inf) -> list[Transcript]:
        """Return what the agent finally understood."""
        return [each for each in self.transcripts(since, until) if each.final]
