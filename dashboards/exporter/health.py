"""What may be wrong with the exporter: all that should be zero, and the lag of its loop."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import BytesIEC, Seconds, Short

from dashboards.colors import BAD, PLAIN
from dashboards.exporter.series import SERVERS
from dashboards.overrides import in_unit
from dashboards.panels import Card, graph
from dashboards.queries import column, increase, seen, series, total
from dashboards.tables import Field, table
from dashboards.values import steps

_COUNTED = (
    ("ledger: $1", "operation", "voice_store_errors_total", ""),
    ("refused request: $1", "reason", "voice_exporter_http_requests_refused_total", ""),
    ("call not kept: $1", "reason", "voice_evidence_lost_total", ""),
    ("worker report refused", "", "voice_worker_reports_refused_total", ""),
    ("skipped run: $1", "reason", "voice_probe_skipped_total", "overlap|missed"),
    ("probe process that died: $1", "lane", "voice_pool_crashes_total", ""),
    ("lost lease: $1", "reason", "voice_lease_losses_total", ""),
    ("refused result of a run", "", "voice_lease_results_refused_total", ""),
    ("spoiled run: $1", "reason", "voice_probe_failures_total", "void|probe_crashed|deadline"),
)
"""What it is called, the label that is put in, the counter, and the values of the label."""
_NOW = (
    ("agent name beyond max_agent_names", "voice_agent_names_capped{%s}"),
    ("worker page that fails", 'voice_worker_pages{%s, result="failed"}'),
    ("configuration rejected", "1 - voice_exporter_config_last_reload_successful{%s}"),
    ("ledger in memory only", "1 - voice_store_up{%s}"),
)


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _zeros(), _lag(), _kept()


def _zeros() -> Panel:
    card = Card(
        146,
        "Not zero",
        "What should be zero and is not: errors of the ledger, calls that could not be kept, "
        "refused requests and reports, runs that were skipped because the exporter was late, runs "
        "that it spoiled, over the time range; and what holds now: agent names beyond "
        "max_agent_names, worker pages that fail, a rejected configuration. From "
        "voice_store_errors_total, voice_exporter_http_requests_refused_total, "
        "voice_probe_skipped_total and others of docs/metrics.md. Bad: any line.",
        empty="All of it is zero",
        width=24,
    )
    counted = [
        total("server, what", _called(what, label, _grown(name, label, values)))
        for what, label, name, values in _COUNTED
    ]
    now = [
        seen("server, what", _called(what, "", expression % SERVERS)) for what, expression in _NOW
    ]
    expr = " or ".join(f"round({each}) > 0" for each in (*counted, *now))
    fields = [
        Field("What", "what", width=300, grows=True),
        Field("Server", "server", width=200),
        Field("Count", "count", colors=steps(PLAIN, (1, BAD)), decimals=0, width=120),
    ]
    return table(card, [column("count", expr)], fields, worst="Count")


def _grown(name: str, label: str, values: str) -> str:
    matcher = f', {label}=~"{values}"' if values else ""
    return increase(f"{name}{{{SERVERS}{matcher}}}")


def _called(what: str, label: str, values: str) -> str:
    return f'label_replace({values}, "what", "{what}", "{label or "server"}", "(.*)")'


def _lag() -> Panel:
    card = Card(
        141,
        "Lag of the event loop",
        "Largest lag of the exporter's event loop in 15 seconds, and of the probe processes in "
        "their last runs. From voice_exporter_loop_lag_seconds and voice_probe_loop_lag_seconds. "
        "Bad: above the line for long: the host is overloaded. A lag of 0.02 s in a probe process "
        "at an end of a turn makes the turn void.",
        empty="No exporter is scraped",
        width=16,
    )
    lag = f"max by (server, instance) (voice_exporter_loop_lag_seconds{{{SERVERS}}})"
    probes = f"max by (server, instance, lane, probe) (voice_probe_loop_lag_seconds{{{SERVERS}}})"
    return graph(
        card,
        series(lag, "{{instance}} ({{server}})"),
        series(probes, "{{probe}} ({{lane}}) of {{instance}} ({{server}})"),
        unit=Seconds,
        limit=0.1,
    )


def _kept() -> Panel:
    card = Card(
        148,
        "Kept calls",
        "Number of calls that are kept to be seen and heard, and their size on disk (right axis). "
        "From voice_evidence_calls and voice_evidence_bytes. Bad: no more than a few while calls "
        "fail: evidence.max_mb is small, or calls are lost.",
        empty="store.enabled is false",
        width=8,
    )
    calls = f"max by (server, instance) (voice_evidence_calls{{{SERVERS}}})"
    size = f"max by (server, instance) (voice_evidence_bytes{{{SERVERS}}})"
    return graph(
        card,
        series(calls, "{{instance}} ({{server}})"),
        series(size, "size {{instance}} ({{server}})"),
        unit=Short,
        overrides=[in_unit("^size", BytesIEC)],
    )
