"""The processes that run probes: how many there are, and how long runs wait for one."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Seconds, Short

from dashboards.exporter.series import SERVERS
from dashboards.panels import Card, graph
from dashboards.queries import CALL_STEP, mean, quantile, rate, series

_BY = "server, instance, lane"
_LEGEND = "{{lane}} of {{instance}} ({{server}})"


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _slots(), _waits()


def _slots() -> Panel:
    card = Card(
        161,
        "Use of probe processes",
        "Processes in use, how many there are, and runs that wait for one, by lane: call (calls, "
        "and tests of the server that take long) and api (questions to the server API). From "
        "voice_pool_busy, voice_pool_slots and voice_pool_queue_runs. Bad: a queue for longer "
        "than a call takes: the targets want more than there are.",
        empty="No exporter is scraped",
        width=12,
    )
    shown = (
        ("in use", "voice_pool_busy"),
        ("there are", "voice_pool_slots"),
        ("waiting", "voice_pool_queue_runs"),
    )
    queries = (
        series(f"max by ({_BY}) ({name}{{{SERVERS}}})", f"{what}: {_LEGEND}")
        for what, name in shown
    )
    return graph(card, *queries, unit=Short)


def _waits() -> Panel:
    card = Card(
        162,
        "Wait for a process",
        "How long runs that were due waited for a process: mean, and p95 of 20 or more. From "
        "voice_pool_wait_seconds. Bad: longer than the interval of a target, as in VoicePoolFull: "
        "its calls are skipped.",
        empty="No run has started",
        width=12,
    )
    name = "voice_pool_wait_seconds"
    p95 = quantile(0.95, _BY, rate(f"{name}_bucket{{{SERVERS}}}"))
    return graph(
        card,
        series(mean(name, _BY, SERVERS), f"mean: {_LEGEND}", CALL_STEP),
        series(p95, f"p95: {_LEGEND}", CALL_STEP),
        unit=Seconds,
    )
