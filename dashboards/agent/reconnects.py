"""Calls whose connection was broken on purpose."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Seconds, Short

from dashboards.agent.series import CALL_TYPE, CALLS
from dashboards.panels import Card, graph
from dashboards.queries import RARE_STEP, mean, recent, series, total

_SECONDS = "voice_call_reconnect_seconds"
_NONE = "No scenario breaks the connection of a call"


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _seconds(), _outcomes()


def _seconds() -> Panel:
    card = Card(
        251,
        "Time to reconnect in a call",
        "Time from breaking the connection of a test call to the SDK reporting it as reconnected; "
        "of a silence, to the agent's next media. Mean of those that came back, by call type and "
        f"kind: signal, full, migration, silence. From {_SECONDS}. Bad: above what your callers "
        "wait for before they hang up.",
        empty=_NONE,
        width=12,
    )
    by = f"{CALL_TYPE}, scenario, kind"
    query = series(mean(_SECONDS, by, CALLS), "{{call_type}} {{scenario}} {{kind}}", RARE_STEP)
    return graph(card, query, unit=Seconds)


def _outcomes() -> Panel:
    card = Card(
        252,
        "Calls after a break",
        "Connections of test calls that were broken, by call type, kind and outcome, in "
        "the window that ends at each point: recovered, the next turn "
        "was answered; lost; void, no turn tells. From "
        "voice_call_reconnects_total. Bad: any lost.",
        empty=_NONE,
        width=12,
    )
    broken = total(f"{CALL_TYPE}, kind, outcome", recent(f"voice_call_reconnects_total{{{CALLS}}}"))
    query = series(broken, "{{call_type}} {{kind}}: {{outcome}}", RARE_STEP)
    return graph(card, query, unit=Short, is_stacked=True, has_bars=True)
