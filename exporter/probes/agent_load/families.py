"""What a load on an agent says on /metrics."""

from functools import partial

from exporter.series import family

_LABELS = "agent_name call_type scenario vantage"
_family = partial(family, "ramp")

KNEE = _family(
    "voice_agent_knee_calls",
    "gauge",
    _LABELS,
    "Capacity knee of an agent in calls at one time: the largest tier of the last agent load in "
    "which all targets held, if the next tier broke one. Absent if no knee was found; "
    "voice_agent_load_calls_max and voice_agent_load_limited show why.",
)
CALLS_MAX = _family(
    "voice_agent_load_calls_max",
    "gauge",
    _LABELS,
    "Calls in the largest tier of the last agent load in which all targets held and the prober "
    "was not the limit, 0 if there was none.",
)
NEEDED = _family(
    "voice_agent_load_needed_calls",
    "gauge",
    _LABELS,
    "Configured calls at one time that an agent must carry. Absent if agent_load.needed_calls is "
    "not set.",
)
E2E = _family(
    "voice_agent_load_e2e_ms",
    "gauge",
    f"{_LABELS} calls",
    "Latency in each tier of the last agent load, in milliseconds: the 95th percentile, or the "
    "maximum if there are fewer than 20 turns.",
)
LIMITED = _family(
    "voice_agent_load_limited",
    "gauge",
    _LABELS,
    "1 if the prober, not the agent, was the limit of the last agent load, so that the knee is "
    "unknown.",
)
TIMESTAMP = _family(
    "voice_agent_load_timestamp_seconds",
    "gauge",
    _LABELS,
    "Unix time at which the last agent load began, by the clock of the host that made it.",
)
MEMORY = _family(
    "voice_worker_memory_per_call_bytes",
    "gauge",
    _LABELS,
    "Memory of the agent's workers that one more call takes, by the slope over the tiers of the "
    "last agent load. Absent where the workers do not report, or below 2 tiers.",
)
CPU = _family(
    "voice_worker_cpu_per_call_ratio",
    "gauge",
    _LABELS,
    "CPU cores of the agent's workers that one more call takes, by the slope over the tiers of "
    "the last agent load. Absent where the workers do not report, or below 2 tiers.",
)

FAMILIES = (KNEE, CALLS_MAX, NEEDED, E2E, LIMITED, TIMESTAMP, MEMORY, CPU)
