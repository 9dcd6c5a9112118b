"""What is known of one call, whatever the order in which its events came.

Every field only ever grows towards the truth (the earliest, the latest, the one that is there), so
that events may come in any order, twice, or not at all.
"""

import math
from dataclasses import dataclass, field
from hashlib import blake2s
from typing import Literal

from exporter.probe import PROBE_ATTRIBUTE
from exporter.server_api.webhooks import EventParticipant, ServerEvent

EndedBy = Literal["caller", "agent", "server", "failure"]

_NAMES = ("lk.agent_name", "lk.agent.name")
_ON_BEHALF = "lk.publish_on_behalf"
_HUMANS = frozenset({"standard", "sip", "connector"})
_MAY_SERVE = frozenset({"agent", ""})
_LEFT = frozenset({"participant_left", "participant_connection_aborted"})
_FAILURES = frozenset(
    {
        *("signal_close", "connection_timeout", "join_failure", "media_failure"),
        *("state_mismatch", "agent_error", "sip_trunk_failure"),
    }
)
"""Reasons of a participant that went without wanting to."""
_BY_SERVER = frozenset({"room_deleted", "room_closed", "participant_removed", "server_shutdown"})
_UNANSWERED = frozenset({"user_unavailable", "user_rejected"})
PEOPLE_KEPT = 500
"""Connections of one room that are known. A client that connects anew for hours has thousands, and
a room is written to the ledger with each of its events."""
_SUCCESSOR_WITHIN_S = 10.0
"""After an agent has left a caller, who comes so soon takes over."""


@dataclass(slots=True)
class Person:
    """One connection of one participant."""

    who: str
    """The same for every connection of one identity, and not the identity."""
    kind: str = ""
    """"" while no event has said: those of tracks do not."""
    first_at: float = math.inf
    """Time of its earliest event. Unix time by the server's clock, as all times here."""
    said_at: float | None = None
    """When it joined, as its events say; None while none has."""
    gone_at: float | None = None
    """Time of the event that says it left; None while there is none."""
    reason: str = ""
    """Why it left; "" while it has not."""
    track_at: float | None = None
    """When its microphone's track was published; None where that was not reported."""
    spoke: bool = False
    """Whether there was such a track."""
    agent_name: str = ""
    region: str = ""
    is_avatar: bool = False
    hidden: bool = False
    trunk: str = ""
    """Id of the SIP trunk."""
    sip_status: str = ""
    """`sip.callStatus` of the latest event."""
    status_at: float = 0.0

    @property
    def is_human(self) -> bool:
        """Whether it may be a caller."""
        return self.kind in _HUMANS and not self.hidden

    @property
    def joined_at(self) -> float:
        """When it joined, or was first heard of."""
        return self.first_at if self.said_at is None else self.said_at

    @property
    def end(self) -> float:
        """When it left; infinity while it has not."""
        return math.inf if self.gone_at is None else max(self.gone_at, self.joined_at)

    @property
    def spoke_at(self) -> float | None:
        """When its microphone's track was published; None if that is not known.

        An event's time is of whole seconds: nobody speaks before joining.
        """
        return None if self.track_at is None else max(self.track_at, self.joined_at)

    def note(self, event: ServerEvent, now: EventParticipant) -> None:
        """Add what an event says of it."""
        self.first_at = min(self.first_at, event.at)
        if now.joined_at:
            self.said_at = min(self.said_at or math.inf, now.joined_at)
        self.kind = max(self.kind, now.kind)
        self.hidden = self.hidden or now.hidden
        self.is_avatar = self.is_avatar or _ON_BEHALF in now.attributes
        names = (now.attributes[key] for key in _NAMES if now.attributes.get(key))
        self.agent_name = max(self.agent_name, next(names, ""))
        self.region = max(self.region, now.region)
        self.trunk = max(self.trunk, now.attributes.get("sip.trunkID", ""))
        if (status := now.attributes.get("sip.callStatus", "")) and event.at >= self.status_at:
            same = event.at == self.status_at
            self.sip_status = max(self.sip_status, status) if same else status
            self.status_at = event.at
        if event.name in _LEFT:
            self.gone_at = max(self.gone_at or 0.0, event.at)
            self.reason = max(self.reason, now.reason)
        self.spoke = self.spoke or event.is_voice
        if event.is_voice and event.name == "track_published":
            self.track_at = min(self.track_at or math.inf, event.at)


