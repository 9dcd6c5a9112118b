"""The agent's turns, of one call type: how long callers waited, and for what."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Seconds, Short

from dashboards.agent.series import (
    CALL,
    CALL_TYPE,
    CALLS,
    E2E,
    TARGET,
    THE_SERVER,
    TURNS,
    last_call,
)
from dashboards.overrides import counted, dashed
from dashboards.panels import Card, graph
from dashboards.queries import CALL_STEP, mean, recent, series, total

_REPORTED = "voice_reported_e2e_latency_seconds"
_COMPONENTS = "voice_component_latency_seconds"


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _waterfall(), _last_call(), _outcomes(), _observed_reported()


def _waterfall() -> Panel:
    card = Card(
        112,
        "Where the time goes",
        "Mean of each component, stacked in the order in which they happen, with transport "
        "(network, jitter buffers, and time that the agent reports in no component) on top. The "
        "line is the mean end-to-end latency. From voice_component_latency_seconds as reported by "
        "the agent. Bad: a component that grows. The stack is lower than the line if some turns "
        "were not reported, and higher if components overlap. Left out (right axis): components "
        "that the agent reported as longer than the whole turn, from "
        "voice_component_implausible_total.",
        empty="The agent reports no components",
        width=12,
        height=9,
    )
    parts = (
        *("transcription", "end_of_turn", "on_user_turn_completed", "llm", "tools"),
        *("first_sentence", "tts", "transport"),
    )
    queries = [
        series(
            mean(_COMPONENTS, CALL_TYPE, f'{CALLS}, component="{part}", source="probe"'),
            part,
            CALL_STEP,
        )
        for part in parts
    ]
    queries.append(series(mean(E2E, CALL_TYPE, CALLS), "end to end", CALL_STEP))
    left_out = total(CALL_TYPE, recent(f"voice_component_implausible_total{{{CALLS}}}"))
    queries.append(series(f"{left_out} > 0", "left out", CALL_STEP))
    shown = [dashed("^end to end$", "text"), counted("^left out$")]
    return graph(card, *queries, unit=Seconds, is_stacked=True, overrides=shown)


def _last_call() -> Panel:
    card = Card(
        113,
        "Last call against the target",
        "Mean latency of the last call of each scenario, and the target; the mean behind a filler, "
        "of the turns that had one. A gap: the call failed. From voice_last_call_latency_seconds, "
        "voice_target_latency_seconds and voice_time_to_answer_seconds. Bad: above the dashed "
        "line: the verdict is SLOW.",
        empty="No turn was measured",
        width=12,
        height=9,
    )
    return graph(
        card,
        series(last_call(CALL), "{{scenario}}"),
        series(
            mean("voice_time_to_answer_seconds", CALL_TYPE, CALLS), "behind a filler", CALL_STEP
        ),
        series(TARGET, "target"),
        unit=Seconds,
        overrides=[dashed("^target$")],
    )


def _observed_reported() -> Panel:
    card = Card(
        114,
        "Observed against reported",
        "Mean latency as heard by the caller, as reported by the agent for the same turns, and "
        "the difference: uplink, jitter buffers, codec and downlink, which the agent cannot see. "
        "From voice_e2e_latency_seconds and voice_reported_e2e_latency_seconds. Bad: a difference "
        "above the dashed line, or one that grows: the network, or a report that omits something.",
        empty="No turn was measured",
        width=12,
        height=9,
    )
    observed, reported = mean(E2E, CALL_TYPE, CALLS), mean(_REPORTED, CALL_TYPE, CALLS)
    limit = f'max(voice_alert_threshold{{{THE_SERVER}, alert="VoiceLatencyDisagrees"}})'
    return graph(
        card,
        series(observed, "observed", CALL_STEP),
        series(reported, "reported", CALL_STEP),
        series(f"{observed} - {reported}", "difference", CALL_STEP),
        series(limit, "largest difference without an alert"),
        unit=Seconds,
        overrides=[dashed("^largest")],
    )


def _outcomes() -> Panel:
    card = Card(
        115,
        "Turns by outcome",
        "Planned turns, each in one bar. From voice_turns_total: replied; "
        "failed, without a reply; void, the prober was late, which is no evidence about the "
        "agent. Bad: failed turns; many void turns mean that the prober's host is overloaded.",
        empty="The agent was not called",
        width=12,
        height=9,
    )
    turns = total(f"{CALL_TYPE}, outcome", recent(TURNS))
    return graph(
        card, series(turns, "{{outcome}}", CALL_STEP), unit=Short, is_stacked=True, has_bars=True
    )
