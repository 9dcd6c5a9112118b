"""What agents report of the turns of real calls (`attach`), on /metrics."""

from functools import partial

from exporter.calls.turns import LIVE_OUTCOMES, LONGEST_E2E_S
from exporter.outcome.turn_report import REPORTED_E2E
from exporter.probes.latency.families import COMPONENTS, HEARD_BUCKETS, MAX_MODELS, USAGE
from exporter.series import Family, family

_family = partial(family, "real calls")

SOURCE = "live"
"""Of components, which probes have as well."""
PARTS = tuple(part for part in COMPONENTS.values["component"] if part != "transport")
MAX_CALL_TYPES = 20
"""Call types of one agent with a label of their own: its code names them."""

TURNS = _family(
    "voice_live_turns_total",
    "counter",
    "agent_name call_type outcome",
    "Turns of real callers as the agent reports them (attach), by outcome: answered, interrupted "
    "(the caller spoke into the answer), unanswered (the caller went on speaking or left before "
    "any answer). Calls of probes do not count.",
    outcome=LIVE_OUTCOMES,
)
E2E = _family(
    "voice_live_e2e_latency_seconds",
    "histogram",
    "agent_name call_type",
    "End-to-end latency of real turns as reported by the agent: network and jitter buffers of the "
    "caller are not in it.",
    buckets=HEARD_BUCKETS,
    has_thresholds=True,
)
HEARD = _family(
    "voice_live_heard_latency_seconds",
    "histogram",
    "agent_name call_type",
    "Estimate of what real callers hear: the reported latency of a turn plus "
    "voice_live_heard_offset_seconds of its agent. Nothing is observed without an offset.",
    buckets=HEARD_BUCKETS,
    has_thresholds=True,
)
OFFSET = _family(
    "voice_live_heard_offset_seconds",
    "gauge",
    "agent_name",
    "Median difference of heard and reported latency over the turns of probes of the last hour, "
    "for agents that report real turns. Absent where no probe has measured it within the hour.",
)
IMPLAUSIBLE = _family(
    "voice_live_implausible_total",
    "counter",
    "agent_name call_type component",
    "Components of real turns that the agent reported as longer than the whole turn, which are "
    f"left out; reported_e2e: a latency below 0 or above {LONGEST_E2E_S:g} s.",
    component=(*PARTS, REPORTED_E2E),
)
TOOLS = _family(
    "voice_live_tool_calls_total",
    "counter",
    "agent_name call_type outcome",
    "Tools that agents called in real calls, by outcome: ok or failed.",
    outcome=("ok", "failed"),
)
LIVE_USAGE = _family(
    "voice_live_usage_total",
    "counter",
    "agent_name call_type kind model",
    "What real calls have used of the agent's models; kinds as in voice_usage_total. Models beyond "
    f"{MAX_MODELS} of one agent are `other`.",
    model=(),
).of(kind=USAGE.values["kind"])
DROPPED = _family(
    "voice_live_turns_dropped_total",
    "counter",
    "",
    "Reports that agents dropped because the exporter did not take them in time.",
)

OF_CALL_TYPES: tuple[Family, ...] = (TURNS, E2E, IMPLAUSIBLE, TOOLS)
"""Those that exist from the first report of an agent and call type on."""
FAMILIES: tuple[Family, ...] = (*OF_CALL_TYPES, HEARD, OFFSET, LIVE_USAGE, DROPPED)
