"""Runs of probes: that ended, that failed, that were skipped."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Short

from dashboards.exporter.series import ATTEMPT_STEP, SERVERS
from dashboards.panels import Card, graph
from dashboards.queries import recent, series, total


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _attempts(), _failures(), _skips()


def _attempts() -> Panel:
    card = Card(
        121,
        "Runs that ended",
        "Runs that ended in the window that ends at each point, with any result. From "
        "voice_probe_attempts_total. Bad: a probe that drops to 0 inside its windows.",
        empty="No probe is scheduled",
    )
    runs = total("server, probe", recent(f"voice_probe_attempts_total{{{SERVERS}}}"))
    return graph(card, series(runs, "{{probe}} ({{server}})", ATTEMPT_STEP), unit=Short)


def _failures() -> Panel:
    card = Card(
        122,
        "Failed runs by probe and reason",
        "Runs without a complete measurement, by the first failure reason, in the window that "
        "ends at each point. From voice_probe_failures_total. Bad: probe_crashed, deadline and "
        "void, which are faults of the prober; the other reasons are findings.",
        empty="No run failed",
    )
    by = "server, probe, reason"
    failed = total(by, recent(f"voice_probe_failures_total{{{SERVERS}}}"))
    query = series(f"{failed} > 0", "{{probe}}: {{reason}} ({{server}})", ATTEMPT_STEP)
    return graph(card, query, unit=Short, is_stacked=True, has_bars=True)


def _skips() -> Panel:
    card = Card(
        123,
        "Skipped runs by reason",
        "Scheduled runs that did not start, in the window that ends at each point. From "
        "voice_probe_skipped_total. Bad: overlap (a run takes longer than its interval) and "
        "missed (the exporter is overloaded); window and budget follow the configuration.",
        empty="No run was skipped",
    )
    by = "server, probe, reason"
    skipped = total(by, recent(f"voice_probe_skipped_total{{{SERVERS}}}"))
    query = series(f"{skipped} > 0", "{{probe}}: {{reason}} ({{server}})", ATTEMPT_STEP)
    return graph(card, query, unit=Short, is_stacked=True, has_bars=True)
