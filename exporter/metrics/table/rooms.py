"""What the listing finds on the server: agents, dispatches and rooms."""

from functools import partial

from exporter.metrics.table.row import row

_row = partial(row, "agents and rooms")

ROOMS = (
    _row(
        "voice_agents",
        "gauge",
        "agent_name state",
        "Agents in rooms by what they say they do, as of the last listing that succeeded.",
    ),
    _row(
        "voice_agent_stuck",
        "gauge",
        "agent_name state",
        "Agents that stay in initializing or thinking for longer than agents.stuck_after.",
    ),
    _row(
        "voice_dispatches_pending",
        "gauge",
        "agent_name",
        "Dispatches by name for which no agent came.",
    ),
    _row(
        "voice_dispatch_oldest_pending_seconds",
        "gauge",
        "agent_name",
        "Age of the oldest dispatch for which no agent came; 0 if there is none.",
    ),
    _row(
        "voice_rooms",
        "gauge",
        "",
        "Rooms on the server, those of our own calls included. Absent until listed.",
    ),
    _row(
        "voice_participants",
        "gauge",
        "kind",
        "Participants on the server, those of our own calls included. Absent until listed.",
    ),
    _row(
        "voice_rooms_unclosed",
        "gauge",
        "",
        "Rooms without a human for longer than agents.unclosed_after. Absent until listed.",
    ),
    _row(
        "voice_room_oldest_unclosed_seconds",
        "gauge",
        "",
        "Age of the oldest of these rooms; 0 if there is none. Absent until listed.",
    ),
)
