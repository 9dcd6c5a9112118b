"""Calls whose connection was broken on purpose."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Seconds, Short

from dashboards.agent.series import CALL_TYPE, CALLS
from dashboards.panels import Card, graph
from dashboards.queries import RARE_STEP, mean, recent, series, total

_SECONDS = "voice_call_reconnect_seconds"
BROKEN = (
    "signal, the signalling WebSocket; full, signalling and media; migration, the server gave the "
    "participant up; silence, no packet passed"
)
_NONE = "No scenario breaks the connection of a call"


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _seconds(), _outcomes()


def _seconds() -> Panel:
    card = Card(
        251,
        "Time until a broken call is back",
        "How long a test call was cut off after its connection was broken on purpose: until it is "
        "connected again, or hears the agent again. Mean of those that came back, by call type and "
        f"by what broke: {BROKEN}. From {_SECONDS}. Bad: above what your callers wait for before "
        "they hang up.",
        empty=_NONE,
        width=12,
    )
    by = f"{CALL_TYPE}, scenario, kind"
    query = series(mean(_SECONDS, by, CALLS), "{{call_type}} {{scenario}} {{kind}}", RARE_STEP)
    return graph(card, query, unit=Seconds)


def _outcomes() -> Panel:
    card = Card(
        252,
        "Next turn after a break",
        "Test calls whose connection was broken on purpose, in the window that ends at each point, "
        "by call type, by what broke and by outcome: recovered, the next turn was answered; lost, "
        "not back or no answer; void, no turn tells. From voice_call_reconnects_total. Bad: any "
        "lost.",
        empty=_NONE,
        width=12,
    )
    broken = total(f"{CALL_TYPE}, kind, outcome", recent(f"voice_call_reconnects_total{{{CALLS}}}"))
    query = series(broken, "{{call_type}} {{kind}}: {{outcome}}", RARE_STEP)
    return graph(card, query, unit=Short, is_stacked=True, has_bars=True)
