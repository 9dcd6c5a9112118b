"""The metrics that no probe has for itself: of all runs, of workers, of the exporter."""

from functools import partial

from exporter.outcome import Reason, Verdict
from exporter.series import family

SKIPS = ("overlap", "missed", "window", "budget")
"""Why a run that was due did not start."""
UNWELL = (Verdict.SLOW, Verdict.FAIL, Verdict.UNKNOWN)
"""Verdicts whose runs in a row are counted."""

_of_runs = partial(family, "probes")
_of_workers = partial(family, "workers")
_of_exporter = partial(family, "exporter")

ATTEMPTS = _of_runs(
    "voice_probe_attempts_total",
    "counter",
    "probe agent_name",
    "Runs of a probe that came to an end, however they ended.",
)
FAILURES = _of_runs(
    "voice_probe_failures_total",
    "counter",
    "probe agent_name reason",
    "Runs that did not measure all that they set out to measure, by the first reason.",
    reason=tuple(Reason),
)
SKIPPED = _of_runs(
    "voice_probe_skipped_total",
    "counter",
    "probe agent_name reason",
    "Runs that were due and did not start: overlap, the one before still ran; missed, the "
    "exporter was too late; window, it was outside of the target's windows; budget, less was "
    "left than the run may cost.",
    reason=SKIPS,
)
LAST_SKIP = _of_runs(
    "voice_probe_last_skip_timestamp_seconds",
    "gauge",
    "probe agent_name reason",
    "When a run that was due last did not start, by the reasons of voice_probe_skipped_total, "
    "Unix time. Absent until that happened.",
    keeps=True,
)
INTERVAL = _of_runs(
    "voice_probe_interval_seconds",
    "gauge",
    "probe agent_name",
    "The configured time between two runs; the shortest of an agent's targets.",
)
SUCCESS = _of_runs(
    "voice_probe_success",
    "gauge",
    "probe agent_name",
    "1 if the last run measured all that it set out to measure; 0 if not, or if none ended.",
    from_start=True,
)
DURATION = _of_runs(
    "voice_probe_duration_seconds",
    "gauge",
    "probe agent_name",
    "How long the last run took. Absent until one ended.",
)
LOOP_LAG = _of_runs(
    "voice_probe_loop_lag_seconds",
    "gauge",
    "probe agent_name",
    "Largest lateness of the event loop of the probe's own process while the last run was "
    "connected: what voids turns. Absent where the run did not connect, or its process died.",
)
LAST_RUN = _of_runs(
    "voice_probe_last_run_timestamp_seconds",
    "gauge",
    "probe agent_name",
    "When the last run ended, Unix time; 0 if none has.",
    from_start=True,
)
LAST_SUCCESS = _of_runs(
    "voice_probe_last_success_timestamp_seconds",
    "gauge",
    "probe agent_name",
    "When a run last ended in success, Unix time; 0 if none has.",
    from_start=True,
    keeps=True,
)
VERDICT = _of_runs(
    "voice_verdict",
    "gauge",
    "check agent_name verdict",
    "1 for the verdict that holds (PASS SLOW FAIL UNKNOWN), 0 for the others. Check: latency, "
    "the worst of the agent's targets; agents, the listing; calibrate; sfu; "
    "reach; reconnect; ramp; workers, their pages.",
    from_start=True,
    verdict=tuple(Verdict),
)
STREAK = _of_runs(
    "voice_verdict_streak",
    "gauge",
    "check agent_name verdict",
    "How many of the latest runs in a row had this verdict or a worse one, for SLOW and FAIL; "
    "UNKNOWN, the prober's own fault, neither counts there nor breaks a row, and has a row of its "
    "own. Latency: the longest of the agent's targets.",
    from_start=True,
    verdict=UNWELL,
)

OF_EVERY_PROBE = (
    *(ATTEMPTS, FAILURES, SKIPPED, LAST_SKIP, INTERVAL),
    *(SUCCESS, DURATION, LOOP_LAG, LAST_RUN, LAST_SUCCESS, VERDICT, STREAK),
)
"""What every probe has, whatever it measures."""

