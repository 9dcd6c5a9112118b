"""Runs of probes: that ended, that failed, that were skipped."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Seconds, Short

from dashboards.exporter.series import ATTEMPT_STEP, SERVERS
from dashboards.overrides import dashed, in_unit
from dashboards.panels import Card, graph
from dashboards.queries import rate, recent, seen, series, total


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _attempts(), _failures(), _skips(), _requests(), _age()


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


def _requests() -> Panel:
    card = Card(
        124,
        "Requests of the room listing in a minute",
        "Requests to the server API that listings sent, by outcome, and the number that is "
        "allowed, the dashed line. From voice_listing_requests_total and "
        "voice_listing_requests_allowed_per_minute. Bad: refused: the server or a proxy allows "
        "fewer; reduce agents.requests_per_minute.",
        empty="Nothing was listed",
        width=12,
    )
    sent = total("server, outcome", rate(f"voice_listing_requests_total{{{SERVERS}}}"))
    allowed = seen("server", f"voice_listing_requests_allowed_per_minute{{{SERVERS}}}")
    return graph(
        card,
        series(f"60 * {sent}", "{{outcome}} ({{server}})", ATTEMPT_STEP),
        series(allowed, "allowed ({{server}})"),
        unit=Short,
        overrides=[dashed("^allowed")],
    )


def _age() -> Panel:
    card = Card(
        125,
        "Age of the room listing",
        "Time since the room was read that was read least recently, and the number of rooms that "
        "no listing has read yet. From voice_listing_age_seconds and voice_listing_unread_rooms. "
        "Bad: above the line for long, or unread rooms that stay: the requests allowed are too few "
        "for the rooms, and callers who are alone are noticed late.",
        empty="Nothing was listed",
        width=12,
    )
    age = seen("server", f"voice_listing_age_seconds{{{SERVERS}}}")
    unread = seen("server", f"voice_listing_unread_rooms{{{SERVERS}}}")
    return graph(
        card,
        series(age, "age ({{server}})"),
        series(unread, "unread rooms ({{server}})"),
        unit=Seconds,
        limit=600,
        overrides=[in_unit("^unread", Short)],
    )
