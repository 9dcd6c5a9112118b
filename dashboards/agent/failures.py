"""Why calls fail, or do not start."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Short

from dashboards.agent.series import CALLS, THE_AGENT
from dashboards.panels import Card, graph
from dashboards.queries import CALL_STEP, recent, series, total


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    reasons = Card(
        141,
        "Failed runs by reason",
        "Calls without a complete measurement, by the first failure reason, each in one "
        "bar. From voice_probe_failures_total. Bad: any. no_worker, join_timeout "
        "and dispatch_failed point to the workers; no_reply and agent_error to the agent; "
        "connect_failed to the server; void and deadline to the prober's host.",
        empty="The agent was not called",
        width=12,
    )
    runs = Card(
        142,
        "Runs and skipped runs",
        "Calls that ended, including failed calls, and scheduled calls that did not start, in the "
        "window that ends at each point. From voice_probe_attempts_total and "
        "voice_probe_skipped_total. Bad: overlap (calls take longer than their interval), missed "
        "(the exporter is overloaded) and budget.",
        empty="The agent was not called",
        width=12,
    )
    agents = Card(
        143,
        "Agents in the call",
        "Agents of this name that the caller heard at once in the last call. From "
        "voice_call_agents. Bad: more than 1. The agent was dispatched twice, and callers hear "
        "both.",
        empty="No turn was taken",
        width=12,
    )
    silent = Card(
        144,
        "Turns without a reply by stage",
        "Turns that stayed silent, by the first stage that did not happen, in the window that ends "
        "at each point. From voice_silent_turns_total. Bad: any. not_heard: the agent's audio "
        "input; not_transcribed: its speech recognition; turn_not_ended: its end-of-turn "
        "detection; no_answer: its model, tools or code; not_spoken: its speech synthesis.",
        empty="Every turn had a reply",
        width=12,
    )
    broke = total("call_type, stage", recent(f"voice_silent_turns_total{{{CALLS}}}")) + " > 0"
    heard = f"max by (call_type, scenario) (voice_call_agents{{{CALLS}}})"
    failures = total("reason", recent(f"voice_probe_failures_total{{{THE_AGENT}}}")) + " > 0"
    skipped = total("reason", recent(f"voice_probe_skipped_total{{{THE_AGENT}}}"))
    attempts = total("probe", recent(f"voice_probe_attempts_total{{{THE_AGENT}}}"))
    return (
        graph(
            reasons,
            series(failures, "{{reason}}", CALL_STEP),
            unit=Short,
            is_stacked=True,
            has_bars=True,
        ),
        graph(
            silent,
            series(broke, "{{call_type}}: {{stage}}", CALL_STEP),
            unit=Short,
            is_stacked=True,
            has_bars=True,
        ),
        graph(
            runs,
            series(attempts, "ended", CALL_STEP),
            series(skipped, "skipped: {{reason}}", CALL_STEP),
            unit=Short,
        ),
        graph(agents, series(heard, "{{call_type}} {{scenario}}", CALL_STEP), unit=Short),
    )
