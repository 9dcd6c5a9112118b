"""Whether the exporter measures now, in six figures."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Seconds

from dashboards.colors import BAD, GOOD, WARN
from dashboards.exporter.series import SERVERS, age_in_intervals
from dashboards.panels import Card, stat
from dashboards.queries import value
from dashboards.values import NONE_IS_GOOD, WORKS, steps


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _exporters(), _overdue(), _config(), _ledger(), _loop(), _watchdog()


def _stat_card(id_: int, title: str, text: str, empty: str) -> Card:
    return Card(id_, title, text, empty, width=4, height=4)


def _exporters() -> Panel:
    card = _stat_card(
        101,
        "Exporters",
        "Exporters with data in the last scrape. From voice_exporter_build_info. Bad: fewer than "
        "are deployed: the others are down, or Prometheus cannot reach them.",
        "No exporter is scraped",
    )
    exporters = f"count(voice_exporter_build_info{{{SERVERS}}})"
    return stat(card, value(exporters), colors=steps(BAD, (1, GOOD)))


def _overdue() -> Panel:
    card = _stat_card(
        102,
        "Overdue probes",
        "Probes whose last run ended more than three intervals ago, as in VoiceProbeStale. From "
        "voice_probe_last_run_timestamp_seconds and voice_probe_interval_seconds. Bad: any that "
        "is neither outside its windows nor out of budget: its metrics are out of date.",
        "No probe is scheduled",
    )
    return stat(card, value(f"sum({age_in_intervals()} > bool 3)"), colors=NONE_IS_GOOD)


def _config() -> Panel:
    card = _stat_card(
        103,
        "Configuration is valid",
        "Whether the last load of the configuration succeeded. From "
        "voice_exporter_config_last_reload_successful. Bad: no: the previous configuration is "
        "still in use, and the log has the error.",
        "No exporter is scraped",
    )
    good = f"min(voice_exporter_config_last_reload_successful{{{SERVERS}}})"
    return stat(card, value(good), words=WORKS)


def _ledger() -> Panel:
    card = _stat_card(
        104,
        "Ledger works",
        "Whether the history of runs and budgets is written, to disk or to Redis. From "
        "voice_store_up. Bad: no: it is kept in memory, and lost at a restart. Probes continue.",
        "store.enabled is false",
    )
    return stat(card, value(f"min(voice_store_up{{{SERVERS}}})"), words=WORKS)


def _loop() -> Panel:
    card = _stat_card(
        105,
        "Event loop lag",
        "Largest lag of the exporter's event loop in the last 15 seconds. From "
        "voice_exporter_loop_lag_seconds. Bad: above 0.1 s: the host is overloaded. Calls run in "
        "processes of their own, and turns with too much lag are void.",
        "No exporter is scraped",
    )
    lag = f"max(voice_exporter_loop_lag_seconds{{{SERVERS}}})"
    return stat(card, value(lag), unit=Seconds, colors=steps(GOOD, (0.1, WARN), (1, BAD)))


def _watchdog() -> Panel:
    card = _stat_card(
        106,
        "Alert rules are loaded",
        "Whether the watchdog fires, as it always should: then Prometheus evaluates the rules. "
        "From ALERTS. Bad: no: the rules are not loaded, and no alert can fire.",
        "No watchdog: the rules are not loaded",
    )
    fires = 'count(ALERTS{alertname="VoiceWatchdog", alertstate="firing"}) > bool 0'
    return stat(card, value(f"{fires} or vector(0)"), words=WORKS)
