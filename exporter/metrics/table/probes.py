"""How the runs of every probe went: successes, skips, budgets and verdicts."""

from functools import partial

from exporter.metrics.table.row import row

_row = partial(row, "probes")

PROBES = (
    _row(
        "voice_probe_attempts_total",
        "counter",
        "probe agent_name",
        "Runs of a probe that came to an end, however they ended.",
    ),
    _row(
        "voice_probe_failures_total",
        "counter",
        "probe agent_name reason",
        "Runs that did not measure all that they set out to measure, by the first reason.",
    ),
    _row(
        "voice_probe_skipped_total",
        "counter",
        "probe agent_name reason",
        "Runs that were due and did not start: overlap, the one before still ran; missed, the "
        "exporter was too late; window, it was outside of the target's windows; budget, less was "
        "left than the run may cost.",
    ),
    _row(
        "voice_probe_last_skip_timestamp_seconds",
        "gauge",
        "probe agent_name reason",
        "When a run that was due last did not start, by the reasons of voice_probe_skipped_total, "
        "Unix time. Absent until that happened.",
    ),
    _row(
        "voice_probe_interval_seconds",
        "gauge",
        "probe agent_name",
        "The configured time between two runs; the shortest of an agent's targets.",
    ),
    _row(
        "voice_budget_remaining_turns",
        "gauge",
        "agent_name",
        "Turns that calls to the agent may still have today; its targets are summed. Only of "
        "agents with budget.turns_per_day.",
    ),
    _row(
        "voice_budget_remaining_call_seconds",
        "gauge",
        "agent_name",
        "Seconds that calls to the agent may still take today; its targets are summed. Only of "
        "agents with budget.call_seconds_per_day.",
    ),
    _row(
        "voice_budget_spent_total",
        "counter",
        "agent_name",
        "Turns that calls had, warm-up turns as well; runs that were killed count in full.",
    ),
    _row(
        "voice_budget_spent_call_seconds_total",
        "counter",
        "agent_name",
        "How long calls took; runs that were killed count in full.",
    ),
    _row(
        "voice_budget_cost_total",
        "counter",
        "agent_name",
        "What calls cost by budget.price_per_minute, in its currency. Only where it is set.",
    ),
    _row(
        "voice_probe_success",
        "gauge",
        "probe agent_name",
        "1 if the last run measured all that it set out to measure; 0 if not, or if none ended.",
    ),
    _row(
        "voice_probe_duration_seconds",
        "gauge",
        "probe agent_name",
        "How long the last run took. Absent until one ended.",
    ),
    _row(
        "voice_probe_last_run_timestamp_seconds",
        "gauge",
        "probe agent_name",
        "When the last run ended, Unix time; 0 if none has.",
    ),
    _row(
        "voice_probe_last_success_timestamp_seconds",
        "gauge",
        "probe agent_name",
        "When a run last ended in success, Unix time; 0 if none has.",
    ),
    _row(
        "voice_verdict",
        "gauge",
        "check agent_name verdict",
        "1 for the verdict that holds (PASS SLOW FAIL UNKNOWN), 0 for the others. Check: latency, "
        "the worst of the agent's targets; agents, the listing; calibrate; sfu; "
        "reach; reconnect; ramp; workers, their pages.",
    ),
    _row(
        "voice_verdict_streak",
        "gauge",
        "check agent_name verdict",
        "How many of the latest runs in a row had this verdict or a worse one, for SLOW and FAIL; "
        "UNKNOWN neither counts nor breaks a row. Latency: the longest of the agent's targets.",
    ),
)