BUDGETS = (
    _of_runs(
        "voice_budget_remaining_turns",
        "gauge",
        "agent_name",
        "Turns that calls to the agent may still have today; its targets are summed. Only of "
        "agents with budget.turns_per_day.",
    ),
    _of_runs(
        "voice_budget_remaining_call_seconds",
        "gauge",
        "agent_name",
        "Seconds that calls to the agent may still take today; its targets are summed. Only of "
        "agents with budget.call_seconds_per_day.",
    ),
    _of_runs(
        "voice_budget_spent_total",
        "counter",
        "agent_name",
        "Turns that calls had, warm-up turns as well; runs that were killed count in full.",
    ),
    _of_runs(
        "voice_budget_spent_call_seconds_total",
        "counter",
        "agent_name",
        "How long calls took; runs that were killed count in full.",
    ),
    _of_runs(
        "voice_budget_cost_total",
        "counter",
        "agent_name",
        "What calls cost by budget.price_per_minute, in its currency. Only where it is set.",
    ),
)
"""Written by the ledger."""

WORKERS = (
    _of_workers(
        "voice_workers",
        "gauge",
        "agent_name status",
        "Workers that are known, by what they do: idle busy full draining offline.",
    ),
    _of_workers(
        "voice_workers_lost",
        "gauge",
        "agent_name",
        "Offline workers that did not say that they leave: crashed, hung, or cut off. A heartbeat "
        "says so; of a worker without any, silence is all there is.",
    ),
    _of_workers(
        "voice_workers_not_taking_jobs",
        "gauge",
        "agent_name",
        "Idle workers while a dispatch of their agent has waited longer than agents.no_job_after.",
    ),
    _of_workers(
        "voice_worker_reports_refused_total",
        "counter",
        "",
        "Reports of workers beyond workers.max_workers, which were refused.",
    ),
    _of_workers(
        "voice_worker_status",
        "gauge",
        "agent_name worker_id status",
        "1 for what the worker does now, 0 for the other statuses.",
    ),
    _of_workers(
        "voice_worker_load_ratio",
        "gauge",
        "agent_name worker_id",
        "Load by which LiveKit balances; 1 is all of the machine. As the next ones absent where "
        "it is not known, and while the worker is offline.",
    ),
    _of_workers(
        "voice_worker_active_jobs",
        "gauge",
        "agent_name worker_id",
        "Jobs that the worker has now.",
    ),
    _of_workers(
        "voice_worker_memory_bytes",
        "gauge",
        "agent_name worker_id",
        "Resident memory of the worker and its job processes, as it reports.",
    ),
    _of_workers(
        "voice_worker_cpu_ratio",
        "gauge",
        "agent_name worker_id",
        "Cores that the worker and its job processes use, as it reports.",
    ),
    _of_workers(
        "voice_worker_last_heartbeat_timestamp_seconds",
        "gauge",
        "agent_name worker_id",
        "When its last heartbeat came, Unix time; absent for a worker that sends none.",
    ),
)
"""Written as the roster changes."""

EXPORTER = (
    _of_exporter(
        "voice_slo_objective_ratio",
        "gauge",
        "",
        "The configured objective: share of turns that are to be within their target, 0 to 1.",
    ),
    _of_exporter(
        "voice_exporter_build_info",
        "gauge",
        "version python_version",
        "1, with the versions as labels.",
    ),
    _of_exporter(
        "voice_exporter_config_last_reload_successful",
        "gauge",
        "",
        "1 if the configuration was good when it was last read, 0 if the one before is still used.",
    ),
    _of_exporter(
        "voice_exporter_config_last_reload_success_timestamp_seconds",
        "gauge",
        "",
        "When a good configuration was last read, Unix time.",
    ),
    _of_exporter(
        "voice_exporter_http_requests_refused_total",
        "counter",
        "reason",
        "Requests and connections that the exporter's own web server turned away: path token "
        "password not_loopback origin host too_large too_slow connections certificate rate.",
    ),
    _of_exporter(
        "voice_alert_threshold",
        "gauge",
        "alert",
        "What the alert of that name compares with, as configured under alerts: seconds, a ratio "
        "of 0 to 1, or a number of turns.",
    ),
    _of_exporter(
        "voice_store_up",
        "gauge",
        "",
        "1 if the ledger on disk works; 0 while it is kept in memory. Absent if store.enabled is "
        "false.",
    ),
    _of_exporter(
        "voice_store_errors_total",
        "counter",
        "operation",
        "Operations on the ledger that failed, and writes dropped after a long outage: open begin "
        "end cancel calibration workers prune read.",
    ),
    _of_exporter(
        "voice_exporter_loop_lag_seconds",
        "gauge",
        "",
        "Largest lateness of the exporter's own event loop in the last 15 seconds.",
    ),
)
