"""The metrics that no run has: of workers, budgets, leases and the exporter itself."""

from functools import partial

from exporter.series import family

LEASE_LOSSES = ("expired", "taken")
"""How a lease is lost."""

_of_runs = partial(family, "probes")
_of_workers = partial(family, "workers")
_of_exporter = partial(family, "exporter")

BUDGETS = (
    _of_runs(
        "voice_budget_remaining_turns",
        "gauge",
        "agent_name",
        "Turns left in today's budget of calls to the agent, summed over its targets. Only for "
        "agents with budget.turns_per_day.",
    ),
    _of_runs(
        "voice_budget_remaining_call_seconds",
        "gauge",
        "agent_name",
        "Call seconds left in today's budget of calls to the agent, summed over its targets. Only "
        "for agents with budget.call_seconds_per_day.",
    ),
    _of_runs(
        "voice_budget_remaining_tokens",
        "gauge",
        "agent_name",
        "Tokens left in today's budget of calls to the agent, summed over its targets. Only for "
        "agents with budget.tokens_per_day.",
    ),
    _of_runs(
        "voice_budget_spent_total",
        "counter",
        "agent_name",
        "Turns spent in calls, including warm-up turns. A run that was killed counts with all of "
        "its turns.",
    ),
    _of_runs(
        "voice_budget_spent_call_seconds_total",
        "counter",
        "agent_name",
        "Seconds spent in calls. A run that was killed counts with its full length.",
    ),
    _of_runs(
        "voice_budget_cost_total",
        "counter",
        "agent_name",
        "Cost of calls at budget.price_per_minute and budget.prices, in the same currency. Only if "
        "one of them is set. Models without a price cost nothing.",
    ),
)
"""Written by the ledger."""

WORKERS = (
    _of_workers(
        "voice_workers",
        "gauge",
        "agent_name status",
        "Known workers by status: idle busy full draining offline.",
    ),
    _of_workers(
        "voice_workers_lost",
        "gauge",
        "agent_name",
        "Offline workers that did not announce a shutdown: crashed, hung or cut off. Without "
        "heartbeats, every offline worker counts.",
    ),
    _of_workers(
        "voice_workers_not_taking_jobs",
        "gauge",
        "agent_name",
        "Idle workers while a dispatch to their agent has been pending for longer than "
        "agents.no_job_after.",
    ),
    _of_workers(
        "voice_worker_reports_refused_total",
        "counter",
        "",
        "Worker reports refused because workers.max_workers was reached.",
    ),
    _of_workers(
        "voice_worker_status",
        "gauge",
        "agent_name worker_id status",
        "1 for the current status of the worker, 0 for the other statuses.",
    ),
    _of_workers(
        "voice_worker_info",
        "gauge",
        "agent_name worker_id sdk_version version region",
        "Constant 1, with the version of livekit-agents, and the version and region that the "
        "worker's register_worker gives; empty where they are unknown.",
    ),
    _of_workers(
        "voice_worker_load_ratio",
        "gauge",
        "agent_name worker_id",
        "Worker load as used by LiveKit for load balancing, 1 is the whole machine. Absent if it "
        "is unknown or the worker is offline.",
    ),
    _of_workers(
        "voice_worker_active_jobs",
        "gauge",
        "agent_name worker_id",
        "Number of jobs the worker is running. Absent if it is unknown or the worker is offline.",
    ),
    _of_workers(
        "voice_worker_memory_bytes",
        "gauge",
        "agent_name worker_id",
        "Resident memory of the worker and its job processes, as reported by the worker. Absent "
        "if it is unknown or the worker is offline.",
    ),
    _of_workers(
        "voice_worker_cpu_ratio",
        "gauge",
        "agent_name worker_id",
        "CPU cores used by the worker and its job processes, as reported by the worker. Absent if "
        "it is unknown or the worker is offline.",
    ),
    _of_workers(
        "voice_worker_last_heartbeat_timestamp_seconds",
        "gauge",
        "agent_name worker_id",
        "Unix time of the last heartbeat received. Absent for a worker without heartbeats.",
    ),
)
"""Written as the roster changes."""

_OF_LEASES = "probe agent_name call_type scenario vantage"

