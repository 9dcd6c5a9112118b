"""Reaching the agent: how long until it is there and speaks, and whether it does."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Seconds

from dashboards.agent.series import CALL, CALLS
from dashboards.panels import Card, graph, timeline
from dashboards.queries import CALL_STEP, mean, series, verdict
from dashboards.values import VERDICTS


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    to_agent = _wait(
        131,
        "Time to agent",
        "voice_time_to_agent_seconds",
        "Time from the dispatch request to the agent joining the room. Bad: seconds (no idle "
        "worker, or cold starts)",
    )
    to_greeting = _wait(
        132,
        "Time to greeting",
        "voice_time_to_greeting_seconds",
        "Time from the caller joining the room to the first sound of the greeting, for agents "
        "that greet. Bad: far above the time to the agent",
    )
    return to_agent, to_greeting, _states()


def _wait(id_: int, title: str, histogram: str, meaning: str) -> Panel:
    card = Card(
        id_,
        title,
        f"{meaning}. The mean of the window that ends at each point, by call type and scenario. "
        f"From {histogram}.",
        empty="No call was answered",
    )
    waited = mean(histogram, CALL, CALLS)
    return graph(card, series(waited, "{{call_type}} {{scenario}}", CALL_STEP), unit=Seconds)


def _states() -> Panel:
    card = Card(
        133,
        "Verdicts over time",
        "The verdict after each call, by call type and scenario. From "
        "voice_verdict. Bad: SLOW and FAIL that last, or that alternate with PASS.",
        empty="Not called",
    )
    words = verdict(CALL, f'{CALLS}, check="latency"')
    return timeline(card, series(words, "{{call_type}} {{scenario}}"), words=VERDICTS)
