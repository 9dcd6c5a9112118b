"""How old what is shown of each probe is."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.prometheus import Dataquery
from grafana_foundation_sdk.models.units import DateTimeFromNow, Seconds, Short

from dashboards.colors import BAD, GOOD, WARN
from dashboards.exporter.series import BY_PROBE, PROBE_LEGEND, SERVERS, age_at_end, age_in_intervals
from dashboards.panels import Card, graph
from dashboards.queries import column, series
from dashboards.tables import Field, table
from dashboards.values import OVERDUE, words

_STATES = words(
    *((0, "succeeded", GOOD), (1, "failed", WARN)),
    *((2, "overdue", BAD), (3, "overdue, failed", BAD)),
)


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _runs(), _ages(), _leases()


def _leases() -> Panel:
    card = Card(
        113,
        "Leases by exporter",
        "Probes and targets that each exporter of a group runs, the exporters of the group that "
        "live, and what nobody has run for more than an "
        "interval. From voice_lease_held, voice_lease_members and voice_lease_unheld_intervals. "
        "Bad: what nobody runs, above 0: Redis is not reached, or no exporter is left.",
        empty="No group is configured",
        width=24,
    )
    held = f"sum by (server, instance) (voice_lease_held{{{SERVERS}}})"
    members = f"max by (server) (voice_lease_members{{{SERVERS}}})"
    of_lease = "server, probe, agent_name, call_type, scenario, vantage"
    unheld = f"min by ({of_lease}) (voice_lease_unheld_intervals{{{SERVERS}}})"
    return graph(
        card,
        series(held, "held by {{instance}} ({{server}})"),
        series(members, "exporters that live ({{server}})"),
        series(f"sum by (server) ({unheld} > bool 1)", "run by nobody ({{server}})"),
        unit=Short,
    )


def _runs() -> Panel:
    card = Card(
        111,
        "Last runs",
        "For each probe and each agent: time of the last run and of the last success, duration, "
        "interval, and the age in intervals; what is overdue or failed comes first. From "
        "voice_probe_*. Bad: overdue: an age above 3; a success that is much older than the run.",
        empty="No probe is scheduled",
        width=24,
        height=11,
    )
    return table(card, _run_columns(), _run_fields(), worst="State")


def _run_columns() -> list[Dataquery]:
    largest = {
        "ran": "voice_probe_last_run_timestamp_seconds",
        "succeeded": "voice_probe_last_success_timestamp_seconds",
        "skipped": "voice_probe_last_skip_timestamp_seconds",
    }
    success = f"min by ({BY_PROBE}) (voice_probe_success{{{SERVERS}}})"
    columns = [column("age", age_in_intervals())]
    columns += [
        column(name, f"1000 * max by ({BY_PROBE}) ({metric}{{{SERVERS}}} > 0)")
        for name, metric in largest.items()
    ]
    return [
        *columns,
        column("state", f"2 * ({age_in_intervals()} > bool 3) + (1 - {success})"),
        column("took", f"max by ({BY_PROBE}) (voice_probe_duration_seconds{{{SERVERS}}})"),
        column("interval", f"min by ({BY_PROBE}) (voice_probe_interval_seconds{{{SERVERS}}})"),
    ]


def _run_fields() -> list[Field]:
    return [
        Field("State", "state", words=_STATES, width=130),
        Field("Probe", "probe", width=90),
        Field("Agent", "agent_name", width=150, grows=True),
        Field("Server", "server", width=100),
        Field("Last run", "ran", DateTimeFromNow, width=130),
        Field("Last success", "succeeded", DateTimeFromNow, width=130),
        Field("Last skip", "skipped", DateTimeFromNow, width=130),
        Field("Took", "took", Seconds, decimals=1, width=80),
        Field("Interval", "interval", Seconds, decimals=0, width=90),
        Field("Age in intervals", "age", colors=OVERDUE, decimals=1, width=120),
    ]


def _ages() -> Panel:
    card = Card(
        112,
        "Age of the last run, in intervals",
        "Time since the last run, divided by the interval, of the five probes that are most "
        "overdue at the end of the time range: normally rises to a "
        "little above 1 and falls to 0. From voice_probe_last_run_timestamp_seconds and "
        "voice_probe_interval_seconds. Bad: above 3, the line.",
        empty="No probe has run yet",
        width=24,
    )
    worst = f"topk(5, {age_at_end()})"
    ages = f"{age_in_intervals()} and on ({BY_PROBE}) {worst}"
    return graph(card, series(ages, PROBE_LEGEND), unit=Short, limit=3)
