"""How old what is shown of each probe is."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.prometheus import Dataquery
from grafana_foundation_sdk.models.units import DateTimeFromNow, Seconds, Short

from dashboards.exporter.series import BY_PROBE, PROBE_LEGEND, SERVERS, age_in_intervals
from dashboards.panels import Card, Field, graph, table
from dashboards.queries import column, series
from dashboards.values import OVERDUE, WORKS


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _runs(), _ages()


def _runs() -> Panel:
    card = Card(
        111,
        "Last runs",
        "For each probe and each agent: time of the last run and of the last success, duration, "
        "interval, and the age in intervals. From voice_probe_*. Bad: an age above 3; a success "
        "that is much older than the run.",
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
    columns = [column("age", age_in_intervals())]
    columns += [
        column(name, f"1000 * max by ({BY_PROBE}) ({metric}{{{SERVERS}}} > 0)")
        for name, metric in largest.items()
    ]
    return [
        *columns,
        column("success", f"min by ({BY_PROBE}) (voice_probe_success{{{SERVERS}}})"),
        column("took", f"max by ({BY_PROBE}) (voice_probe_duration_seconds{{{SERVERS}}})"),
        column("interval", f"min by ({BY_PROBE}) (voice_probe_interval_seconds{{{SERVERS}}})"),
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
        "Time since the last run of each probe, divided by its interval: normally rises to a "
        "little above 1 and falls to 0. From voice_probe_last_run_timestamp_seconds and "
        "voice_probe_interval_seconds. Bad: above 3, the line.",
        empty="No probe has run yet",
        height=10,
    )
    return graph(card, series(age_in_intervals(), PROBE_LEGEND), unit=Short, limit=3)
