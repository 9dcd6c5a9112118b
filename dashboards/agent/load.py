"""How many calls at one time the agent carries: the last load of each kind of call."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import BytesSI, DateTimeFromNow, Milliseconds, Short

from dashboards.agent.series import CALLS
from dashboards.colors import GOOD, WARN
from dashboards.panels import Card
from dashboards.queries import column
from dashboards.tables import Field, table
from dashboards.values import words

_KIND = "call_type, scenario, vantage"
_EMPTY = "No load was made: agent_load.enabled, with windows and max_calls"


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _knees(), _tiers()


def _of(name: str, labels: str = _KIND) -> str:
    return f"max by ({labels}) ({name}{{{CALLS}}})"


def _knees() -> Panel:
    card = Card(
        401,
        "Last load by kind of call",
        "Result of the last load on the agent: the knee in calls at one time, or the largest tier "
        "that held if no tier broke, whether the prober was the limit, so that the knee is "
        "unknown, and what one more call takes of the workers. From voice_agent_knee_calls, "
        "voice_agent_load_calls_max, voice_agent_load_needed_calls, voice_agent_load_limited, "
        "voice_agent_load_timestamp_seconds, voice_worker_memory_per_call_bytes and "
        "voice_worker_cpu_per_call_ratio. Bad: 0: not even the first tier held; a knee below the "
        "calls that are needed.",
        empty=_EMPTY,
        width=24,
    )
    columns = [
        column("knee", _of("voice_agent_knee_calls")),
        column("held", _of("voice_agent_load_calls_max")),
        column("needed", _of("voice_agent_load_needed_calls")),
        column("limited", _of("voice_agent_load_limited")),
        column("memory", _of("voice_worker_memory_per_call_bytes")),
        column("cpu", _of("voice_worker_cpu_per_call_ratio")),
        column("began", f"{_of('voice_agent_load_timestamp_seconds')} * 1000"),
    ]
    limited = words((0, "no", GOOD), (1, "yes", WARN))
    fields = [
        Field("Call type", "call_type", width=100, grows=True),
        Field("Scenario", "scenario", width=90),
        Field("Vantage", "vantage", width=90),
        Field("Knee", "knee", Short, width=60),
        Field("Held", "held", Short, width=60),
        Field("Needed", "needed", Short, width=70),
        Field("Prober limited", "limited", words=limited, width=110),
        Field("Memory a call", "memory", BytesSI, width=110),
        Field("Cores a call", "cpu", Short, width=100),
        Field("Began", "began", DateTimeFromNow, width=120),
    ]
    return table(card, columns, fields, worst="Knee")


def _tiers() -> Panel:
    card = Card(
        402,
        "Latency by calls at one time",
        "Each tier of the last load: 95th percentile of the latency (the maximum, if there are "
        "fewer than 20 turns). From voice_agent_load_e2e_ms. Bad: a jump from one tier to the "
        "next: there is the knee.",
        empty=_EMPTY,
        width=24,
    )
    columns = [column("e2e", _of("voice_agent_load_e2e_ms", f"{_KIND}, calls"))]
    fields = [
        Field("Calls", "calls", width=60, grows=True),
        Field("Call type", "call_type", width=100),
        Field("Scenario", "scenario", width=90),
        Field("Vantage", "vantage", width=90),
        Field("Latency", "e2e", Milliseconds, width=100),
    ]
    return table(card, columns, fields, worst="Latency")
