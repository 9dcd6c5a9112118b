"""The workers, who take the jobs: all together, then each by itself."""

from functools import partial

from exporter.metrics.table.row import row

_row = partial(row, "workers")

WORKERS = (
    _row(
        "voice_workers",
        "gauge",
        "agent_name status",
        "Workers that are known, by what they do: idle busy full draining offline.",
    ),
    _row(
        "voice_workers_lost",
        "gauge",
        "agent_name",
        "Offline workers that did not say that they leave: crashed, hung, or cut off. A heartbeat "
        "says so; of a worker without any, silence is all there is.",
    ),
    _row(
        "voice_workers_not_taking_jobs",
        "gauge",
        "agent_name",
        "Idle workers while a dispatch of their agent has waited longer than agents.no_job_after.",
    ),
    _row(
        "voice_worker_pages",
        "gauge",
        "result",
        "Workers' pages that are configured, by result of the last read: answered or failed. "
        "Absent until read.",
    ),
    _row(
        "voice_worker_reports_refused_total",
        "counter",
        "",
        "Reports of workers beyond workers.max_workers, which were refused.",
    ),
    _row(
        "voice_worker_status",
        "gauge",
        "agent_name worker_id status",
        "1 for what the worker does now, 0 for the other statuses.",
    ),
    _row(
        "voice_worker_load_ratio",
        "gauge",
        "agent_name worker_id",
        "Load by which LiveKit balances; 1 is all of the machine. As the next ones absent where "
        "it is not known, and while the worker is offline.",
    ),
    _row(
        "voice_worker_active_jobs",
        "gauge",
        "agent_name worker_id",
        "Jobs that the worker has now.",
    ),
    _row(
        "voice_worker_memory_bytes",
        "gauge",
        "agent_name worker_id",
        "Resident memory of the worker and its job processes, as it reports.",
    ),
    _row(
        "voice_worker_cpu_ratio",
        "gauge",
        "agent_name worker_id",
        "Cores that the worker and its job processes use, as it reports.",
    ),
    _row(
        "voice_worker_last_heartbeat_timestamp_seconds",
        "gauge",
        "agent_name worker_id",
        "When its last heartbeat came, Unix time; absent for a worker that sends none.",
    ),
)
