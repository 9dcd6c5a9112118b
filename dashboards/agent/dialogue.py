"""Whether the agent does what is expected in each step of a dialogue."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Short

from dashboards.agent.series import CALLS
from dashboards.panels import Card, graph
from dashboards.queries import CALL_STEP, recent, series, total

_NONE = "No target has a script"


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    tasks = Card(
        231,
        "Dialogues by outcome",
        "Dialogues in the window that ends at each point. From voice_tasks_total. Bad: missed. "
        "Void: it cannot be told, because the agent does not report it or the prober was late.",
        empty=_NONE,
        width=8,
    )
    expectations = Card(
        232,
        "Expectations by outcome",
        "Expectations of all steps in the window that ends at each point. From "
        "voice_expectations_total. Bad: missed. Those of steps that a failed call did not reach "
        "count as missed.",
        empty=_NONE,
        width=8,
    )
    missed = Card(
        233,
        "Dialogues missed in a row",
        "Dialogues in a row in which the agent missed an expectation. From "
        "voice_expectations_missed_streak. Bad: above 0. The detail of the run names steps and "
        "kinds.",
        empty=_NONE,
        width=8,
    )
    now = f"max by (call_type, scenario) (voice_expectations_missed_streak{{{CALLS}}})"
    return (
        *(
            graph(
                card,
                series(
                    total("call_type, scenario, outcome", recent(f"{name}{{{CALLS}}}")),
                    "{{call_type}} {{scenario}}: {{outcome}}",
                    CALL_STEP,
                ),
                unit=Short,
                is_stacked=True,
                has_bars=True,
            )
            for card, name in (
                (tasks, "voice_tasks_total"),
                (expectations, "voice_expectations_total"),
            )
        ),
        graph(missed, series(now, "{{call_type}} {{scenario}}", CALL_STEP), unit=Short),
    )
