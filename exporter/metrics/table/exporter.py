"""The exporter itself: its configuration, web server, ledger and event loop."""

from functools import partial

from exporter.metrics.table.row import row

_row = partial(row, "exporter")

EXPORTER = (
    _row(
        "voice_exporter_build_info",
        "gauge",
        "version python_version",
        "1, with the versions as labels.",
    ),
    _row(
        "voice_exporter_config_last_reload_successful",
        "gauge",
        "",
        "1 if the configuration was good when it was last read, 0 if the one before is still used.",
    ),
    _row(
        "voice_exporter_config_last_reload_success_timestamp_seconds",
        "gauge",
        "",
        "When a good configuration was last read, Unix time.",
    ),
    _row(
        "voice_exporter_http_requests_refused_total",
        "counter",
        "reason",
        "Requests and connections that the exporter's own web server turned away: path token "
        "password not_loopback origin host too_large too_slow connections certificate rate.",
    ),
    _row(
        "voice_alert_threshold",
        "gauge",
        "alert",
        "What the alert of that name compares with, as configured under alerts: seconds, a ratio "
        "of 0 to 1, or a number of turns.",
    ),
    _row(
        "voice_store_up",
        "gauge",
        "",
        "1 if the ledger on disk works; 0 while it is kept in memory. Absent if store.enabled is "
        "false.",
    ),
    _row(
        "voice_store_errors_total",
        "counter",
        "operation",
        "Operations on the ledger that failed, and writes dropped after a long outage: open begin "
        "end cancel calibration workers prune read.",
    ),
    _row(
        "voice_exporter_loop_lag_seconds",
        "gauge",
        "",
        "Largest lateness of the exporter's own event loop in the last 15 seconds.",
    ),
)
