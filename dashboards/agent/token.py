"""The caller's token, where the user's own endpoint makes it."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Seconds, Short

from dashboards.agent.series import CALL, CALL_TYPE, CALLS
from dashboards.panels import Card, graph
from dashboards.queries import CALL_STEP, mean, recent, seen, series, total

_SECONDS = "voice_token_seconds"
_NONE = "No target has a token endpoint"


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _seconds(), _failures(), _dangers()


def _seconds() -> Panel:
    card = Card(
        271,
        "Time to the token",
        "Time from the request for the caller's token to its whole answer: a caller waits for it "
        "before anything else. The mean of the window that ends at each point, by call type and "
        f"scenario. From {_SECONDS}. Bad: above a few hundred milliseconds.",
        empty=_NONE,
    )
    query = series(mean(_SECONDS, CALL, CALLS), "{{call_type}} {{scenario}}", CALL_STEP)
    return graph(card, query, unit=Seconds)


def _failures() -> Panel:
    card = Card(
        272,
        "Calls without a token",
        "Calls for which the endpoint gave no token, by call type and reason, in the window that "
        "ends at each point. From voice_token_failures_total. Bad: any, because no caller gets in.",
        empty=_NONE,
    )
    failed = recent(f"voice_token_failures_total{{{CALLS}}}")
    query = series(total(f"{CALL_TYPE}, reason", failed), "{{call_type}}: {{reason}}", CALL_STEP)
    return graph(card, query, unit=Short, is_stacked=True, has_bars=True)


def _dangers() -> Panel:
    card = Card(
        273,
        "Dangerous claims",
        "Claims of the last token that no caller should have, by call type: 1 where it has one. "
        "From voice_token_dangerous_claim. Bad: any, because every caller can use them; "
        "VoiceCallerTokenDangerous reports it.",
        empty="No dangerous claim",
    )
    claims = f"{seen(f'{CALL_TYPE}, claim', f'voice_token_dangerous_claim{{{CALLS}}}')} > 0"
    return graph(card, series(claims, "{{call_type}}: {{claim}}", CALL_STEP), unit=Short)
