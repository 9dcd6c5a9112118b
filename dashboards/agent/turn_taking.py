"""Whether the agent yields, speaks on at short sounds, and waits at pauses."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Seconds, Short

from dashboards.agent.series import CALLS
from dashboards.panels import Card, graph
from dashboards.queries import CALL_STEP, recent, series, total

_BY = "call_type, scenario"
_YIELD = "voice_time_to_yield_seconds"


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    yields = Card(
        261,
        "Time to yield",
        "Mean time from the caller's first sound into the agent's speech to the agent's last, in "
        "the window that ends at each point. From voice_time_to_yield_seconds. Bad: above a "
        "second, or rising. LiveKit's agents wait for half a second of speech by default.",
        empty="No target has a scenario barge_in",
        width=12,
    )
    mean = " / ".join(
        (
            total(_BY, recent(f"{_YIELD}_sum{{{CALLS}}}")),
            f"({total(_BY, recent(f'{_YIELD}_count{{{CALLS}}}'))} > 0)",
        )
    )
    legend = "{{call_type}} {{scenario}}"
    return (
        graph(yields, series(mean, legend, CALL_STEP), unit=Seconds),
        *(
            graph(
                card,
                series(
                    total(f"{_BY}, outcome", recent(f"{name}{{{CALLS}}}")),
                    f"{legend}: {{{{outcome}}}}",
                    CALL_STEP,
                ),
                unit=Short,
                is_stacked=True,
                has_bars=True,
            )
            for card, name in _counts()
        ),
    )


def _counts() -> tuple[tuple[Card, str], ...]:
    """Return the panels of outcomes, each with its counter."""
    return (
        (
            Card(
                262,
                "Interruptions by outcome",
                "Interruptions of the agent in the window that ends at each point. From "
                "voice_interruptions_total. Bad: talked_on, resumed. finished_first: the agent "
                "would have ended anyway; make the answer longer.",
                empty="No target has a scenario barge_in",
                width=12,
            ),
            "voice_interruptions_total",
        ),
        (
            Card(
                263,
                "Answers to interruptions",
                "What the caller interrupted with, by whether it was answered. From "
                "voice_interruption_answers_total. Bad: unanswered.",
                empty="No target has a scenario barge_in",
                width=8,
            ),
            "voice_interruption_answers_total",
        ),
        (
            Card(
                264,
                "Short sounds by outcome",
                "Backchannels and coughs into the agent's speech. From voice_backchannels_total. "
                "Bad: stopped; paused is heard as a gap.",
                empty="No target has a scenario backchannel or cough",
                width=8,
            ),
            "voice_backchannels_total",
        ),
        (
            Card(
                265,
                "Pauses by outcome",
                "Pauses within the caller's utterances. From voice_inner_pauses_total. Bad: "
                "cut_in, the agent speaks before the caller has come to the end.",
                empty="No target has a scenario pause",
                width=8,
            ),
            "voice_inner_pauses_total",
        ),
    )