@dataclass(slots=True)
class Call:
    """One session of a room; it is a call if a human was in it."""

    sid: str
    people: dict[str, Person] = field(default_factory=dict)
    """By the id of the connection."""
    finished_at: float | None = None
    was_deleted: bool = False
    is_probes: bool = False
    """It is a probe's, of whichever exporter."""
    heard_at: float = 0.0
    """When the last event of it came, by a clock of the exporter's process."""
    closed: bool = False
    """Its figures are counted, and nothing else of it is known."""

    def note(self, event: ServerEvent) -> None:
        """Add what an event says."""
        if event.name == "room_finished":
            self.finished_at = max(self.finished_at or 0.0, event.at)
            self.was_deleted = self.was_deleted or event.was_deleted
        now = event.participant
        if now is None or not now.sid:
            return
        self.is_probes = self.is_probes or PROBE_ATTRIBUTE in now.attributes
        if now.sid not in self.people:
            if len(self.people) >= PEOPLE_KEPT:
                return
            who = blake2s(now.identity.encode("utf-8", "replace"), digest_size=8).hexdigest()
            self.people[now.sid] = Person(who)
        self.people[now.sid].note(event, now)

    @property
    def agents(self) -> list[Person]:
        """Its agents in the order in which they came; the exporter's list is without avatars."""
        return [each for each in self._sorted() if each.kind == "agent" and not each.is_avatar]

    @property
    def caller(self) -> list[Person]:
        """Every connection of the first human; empty where there was none."""
        humans = [each for each in self._sorted() if each.is_human]
        return [each for each in humans if each.who == humans[0].who]

    @property
    def agent_name(self) -> str:
        """Of the first agent that spoke, else of the first; "" for none or one without a name."""
        agents = self.agents
        spoke = (each for each in agents if each.spoke)
        first = next(spoke, agents[0] if agents else None)
        return first.agent_name if first else ""

    @property
    def region(self) -> str:
        """Where the caller was connected; "" if the server names no regions."""
        return next((each.region for each in self.caller if each.region), "")

    @property
    def everyone_left(self) -> bool:
        """Whether nobody is known to be there any longer."""
        return bool(self.people) and all(each.gone_at for each in self.people.values())

    @property
    def is_real(self) -> bool:
        """Whether a human was in it, and no probe."""
        return not self.is_probes and any(each.is_human for each in self.people.values())

    @property
    def began_at(self) -> float:
        """When the caller came; there must be one."""
        return self.caller[0].joined_at

    @property
    def duration_s(self) -> float:
        """From the caller's coming to the end: the caller has left, or the last agent."""
        end = min(self._caller_end, self._agents_end, self._room_end)
        return max(0.0, end - self.began_at) if end < math.inf else 0.0

    @property
    def wait_s(self) -> float | None:
        """From the caller's coming to the first voice of an agent; None if that is not known."""
        heard = min((each.spoke_at for each in self._voices if each.spoke_at), default=None)
        if heard is None or heard > self._caller_end:
            return None
        return max(0.0, heard - self.began_at)

    @property
    def was_answered(self) -> bool:
        """Whether the caller was reached: an outbound telephone call may not be picked up."""
        last = self.caller[-1]
        return last.sip_status != "dialing" and last.reason not in _UNANSWERED

    @property
    def was_abandoned(self) -> bool:
        """Whether the caller left before any agent could be heard."""
        unheard = (each.spoke_at or 0.0 for each in self._voices)
        return self.was_answered and all(at > self._caller_end for at in unheard)

    @property
    def ended_by(self) -> EndedBy:
        """Who ended it: the first to leave, unless that was not its will.

        Times are of whole seconds: of two who left in one, the caller was first, because an agent
        leaves at once when its caller has.
        """
        caller = max(self.caller, key=lambda each: each.end)
        agent = max(self.agents, key=lambda each: each.end, default=None)
        leaver = agent if agent and self._agents_end < caller.end < math.inf else caller
        reason = leaver.reason
        if not reason and agent and agent.reason in _FAILURES | _BY_SERVER:
            reason = agent.reason  # that the caller left was not delivered
        if reason in _FAILURES:
            return "failure"
        if reason in _BY_SERVER or (not reason and self.was_deleted):
            return "server"
        return "agent" if leaver is agent else "caller"

    @property
    def transfers(self) -> int:
        """How often an agent left the caller to another agent or person that came after it."""
        return sum(self._was_relieved(agent) for agent in self.agents)

    def _was_relieved(self, agent: Person) -> bool:
        if agent.gone_at is None or agent.reason in _FAILURES or agent.end >= self._caller_end:
            return False
        caller = self.caller[0].who
        return any(
            agent.joined_at < each.joined_at <= agent.end + _SUCCESSOR_WITHIN_S
            and each.end > agent.end
            for each in (*self.agents, *(each for each in self.people.values() if each.is_human))
            if each.who not in (agent.who, caller)
        )

    @property
    def _voices(self) -> list[Person]:
        """Agents that can be heard, and avatars, which speak for them.

        And who spoke and is not known: of a caller one event more is known than of its track.
        """
        return [each for each in self.people.values() if each.kind in _MAY_SERVE and each.spoke]

    @property
    def _caller_end(self) -> float:
        return max(each.end for each in self.caller)

    @property
    def _agents_end(self) -> float:
        """When the last agent left; where a person has taken over, that does not end the call."""
        others = [each for each in self.people.values() if each.is_human]
        if not self.agents or any(each.who != self.caller[0].who for each in others):
            return math.inf
        return max(each.end for each in self.agents)

    @property
    def _room_end(self) -> float:
        return math.inf if self.finished_at is None else self.finished_at

    def _sorted(self) -> list[Person]:
        people = sorted(self.people.items(), key=lambda item: (item[1].joined_at, item[0]))
        return [person for _, person in people]
