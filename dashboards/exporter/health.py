"""What may be wrong with the exporter: loop, configuration, ledger, requests, pages."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import BytesIEC, Seconds, Short

from dashboards.exporter.series import SERVERS
from dashboards.panels import Card, graph
from dashboards.queries import recent, series, total


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _lag(), _reloads(), _store(), _refusals(), _pages(), _kept(), _size(), _lost()


def _lag() -> Panel:
    card = Card(
        141,
        "Lag of the event loop",
        "Largest lag of the exporter's event loop in 15 seconds, and of the probe processes in "
        "their last runs. From voice_exporter_loop_lag_seconds and voice_probe_loop_lag_seconds. "
        "Bad: above the line for long: the host is overloaded. A lag of 0.02 s in a probe process "
        "at an end of a turn makes the turn void.",
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
        "Time since a valid configuration was loaded, at the start or by a reload. From "
        "voice_exporter_config_last_reload_success_timestamp_seconds. Bad: no drop to 0 after the "
        "file was changed.",
        empty="No exporter is scraped",
    )
    read = f"voice_exporter_config_last_reload_success_timestamp_seconds{{{SERVERS}}}"
    age = f"time() - max by (server, instance) ({read})"
    return graph(card, series(age, "{{instance}} ({{server}})"), unit=Seconds)


def _store() -> Panel:
    card = Card(
        143,
        "Errors of the ledger",
        "Ledger operations that failed in the window that ends at each point, by operation. From "
        "voice_store_errors_total. Bad: any: a full or read-only disk.",
        empty="store.enabled is false",
    )
    errors = total("server, operation", recent(f"voice_store_errors_total{{{SERVERS}}}"))
    query = series(errors, "{{operation}} ({{server}})")
    return graph(card, query, unit=Short, is_stacked=True, has_bars=True)


def _refusals() -> Panel:
    card = Card(
        144,
        "Refused requests",
        "Requests refused by the exporter's web server in the window that ends at each point, by "
        "reason, worker reports beyond workers.max_workers, and agent names beyond "
        "max_agent_names now. From voice_exporter_http_requests_refused_total, "
        "voice_worker_reports_refused_total and voice_agent_names_capped. Bad: token or password "
        "(someone guesses), connections or rate (too many requests), agent names (workers name "
        "their agents anew for each call).",
        empty="No exporter is scraped",
        width=12,
    )
    by_reason = recent(f"voice_exporter_http_requests_refused_total{{{SERVERS}}}")
    reports = recent(f"voice_worker_reports_refused_total{{{SERVERS}}}")
    names = f"max by (server) (voice_agent_names_capped{{{SERVERS}}})"
    return graph(
        card,
        series(total("server, reason", by_reason), "{{reason}} ({{server}})"),
        series(total("server", reports), "worker reports ({{server}})"),
        series(names, "agent names ({{server}})"),
        unit=Short,
        is_stacked=True,
        has_bars=True,
    )


def _pages() -> Panel:
    card = Card(
        145,
        "Worker pages",
        "Configured worker pages, by the result of the last read. From voice_worker_pages. Bad: "
        "failed pages: the worker is down, or its port is not reachable.",
        empty="No pages are configured: workers.scrape",
        width=12,
    )
    pages = f"max by (server, result) (voice_worker_pages{{{SERVERS}}})"
    return graph(card, series(pages, "{{result}} ({{server}})"), unit=Short, is_stacked=True)


def _kept() -> Panel:
    card = Card(
        146,
        "Kept calls",
        "Number of calls that are kept to be seen and heard. From voice_evidence_calls. Bad: no "
        "more than a few while calls fail: evidence.max_mb is small, or calls are lost.",
        empty="store.enabled is false",
    )
    calls = f"max by (server, instance) (voice_evidence_calls{{{SERVERS}}})"
    return graph(card, series(calls, "{{instance}} ({{server}})"), unit=Short)


def _size() -> Panel:
    card = Card(
        148,
        "Size of kept calls",
        "Space on disk of all kept calls. From voice_evidence_bytes. Bad: above evidence.max_mb: "
        "the disk deletes nothing.",
        empty="store.enabled is false",
    )
    size = f"max by (server, instance) (voice_evidence_bytes{{{SERVERS}}})"
    return graph(card, series(size, "{{instance}} ({{server}})"), unit=BytesIEC)


def _lost() -> Panel:
    card = Card(
        147,
        "Calls that could not be kept",
        "Calls whose evidence was lost in the window that ends at each point, by reason. From "
        "voice_evidence_lost_total. Bad: any: a full, read-only or slow disk. Their measurements "
        "are not affected.",
        empty="store.enabled is false",
    )
    lost = total("server, reason", recent(f"voice_evidence_lost_total{{{SERVERS}}}"))
    query = series(lost, "{{reason}} ({{server}})")
    return graph(card, query, unit=Short, is_stacked=True, has_bars=True)
