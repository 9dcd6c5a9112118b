"""Every agent at a glance: which of them needs a look, and why."""

from dashboards.board import FLEET, Board, Section
from dashboards.fleet import agents, latency, network, now, rooms, verdicts, workers
from dashboards.variables import AGENTS, CALL_TYPES, SERVER


def board() -> Board:
    """Return the dashboard."""
    return Board(
        uid=FLEET,
        title="Voice / Fleet",
        text="Every agent's verdict and its cause, latency against its target, workers and budget",
        variables=(SERVER, AGENTS, CALL_TYPES),
        alerts='server=~"$server|", agent_name=~"$agent_name|"',
        sections=(
            Section(100, "Now", now.panels()),
            Section(110, "Agents", agents.panels()),
            Section(120, "Alerts and verdicts", verdicts.panels()),
            Section(160, "Servers and the way to them", network.panels()),
            Section(130, "Latency against target", latency.panels()),
            Section(140, "Workers and dispatches", workers.panels(), is_folded=True),
            Section(150, "Rooms and budget", rooms.panels(), is_folded=True),
        ),
    )
