"""What calls spend: turns, time and money."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Seconds, Short

from dashboards.exporter.series import ATTEMPT_STEP, SERVERS
from dashboards.panels import Card, graph
from dashboards.queries import hourly, series, total


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _turns(), _call_time(), _cost()


def _turns() -> Panel:
    card = Card(
        131,
        "Turns spent, per hour",
        "Turns of calls per hour, including warm-up turns, over the hour before each "
        "point, of the five agents with most. From voice_budget_spent_total. Bad: a rate that "
        "exceeds the daily budget.",
        empty="No agent is called",
    )
    return _spending(card, "voice_budget_spent_total", Short)


def _call_time() -> Panel:
    card = Card(
        132,
        "Time spent on calls, per hour",
        "Length of calls per hour, which providers bill, over the hour before each point. "
        "From voice_budget_spent_call_seconds_total. Bad: a rate that exceeds the daily budget.",
        empty="No agent is called",
    )
    return _spending(card, "voice_budget_spent_call_seconds_total", Seconds)


def _cost() -> Panel:
    card = Card(
        133,
        "Cost of calls, per hour",
        "Cost of calls at budget.price_per_minute and budget.prices, in the same currency, over "
        "the hour before each point. From voice_budget_cost_total. Bad: more than planned.",
        empty="No price is set: budget.price_per_minute or budget.prices",
    )
    return _spending(card, "voice_budget_cost_total", Short)


def _spending(card: Card, metric: str, unit: str) -> Panel:
    spent = total("server, agent_name", hourly(f"{metric}{{{SERVERS}}}"))
    worst = total("server, agent_name", hourly(f"{metric}{{{SERVERS}}}").replace("]", "] @ end()"))
    most = f"{spent} and on (server, agent_name) topk(5, {worst})"
    query = series(most, "{{agent_name}} ({{server}})", ATTEMPT_STEP)
    return graph(card, query, unit=unit)
