"""The exporter as a process: memory, processor, descriptors, versions."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import BytesIEC, PercentUnit, Seconds

from dashboards.exporter.series import SERVERS
from dashboards.panels import Card, graph
from dashboards.queries import column, rate, series
from dashboards.tables import Field, table

_SELF = f"on (instance, job) group_left (server) voice_exporter_build_info{{{SERVERS}}}"
"""Picks the processes that are exporters, and tells by `server` which; its value is 1."""


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _memory(), _cpu(), _descriptors(), _builds()


def _memory() -> Panel:
    card = Card(
        151,
        "Memory",
        "Resident memory of the exporter's main process, without probe processes. From "
        "process_resident_memory_bytes. Bad: growth over days.",
        empty="No exporter is scraped",
        height=7,
    )
    memory = f"process_resident_memory_bytes * {_SELF}"
    return graph(card, series(memory, "{{instance}} ({{server}})"), unit=BytesIEC)


def _cpu() -> Panel:
    card = Card(
        152,
        "Processor",
        "Share of one core used by the exporter's main process, without probe processes. From "
        "process_cpu_seconds_total. Bad: near 100 %: its event loop has one thread.",
        empty="No exporter is scraped",
        height=7,
    )
    cpu = f"{rate('process_cpu_seconds_total')} * {_SELF}"
    return graph(card, series(cpu, "{{instance}} ({{server}})"), unit=PercentUnit, limit=0.9)


def _descriptors() -> Panel:
    card = Card(
        153,
        "Open files and connections",
        "Share of the file descriptor limit in use. From process_open_fds and process_max_fds. "
        "Bad: near 100 %: connections are refused then.",
        empty="No exporter is scraped",
        height=7,
    )
    share = f"process_open_fds / process_max_fds * {_SELF}"
    return graph(card, series(share, "{{instance}} ({{server}})"), unit=PercentUnit, limit=0.9)


def _builds() -> Panel:
    card = Card(
        154,
        "Versions",
        "Version of each exporter and its Python, and its uptime. From voice_exporter_build_info "
        "and process_start_time_seconds. Bad: an uptime that keeps falling back to 0: the "
        "exporter crashes, or is killed.",
        empty="No exporter is scraped",
        width=24,
        height=5,
    )
    build = f"voice_exporter_build_info{{{SERVERS}}}"
    labels = "server, version, python_version"
    started = (
        f"time() - process_start_time_seconds * on (instance, job) group_left ({labels}) {build}"
    )
    fields = [
        Field("Exporter", "instance", width=250, grows=True),
        Field("Server", "server", width=200),
        Field("Version", "version", width=150),
        Field("Python", "python_version", width=150),
        Field("Uptime", "uptime", Seconds, width=200),
    ]
    uptime = f"max by (instance, {labels}) ({started})"
    return table(card, [column("uptime", uptime)], fields)
