"""The metrics of listings."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from exporter.series import Reading, family

if TYPE_CHECKING:
    from exporter.probes.agents.spec import AgentsConfig

STATES = ("initializing", "idle", "listening", "thinking", "speaking", "unknown")
"""Values of the label `state`; what an agent says beyond them is `unknown`."""
STUCK_STATES = ("initializing", "thinking")
"""States of `lk.agent.state` that an agent in order leaves soon."""
KINDS = ("standard", "agent", "sip", "egress", "ingress", "connector")
"""Values of the label `kind` that are always there; rarer ones from when they were first seen."""

_family = partial(family, "agents and rooms")

AGENTS = _family(
    "voice_agents",
    "gauge",
    "agent_name state",
    "Agents in rooms by the state they report, from the last successful listing. Rooms of probes "
    "do not count.",
    state=STATES,
)
STUCK = _family(
    "voice_agent_stuck",
    "gauge",
    "agent_name state",
    "Agents that have been initializing or thinking for longer than agents.stuck_after.",
    state=STUCK_STATES,
)
PENDING = _family(
    "voice_dispatches_pending",
    "gauge",
    "agent_name",
    "Pending dispatches: no agent has joined the room yet. Those of probes do not count.",
)
OLDEST_PENDING = _family(
    "voice_dispatch_oldest_pending_seconds",
    "gauge",
    "agent_name",
    "Age of the oldest pending dispatch, 0 if there is none.",
)
ALONE = _family(
    "voice_callers_alone",
    "gauge",
    "agent_name",
    "Callers who are the only human in a room without any agent for longer than "
    "agents.alone_after, by the agent that was dispatched or was there before; empty where none is "
    "known. Rooms of probes do not count.",
)
OLDEST_ALONE = _family(
    "voice_caller_alone_oldest_seconds",
    "gauge",
    "agent_name",
    "For how long the one of voice_callers_alone has waited who has waited longest, 0 if there is "
    "none.",
)
WITHOUT_AUDIO = _family(
    "voice_agents_without_audio",
    "gauge",
    "agent_name",
    "Agents in rooms that have not published a microphone track, or have it muted, for longer than "
    "agents.silent_after.",
)
SEVERAL = _family(
    "voice_rooms_with_several_agents",
    "gauge",
    "agent_name",
    "Rooms with more than one agent of that name.",
)
ROOMS = _family(
    "voice_rooms",
    "gauge",
    "",
    "Rooms on the server, without those of probes. Absent before the first listing.",
)
PARTICIPANTS = _family(
    "voice_participants",
    "gauge",
    "kind",
    "Participants on the server, without those in rooms of probes. Absent before the first "
    "listing.",
)
UNCLOSED = _family(
    "voice_rooms_unclosed",
    "gauge",
    "",
    "Rooms without a human for longer than agents.unclosed_after. Absent before the first listing.",
)
OLDEST_UNCLOSED = _family(
    "voice_room_oldest_unclosed_seconds",
    "gauge",
    "",
    "Age of the oldest room in voice_rooms_unclosed, 0 if there is none. Absent before the first "
    "listing.",
)

REQUESTS = _family(
    "voice_listing_requests_total",
    "counter",
    "outcome",
    "Requests to the server API that listings sent: ok, refused (HTTP 429 or 503: too many) or "
    "failed. Those of listings that failed as a whole are not counted.",
    outcome=("ok", "refused", "failed"),
)
ALLOWED = _family(
    "voice_listing_requests_allowed_per_minute",
    "gauge",
    "",
    "agents.requests_per_minute; absent where any number is allowed.",
)
AGE = _family(
    "voice_listing_age_seconds",
    "gauge",
    "",
    "Time since the room was read that was read least recently. It grows while listings fail. "
    "Absent before the first listing.",
)
UNREAD = _family(
    "voice_listing_unread_rooms",
    "gauge",
    "",
    "Rooms that no listing has read yet: agents and callers in them are not counted. Absent before "
    "the first listing.",
)

OF_EACH_AGENT = (
    *(AGENTS, STUCK, PENDING, OLDEST_PENDING),
    *(ALONE, OLDEST_ALONE, WITHOUT_AUDIO, SEVERAL),
)
OF_THE_SERVER = (ROOMS, PARTICIPANTS, UNCLOSED, OLDEST_UNCLOSED)
OF_THE_LISTING = (REQUESTS, ALLOWED, AGE, UNREAD)

FAMILIES = (*OF_EACH_AGENT, *OF_THE_SERVER, *OF_THE_LISTING)


def configured(config: "AgentsConfig") -> Iterator[Reading]:
    """Show how many requests are allowed."""
    if config.requests_per_minute:
        yield ALLOWED.read(config.requests_per_minute)
