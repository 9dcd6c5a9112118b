"""What is on the servers, and what may still be spent today."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Seconds, Short

from dashboards.colors import BAD, GOOD
from dashboards.fleet.series import AGENTS, BY_AGENT, SERVERS, agent_fields
from dashboards.overrides import in_unit
from dashboards.panels import Card, graph
from dashboards.queries import column, lowest, seen, series, total
from dashboards.tables import Field, table
from dashboards.values import steps


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _in_rooms(), _rooms(), _budget()


def _in_rooms() -> Panel:
    card = Card(
        151,
        "Agents in rooms by state",
        "Agents in rooms by the state they report, without those in rooms of probes. "
        "From voice_agents, as of the last listing. Bad: many that stay in initializing or "
        "thinking.",
        empty="No agent is in a room",
    )
    listed = seen(f"{BY_AGENT}, state", f"voice_agents{{{AGENTS}}}")
    agents = series(total("state", listed), "{{state}}")
    return graph(card, agents, unit=Short, is_stacked=True)


def _rooms() -> Panel:
    card = Card(
        152,
        "Rooms and participants",
        "Rooms and participants on the server, without those of probes, and "
        "rooms without a human for longer than agents.unclosed_after, with the age of the oldest. "
        "From voice_rooms, voice_participants, voice_rooms_unclosed and "
        "voice_room_oldest_unclosed_seconds. Bad: unclosed rooms: each may contain an agent "
        "without a caller.",
        empty="Not listed yet",
    )
    oldest = seen("server", f"voice_room_oldest_unclosed_seconds{{{SERVERS}}}")
    return graph(
        card,
        series(seen("server", f"voice_rooms{{{SERVERS}}}"), "rooms ({{server}})"),
        series(seen("server", f"voice_rooms_unclosed{{{SERVERS}}}"), "unclosed ({{server}})"),
        series(seen("server, kind", f"voice_participants{{{SERVERS}}}"), "{{kind}} ({{server}})"),
        series(oldest, "age of the oldest unclosed ({{server}})"),
        unit=Short,
        overrides=[in_unit("^age", Seconds)],
    )


def _budget() -> Panel:
    card = Card(
        153,
        "Budget left today",
        "Turns and call seconds left in today's budget of each agent. From "
        "voice_budget_remaining_turns and voice_budget_remaining_call_seconds. Bad: 0: the agent "
        "is not called until midnight, and its metrics go out of date.",
        empty="No target has a budget",
    )
    fields = [
        *agent_fields(),
        Field("Turns", "turns", colors=steps(BAD, (1, GOOD)), decimals=0, width=70),
        Field("Time", "time", Seconds, steps(BAD, (1, GOOD)), decimals=0, width=80),
    ]
    columns = [
        column("turns", lowest(BY_AGENT, f"voice_budget_remaining_turns{{{AGENTS}}}")),
        column("time", lowest(BY_AGENT, f"voice_budget_remaining_call_seconds{{{AGENTS}}}")),
    ]
    return table(card, columns, fields)
