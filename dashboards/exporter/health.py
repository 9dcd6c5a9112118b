"""What may be wrong with the exporter: loop, configuration, ledger, requests, pages."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Seconds, Short

from dashboards.exporter.series import SERVERS
from dashboards.panels import Card, graph
from dashboards.queries import recent, series, total


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _lag(), _reloads(), _store(), _refusals(), _pages()


def _lag() -> Panel:
    card = Card(
        141,
        "Lag of the event loop",
        "Largest lateness of the exporter's own event loop in 15 seconds, and of the processes of "
        "its probes in their last runs. From voice_exporter_loop_lag_seconds and "
        "voice_probe_loop_lag_seconds. Bad: above the line for long: the host is overloaded. At an "
        "end of a turn 0.02 s of a probe's process void it.",
        empty="No exporter is scraped",
    )
    lag = f"max by (server, instance) (voice_exporter_loop_lag_seconds{{{SERVERS}}})"
    probes = f"max by (server, instance, probe) (voice_probe_loop_lag_seconds{{{SERVERS}}})"
    return graph(
        card,
        series(lag, "{{instance}} ({{server}})"),
        series(probes, "{{probe}} of {{instance}} ({{server}})"),
        unit=Seconds,
        limit=0.1,
    )


def _reloads() -> Panel:
    card = Card(
        142,
        "Age of the configuration",
        "How long ago a good configuration was last read: at the start, and by each reload. From "
        "voice_exporter_config_last_reload_success_timestamp_seconds. Bad: no fall after you "
        "changed the file.",
        empty="No exporter is scraped",
    )
    read = f"voice_exporter_config_last_reload_success_timestamp_seconds{{{SERVERS}}}"
    age = f"time() - max by (server, instance) ({read})"
    return graph(card, series(age, "{{instance}} ({{server}})"), unit=Seconds)


def _store() -> Panel:
    card = Card(
        143,
        "Errors of the ledger",
        "Operations on the ledger that failed in the window that ends there, by operation. From "
        "voice_store_errors_total. Bad: any: a full or read-only disk.",
        empty="store.enabled is false",
    )
    errors = total("server, operation", recent(f"voice_store_errors_total{{{SERVERS}}}"))
    query = series(errors, "{{operation}} ({{server}})")
    return graph(card, query, unit=Short, is_stacked=True, has_bars=True)


def _refusals() -> Panel:
    card = Card(
        144,
        "Requests that were refused",
        "What the exporter's web server turned away in the window that ends there, by reason, and "
        "reports of workers beyond workers.max_workers. From "
        "voice_exporter_http_requests_refused_total and voice_worker_reports_refused_total. Bad: "
        "token or password (someone guesses), connections or rate (someone floods).",
        empty="No exporter is scraped",
        width=12,
    )
    by_reason = recent(f"voice_exporter_http_requests_refused_total{{{SERVERS}}}")
    reports = recent(f"voice_worker_reports_refused_total{{{SERVERS}}}")
    return graph(
        card,
        series(total("server, reason", by_reason), "{{reason}} ({{server}})"),
        series(total("server", reports), "worker reports ({{server}})"),
        unit=Short,
        is_stacked=True,
        has_bars=True,
    )


def _pages() -> Panel:
    card = Card(
        145,
        "Pages of workers",
        "Workers' own pages that are configured, by the result of the last read. From "
        "voice_worker_pages. Bad: failed ones: the worker is gone, or its port is not reachable.",
        empty="No pages are configured: workers.scrape",
        width=12,
    )
    pages = f"max by (server, result) (voice_worker_pages{{{SERVERS}}})"
    return graph(card, series(pages, "{{result}} ({{server}})"), unit=Short, is_stacked=True)