LEASES = (
    _of_exporter(
        "voice_lease_held",
        "gauge",
        _OF_LEASES,
        "1 if this exporter has the lease of the probe or target and runs it, 0 if not. Summed "
        "over the exporters of a group it is 1. Only where group is set, as all voice_lease_*.",
    ),
    _of_exporter(
        "voice_lease_unheld_intervals",
        "gauge",
        _OF_LEASES,
        "Time since the lease of the probe or target was last seen to be held by any exporter of "
        "the group, as a multiple of the interval; 0 while it is held.",
    ),
    _of_exporter(
        "voice_lease_losses_total",
        "counter",
        "reason",
        "Leases that this exporter lost without giving them back, by reason: expired, they could "
        "not be renewed in time; taken, the store gave them to another exporter or forgot them.",
        reason=LEASE_LOSSES,
    ),
    _of_exporter(
        "voice_lease_results_refused_total",
        "counter",
        "",
        "Runs whose results are not used because their lease ended before them. They are in no "
        "other metric, but their cost is charged to the budget.",
    ),
    _of_exporter(
        "voice_lease_members",
        "gauge",
        "",
        "Exporters of the group that live, as this one sees them; 0 while the store of the leases "
        "is not reached.",
    ),
)
"""Written where exporters share their targets."""

EXPORTER = (
    _of_exporter(
        "voice_slo_objective_ratio",
        "gauge",
        "",
        "Configured objective: the share of turns that must be within their target, 0 to 1.",
    ),
    _of_exporter(
        "voice_exporter_build_info",
        "gauge",
        "version python_version",
        "Constant 1, with the versions as labels.",
    ),
    _of_exporter(
        "voice_exporter_web_info",
        "gauge",
        "url",
        "Constant 1, with the address of the exporter's pages as a browser has it, without a slash "
        "at the end: web.external_url, or else the address that it listens on.",
    ),
    _of_exporter(
        "voice_exporter_config_last_reload_successful",
        "gauge",
        "",
        "1 if the last configuration reload was successful, 0 if the previous configuration is "
        "still in use.",
    ),
    _of_exporter(
        "voice_exporter_config_last_reload_success_timestamp_seconds",
        "gauge",
        "",
        "Unix time of the last successful configuration load.",
    ),
    _of_exporter(
        "voice_exporter_http_requests_refused_total",
        "counter",
        "reason",
        "Requests and connections refused by the exporter's web server, by reason: path token "
        "password not_loopback origin host too_large too_slow connections certificate rate.",
    ),
    _of_exporter(
        "voice_agent_names_capped",
        "gauge",
        "",
        "Agent names found in rooms or reported by workers, and not called, that share the "
        "agent_name `other` because max_agent_names was reached.",
    ),
    _of_exporter(
        "voice_alert_threshold",
        "gauge",
        "alert",
        "Configured threshold of the alert with this name, from the section alerts: seconds, a "
        "ratio from 0 to 1, a multiple, or a number of turns.",
    ),
    _of_exporter(
        "voice_store_up",
        "gauge",
        "backend",
        "1 if the ledger can be read and written, 0 if it is kept in memory: sqlite (on disk) or "
        "redis. Absent if store.enabled is false.",
    ),
    _of_exporter(
        "voice_store_errors_total",
        "counter",
        "operation",
        "Failed ledger operations, including writes dropped during a long outage: open begin end "
        "cancel calibration workers ramp calls evidence prune read, and lost: "
        "Redis had lost its data.",
    ),
    _of_exporter(
        "voice_evidence_calls",
        "gauge",
        "",
        "Calls that are kept to be seen and heard. Absent if store.enabled is false.",
    ),
    _of_exporter(
        "voice_evidence_bytes",
        "gauge",
        "",
        "Space on disk of all kept calls. Absent if store.enabled is false.",
    ),
    _of_exporter(
        "voice_evidence_lost_total",
        "counter",
        "reason",
        "Calls that could not be kept, by reason: disk_full not_writable too_slow other. Their "
        "measurements are not affected.",
    ),
    _of_exporter(
        "voice_pool_slots",
        "gauge",
        "lane",
        "Runs that may be under way at the same time, each in a process of its own, by lane: call "
        "(calls and tests of the server that take long) or api (questions to the server API).",
    ),
    _of_exporter(
        "voice_pool_busy",
        "gauge",
        "lane",
        "Slots in use, or kept from other runs by one that runs alone.",
    ),
    _of_exporter(
        "voice_pool_queue_runs",
        "gauge",
        "lane",
        "Runs that are due and wait for a slot.",
    ),
    _of_exporter(
        "voice_pool_wait_seconds",
        "histogram",
        "lane",
        "How long runs waited for their slot. Runs that were given up during the wait are not in "
        "it.",
        buckets=(0.1, 1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0),
    ),
    _of_exporter(
        "voice_pool_crashes_total",
        "counter",
        "lane",
        "Probe processes that died during a run, or had to be killed or replaced.",
    ),
    _of_exporter(
        "voice_exporter_loop_lag_seconds",
        "gauge",
        "",
        "Largest lag of the exporter's event loop in the last 15 seconds.",
    ),
)
