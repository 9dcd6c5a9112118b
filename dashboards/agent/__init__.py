"""One agent: what its callers hear, where the time goes, and why calls fail."""

from dashboards.agent import (
    dialogue,
    distribution,
    failures,
    load,
    now,
    prober,
    reaching,
    reconnects,
    sound,
    token,
    turn_taking,
    turns,
    understood,
    usage,
    workers,
)
from dashboards.board import AGENT, Board, Section
from dashboards.variables import CALL_TYPES_OF_ONE, ONE_AGENT, ONE_SERVER, PAGES_OF_ONE


def board() -> Board:
    """Return the dashboard."""
    return Board(
        uid=AGENT,
        title="Voice / Agent",
        text="One agent: response latency, its components, failure reasons",
        variables=(ONE_SERVER, ONE_AGENT, CALL_TYPES_OF_ONE, PAGES_OF_ONE),
        alerts='server=~"$server|", agent_name="$agent_name"',
        sections=(
            Section(100, "Now", now.panels()),
            Section(110, "Calls of type $call_type", turns.panels(), repeat="call_type"),
            Section(140, "Failures", failures.panels()),
            Section(130, "Reaching the agent", reaching.panels()),
            Section(160, "Workers, dispatches and rooms", workers.panels()),
            Section(190, "Understood", understood.panels()),
            Section(260, "Turn-taking", turn_taking.panels()),
            Section(230, "Dialogue", dialogue.panels()),
            Section(170, "Sound", sound.panels()),
            Section(250, "Broken connections", reconnects.panels(), is_folded=True),
            Section(270, "The caller's token", token.panels(), is_folded=True),
            Section(240, "Distribution", distribution.panels(), is_folded=True),
            Section(150, "Error of the prober, and its budget", prober.panels(), is_folded=True),
            Section(400, "Capacity in calls", load.panels(), is_folded=True),
            Section(210, "Usage", usage.panels(), is_folded=True),
        ),
    )
