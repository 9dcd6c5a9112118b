"""The exporter itself: whether what the other dashboards show is fresh and can be believed."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.prometheus import Dataquery
from grafana_foundation_sdk.models.units import (
    BytesIEC,
    DateTimeFromNow,
    PercentUnit,
    Seconds,
    Short,
)

from dashboards.board import EXPORTER, Board, Section
from dashboards.panels import Card, Field, graph, stat, table
from dashboards.queries import column, rate, recent, series, total, value
from dashboards.values import BAD, GOOD, NONE_IS_GOOD, OVERDUE, WARN, WORKS, steps
from dashboards.variables import SERVER

_SERVERS = 'server=~"$server"'
_BY_PROBE = "server, probe, agent_name"
_PROBE_LEGEND = "{{probe}} {{agent_name}} ({{server}})"
_ATTEMPT_STEP = "2m"
"""As for calls: a window has an attempt of every probe that runs each five minutes or sooner."""
_SELF = f"on (instance, job) group_left (server) voice_exporter_build_info{{{_SERVERS}}}"
"""Picks the processes that are exporters, and tells by `server` which; its value is 1."""


def board() -> Board:
    """Return the dashboard."""
    return Board(
        uid=EXPORTER,
        title="Voice / Exporter",
        text="The exporter itself: freshness, skips, event loop, configuration, process",
        variables=(SERVER,),
        alerts='server=~"$server|", '
        'alertname=~"VoiceProbe.*|VoiceExporter.*|VoiceConfig.*|VoiceStore.*|VoiceBudget.*|'
        'VoiceTooManyVoids"',
        sections=(
            Section(100, "Now", _now()),
            Section(110, "Freshness", (_runs(), _ages())),
            Section(120, "Runs", (_attempts(), _failures(), _skips())),
            Section(130, "Calls: what they spend", (_turns(), _call_time(), _cost())),
            Section(140, "Health", (_lag(), _reloads(), _store(), _refusals(), _pages())),
            Section(150, "Process", (_memory(), _cpu(), _descriptors(), _builds())),
        ),
    )


def _now() -> tuple[Panel, ...]:
    return _exporters(), _overdue(), _config(), _ledger(), _loop(), _watchdog()


def _stat_card(id_: int, title: str, text: str, empty: str) -> Card:
    return Card(id_, title, text, empty, width=4, height=4)


def _exporters() -> Panel:
    card = _stat_card(
        101,
        "Exporters",
        "Exporters whose last scrape had data. From voice_exporter_build_info. Bad: fewer than "
        "run: the others are down, or Prometheus cannot reach them.",
        "No exporter is scraped",
    )
    exporters = f"count(voice_exporter_build_info{{{_SERVERS}}})"
    return stat(card, value(exporters), colors=steps(BAD, (1, GOOD)))


def _overdue() -> Panel:
    card = _stat_card(
        102,
        "Overdue probes",
        "Probes whose last run ended more than three intervals ago, the age at which "
        "VoiceProbeStale looks closer. From voice_probe_last_run_timestamp_seconds and "
        "voice_probe_interval_seconds. Bad: any that is neither out of its windows nor out of "
        "budget: what is shown of it is old.",
        "No probe is scheduled",
    )
    return stat(card, value(f"sum({_age_in_intervals()} > bool 3)"), colors=NONE_IS_GOOD)


def _config() -> Panel:
    card = _stat_card(
        103,
        "Configuration is good",
        "Whether the configuration was good when it was last read. From "
        "voice_exporter_config_last_reload_successful. Bad: no: the one before is still used, and "
        "the log names the mistake.",
        "No exporter is scraped",
    )
    good = f"min(voice_exporter_config_last_reload_successful{{{_SERVERS}}})"
    return stat(card, value(good), words=WORKS)


def _ledger() -> Panel:
    card = _stat_card(
        104,
        "Ledger on disk works",
        "Whether the history of runs and budgets is written. From voice_store_up. Bad: no: it is "
        "kept in memory, and lost with the process, while measuring goes on.",
        "store.enabled is false",
    )
    return stat(card, value(f"min(voice_store_up{{{_SERVERS}}})"), words=WORKS)


def _loop() -> Panel:
    card = _stat_card(
        105,
        "Event loop lag",
        "Largest lateness of the exporter's own event loop in the last 15 seconds. From "
        "voice_exporter_loop_lag_seconds. Bad: above 0.1 s: the host is overloaded. Calls have "
        "processes of their own, and turns that are spoiled by lag are void.",
        "No exporter is scraped",
    )
    lag = f"max(voice_exporter_loop_lag_seconds{{{_SERVERS}}})"
    return stat(card, value(lag), unit=Seconds, colors=steps(GOOD, (0.1, WARN), (1, BAD)))


def _watchdog() -> Panel:
    card = _stat_card(
        106,
        "Alert rules are loaded",
        "Whether the watchdog fires, as it always should: it proves that Prometheus evaluates the "
        "rules. From ALERTS. Bad: no: the rules are not loaded, and no alert will come.",
        "No watchdog: the rules are not loaded",
    )
    fires = 'count(ALERTS{alertname="VoiceWatchdog", alertstate="firing"}) > bool 0'
    return stat(card, value(f"{fires} or vector(0)"), words=WORKS)


def _age_in_intervals() -> str:
    last = f"max by ({_BY_PROBE}) (voice_probe_last_run_timestamp_seconds{{{_SERVERS}}} > 0)"
    interval = f"min by ({_BY_PROBE}) (voice_probe_interval_seconds{{{_SERVERS}}})"
    return f"(time() - {last}) / {interval}"


def _runs() -> Panel:
    card = Card(
        111,
        "Last runs",
        "Of each probe, and of each agent that is called: when it last ran and succeeded, how "
        "long that took, its interval, and the age in intervals. From voice_probe_*. Bad: an age "
        "above 3; a success that is much older than the run.",
        empty="No probe is scheduled",
        width=16,
        height=10,
    )
    return table(card, _run_columns(), _run_fields(), worst="Age in intervals")


def _run_columns() -> list[Dataquery]:
    largest = {
        "ran": "voice_probe_last_run_timestamp_seconds",
        "succeeded": "voice_probe_last_success_timestamp_seconds",
        "skipped": "voice_probe_last_skip_timestamp_seconds",
    }
    columns = [column("age", _age_in_intervals())]
    columns += [
        column(name, f"1000 * max by ({_BY_PROBE}) ({metric}{{{_SERVERS}}} > 0)")
        for name, metric in largest.items()
    ]
    return [
        *columns,
        column("success", f"min by ({_BY_PROBE}) (voice_probe_success{{{_SERVERS}}})"),
        column("took", f"max by ({_BY_PROBE}) (voice_probe_duration_seconds{{{_SERVERS}}})"),
        column("interval", f"min by ({_BY_PROBE}) (voice_probe_interval_seconds{{{_SERVERS}}})"),
    ]


def _run_fields() -> list[Field]:
    return [
        Field("Probe", "probe"),
        Field("Agent", "agent_name"),
        Field("Server", "server"),
        Field("Succeeded", "success", words=WORKS),
        Field("Last run", "ran", DateTimeFromNow),
        Field("Last success", "succeeded", DateTimeFromNow),
        Field("Last skip", "skipped", DateTimeFromNow),
        Field("Took", "took", Seconds),
        Field("Interval", "interval", Seconds),
        Field("Age in intervals", "age", colors=OVERDUE, decimals=1),
    ]


def _ages() -> Panel:
    card = Card(
        112,
        "Age of the last run, in intervals",
        "How long ago each probe last ran, over its interval: climbs to 1 and a little more, and "
        "falls back. From voice_probe_last_run_timestamp_seconds and "
        "voice_probe_interval_seconds. Bad: above 3, the line.",
        empty="No probe has run yet",
        height=10,
    )
    return graph(card, series(_age_in_intervals(), _PROBE_LEGEND), unit=Short, limit=3)


def _attempts() -> Panel:
    card = Card(
        121,
        "Runs that ended",
        "Runs in the window that ends there, however they ended. From voice_probe_attempts_total. "
        "Bad: a probe that falls to 0 outside of its windows.",
        empty="No probe is scheduled",
    )
    runs = total(_BY_PROBE, recent(f"voice_probe_attempts_total{{{_SERVERS}}}"))
    return graph(card, series(runs, _PROBE_LEGEND, _ATTEMPT_STEP), unit=Short)


def _failures() -> Panel:
    card = Card(
        122,
        "Failed runs by probe and reason",
        "Runs in the window that ends there that did not measure all that they set out to "
        "measure, by the first reason. From voice_probe_failures_total. Bad: probe_crashed, "
        "deadline and void, which are the prober's own; the others are findings.",
        empty="No run failed",
    )
    by = "server, probe, reason"
    failed = total(by, recent(f"voice_probe_failures_total{{{_SERVERS}}}"))
    query = series(f"{failed} > 0", "{{probe}}: {{reason}} ({{server}})", _ATTEMPT_STEP)
    return graph(card, query, unit=Short, is_stacked=True, has_bars=True)


def _skips() -> Panel:
    card = Card(
        123,
        "Skipped runs by reason",
        "Runs in the window that ends there that were due and did not start. From "
        "voice_probe_skipped_total. Bad: overlap, for a run takes longer than its interval, and "
        "missed, for the exporter is overloaded; window and budget are as configured.",
        empty="No run was skipped",
    )
    by = "server, probe, reason"
    skipped = total(by, recent(f"voice_probe_skipped_total{{{_SERVERS}}}"))
    query = series(f"{skipped} > 0", "{{probe}}: {{reason}} ({{server}})", _ATTEMPT_STEP)
    return graph(card, query, unit=Short, is_stacked=True, has_bars=True)


def _turns() -> Panel:
    card = Card(
        131,
        "Turns spent, per hour",
        "Turns that calls have, warm-up turns as well, at the pace of the window that ends there. "
        "From voice_budget_spent_total. Bad: more than the budget of a day has room for.",
        empty="No agent is called",
    )
    return _spending(card, "voice_budget_spent_total", Short)


def _call_time() -> Panel:
    card = Card(
        132,
        "Time spent on calls, per hour",
        "How long calls take, at the pace of the window that ends there; what providers bill. "
        "From voice_budget_spent_call_seconds_total. Bad: more than the budget of a day has room "
        "for.",
        empty="No agent is called",
    )
    return _spending(card, "voice_budget_spent_call_seconds_total", Seconds)


def _cost() -> Panel:
    card = Card(
        133,
        "Cost of calls, per hour",
        "What calls cost by budget.price_per_minute, in its currency, at the pace of the window "
        "that ends there. From voice_budget_cost_total. Bad: more than you meant to pay.",
        empty="No price is set: budget.price_per_minute",
    )
    return _spending(card, "voice_budget_cost_total", Short)


def _spending(card: Card, metric: str, unit: str) -> Panel:
    pace = total("server, agent_name", rate(f"{metric}{{{_SERVERS}}}"))
    query = series(f"{pace} * 3600", "{{agent_name}} ({{server}})", _ATTEMPT_STEP)
    return graph(card, query, unit=unit)


def _lag() -> Panel:
    card = Card(
        141,
        "Lag of the event loop",
        "Largest lateness of the exporter's own event loop in 15 seconds. From "
        "voice_exporter_loop_lag_seconds. Bad: above the line for long: the host is overloaded.",
        empty="No exporter is scraped",
    )
    lag = f"max by (server, instance) (voice_exporter_loop_lag_seconds{{{_SERVERS}}})"
    return graph(card, series(lag, "{{instance}} ({{server}})"), unit=Seconds, limit=0.1)


def _reloads() -> Panel:
    card = Card(
        142,
        "Age of the configuration",
        "How long ago a good configuration was last read: at the start, and by each reload. From "
        "voice_exporter_config_last_reload_success_timestamp_seconds. Bad: no fall after you "
        "changed the file.",
        empty="No exporter is scraped",
    )
    read = f"voice_exporter_config_last_reload_success_timestamp_seconds{{{_SERVERS}}}"
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
    errors = total("server, operation", recent(f"voice_store_errors_total{{{_SERVERS}}}"))
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
    by_reason = recent(f"voice_exporter_http_requests_refused_total{{{_SERVERS}}}")
    reports = recent(f"voice_worker_reports_refused_total{{{_SERVERS}}}")
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
    pages = f"max by (server, result) (voice_worker_pages{{{_SERVERS}}})"
    return graph(card, series(pages, "{{result}} ({{server}})"), unit=Short, is_stacked=True)


def _memory() -> Panel:
    card = Card(
        151,
        "Memory",
        "Resident memory of the exporter's own process, without the processes of its probes. From "
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
        "Share of one core that the exporter's own process uses, without the processes of its "
        "probes. From process_cpu_seconds_total. Bad: near 100 %: it has one thread for its loop.",
        empty="No exporter is scraped",
        height=7,
    )
    cpu = f"{rate('process_cpu_seconds_total')} * {_SELF}"
    return graph(card, series(cpu, "{{instance}} ({{server}})"), unit=PercentUnit, limit=0.9)


def _descriptors() -> Panel:
    card = Card(
        153,
        "Open files and connections",
        "Share of the file descriptors that the process may have. From process_open_fds and "
        "process_max_fds. Bad: near 100 %: connections are refused then.",
        empty="No exporter is scraped",
        height=7,
    )
    share = f"process_open_fds / process_max_fds * {_SELF}"
    return graph(card, series(share, "{{instance}} ({{server}})"), unit=PercentUnit, limit=0.9)


def _builds() -> Panel:
    card = Card(
        154,
        "Versions",
        "Version of each exporter and its Python, and how long it has run. From "
        "voice_exporter_build_info and process_start_time_seconds. Bad: an uptime that keeps "
        "falling back to 0: it crashes, or is killed.",
        empty="No exporter is scraped",
        width=24,
        height=5,
    )
    build = f"voice_exporter_build_info{{{_SERVERS}}}"
    labels = "server, version, python_version"
    started = (
        f"time() - process_start_time_seconds * on (instance, job) group_left ({labels}) {build}"
    )
    fields = [
        Field("Exporter", "instance"),
        Field("Server", "server"),
        Field("Version", "version"),
        Field("Python", "python_version"),
        Field("Uptime", "uptime", Seconds),
    ]
    uptime = f"max by (instance, {labels}) ({started})"
    return table(card, [column("uptime", uptime)], fields)
