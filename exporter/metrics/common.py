"""The metrics of all runs, which no probe has for itself."""

from functools import partial

from exporter.outcome import Reason, Verdict
from exporter.series import family

SKIPS = ("overlap", "missed", "window", "budget")
"""Why a run that was due did not start."""
UNWELL = (Verdict.SLOW, Verdict.FAIL, Verdict.UNKNOWN)
"""Verdicts whose runs in a row are counted."""

_of_runs = partial(family, "probes")

ATTEMPTS = _of_runs(
    "voice_probe_attempts_total",
    "counter",
    "probe agent_name",
    "Probe runs that ended, with any result.",
)
FAILURES = _of_runs(
    "voice_probe_failures_total",
    "counter",
    "probe agent_name call_type scenario vantage reason",
    "Probe runs without a complete measurement, by the first failure reason.",
    reason=tuple(Reason),
)
SKIPPED = _of_runs(
    "voice_probe_skipped_total",
    "counter",
    "probe agent_name reason",
    "Scheduled runs that did not start, by reason: overlap, the previous run was still active; "
    "missed, the exporter was too late; window, outside the target's time windows; budget, not "
    "enough of the daily budget was left.",
    reason=SKIPS,
)
LAST_SKIP = _of_runs(
    "voice_probe_last_skip_timestamp_seconds",
    "gauge",
    "probe agent_name reason",
    "Unix time of the last scheduled run that did not start, by reason as in "
    "voice_probe_skipped_total. Absent if there was none.",
    keeps=True,
)
INTERVAL = _of_runs(
    "voice_probe_interval_seconds",
    "gauge",
    "probe agent_name",
    "Configured time between two runs. The shortest interval if an agent has several targets.",
)
SUCCESS = _of_runs(
    "voice_probe_success",
    "gauge",
    "probe agent_name",
    "1 if the last run measured everything, 0 if it did not or if no run has ended yet.",
    from_start=True,
)
DURATION = _of_runs(
    "voice_probe_duration_seconds",
    "gauge",
    "probe agent_name",
    "Duration of the last run. Absent before the first run.",
)
FAILED = _of_runs(
    "voice_probe_last_run_failed",
    "gauge",
    "probe agent_name call_type scenario vantage reason",
    "1, with the first failure reason of the last run. Absent if the last run measured everything, "
    "and before the first run.",
    reason=tuple(Reason),
)
LOOP_LAG = _of_runs(
    "voice_probe_loop_lag_seconds",
    "gauge",
    "probe lane agent_name call_type scenario vantage",
    "Largest lateness of the event loop of the probe's own process while the last run was "
    "connected: what voids turns. Absent where the run did not connect, or its process died.",
)
LAST_RUN = _of_runs(
    "voice_probe_last_run_timestamp_seconds",
    "gauge",
    "probe agent_name",
    "Unix time at which the last run ended, 0 before the first run.",
    from_start=True,
)
LAST_SUCCESS = _of_runs(
    "voice_probe_last_success_timestamp_seconds",
    "gauge",
    "probe agent_name",
    "Unix time at which the last successful run ended, 0 if there was none.",
    from_start=True,
    keeps=True,
)
VERDICT = _of_runs(
    "voice_verdict",
    "gauge",
    "check agent_name call_type scenario vantage verdict",
    "1 for the current verdict (PASS SLOW FAIL UNKNOWN), 0 for the others. Check: latency (the "
    "calls of a target), agents (rooms, dispatches and workers), calibrate, sfu, reach, "
    "reconnect, ramp, agent_load, workers (the worker pages).",
    from_start=True,
    verdict=tuple(Verdict),
)
SINCE = _of_runs(
    "voice_verdict_since_timestamp_seconds",
    "gauge",
    "check agent_name call_type scenario vantage",
    "Unix time since which the current verdict holds: of the first of the runs in a row that had "
    "it, and of the exporter's start before the first run.",
)
STREAK = _of_runs(
    "voice_verdict_streak",
    "gauge",
    "check agent_name call_type scenario vantage verdict",
    "Number of consecutive runs with this verdict (SLOW or FAIL) or a worse one, up to the last "
    "run. UNKNOWN, a fault of the prober, neither counts for them nor ends their streak, and has "
    "a streak of its own.",
    from_start=True,
    verdict=UNWELL,
)

OF_EVERY_PROBE = (
    *(ATTEMPTS, FAILURES, SKIPPED, LAST_SKIP, INTERVAL),
    *(SUCCESS, DURATION, FAILED, LOOP_LAG, LAST_RUN, LAST_SUCCESS),
    *(VERDICT, SINCE, STREAK),
)
"""What every probe has, whatever it measures."""
