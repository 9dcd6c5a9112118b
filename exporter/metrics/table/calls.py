"""What a caller has of an agent: latencies, turns, and the targets they are held to."""

from functools import partial

from exporter.metrics.table.row import row

_TURN_BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 5, 7.5, 10)
_PART_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 5, 10)
_WAIT_BUCKETS = (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20, 30)

_row = partial(row, "calls")

CALLS = (
    _row(
        "voice_e2e_latency_seconds",
        "histogram",
        "agent_name call_type scenario",
        "What the caller hears: end of the caller's speech to the first sound of the reply. "
        "Measured turns only: no warm-up turns, no failed ones, no void ones.",
        buckets=_TURN_BUCKETS,
        has_thresholds=True,
    ),
    _row(
        "voice_last_call_latency_seconds",
        "gauge",
        "agent_name call_type scenario",
        "Mean end-to-end latency of the last call that had a measured turn: what its verdict "
        "compares with the target. Absent until there was one.",
    ),
    _row(
        "voice_component_latency_seconds",
        "histogram",
        "agent_name call_type component source",
        "Where the time of measured turns went: transcription, end_of_turn, llm and tts as the "
        "agent reports them, transport is the rest of the end-to-end latency. Source: probe.",
        buckets=_PART_BUCKETS,
    ),
    _row(
        "voice_reported_e2e_latency_seconds",
        "histogram",
        "agent_name call_type",
        "The end-to-end latency that the agent itself reports for the same measured turns.",
        buckets=_TURN_BUCKETS,
        has_thresholds=True,
    ),
    _row(
        "voice_time_to_agent_seconds",
        "histogram",
        "agent_name",
        "Dispatch requested to agent in the room.",
        buckets=_WAIT_BUCKETS,
    ),
    _row(
        "voice_time_to_greeting_seconds",
        "histogram",
        "agent_name",
        "Caller in the room to the first sound of the greeting, for agents that greet.",
        buckets=_WAIT_BUCKETS,
    ),
    _row(
        "voice_turns_total",
        "counter",
        "agent_name call_type scenario outcome",
        "Planned turns of calls by how they ended: replied, failed, or void when the prober itself "
        "was at fault. Without warm-up turns. A call that ends early counts each turn that it did "
        "not come to as failed, so a dead agent fails as many turns as a live one answers.",
    ),
    _row(
        "voice_turns_within_target_total",
        "counter",
        "agent_name call_type scenario",
        "Measured turns whose end-to-end latency was within the target's own target_ms: the good "
        "ones of voice_turns_total, of which those that are not void are all.",
    ),
    _row(
        "voice_target_latency_seconds",
        "gauge",
        "agent_name call_type",
        "The configured target of the end-to-end latency; the strictest of several scenarios.",
    ),
    _row(
        "voice_slo_objective_ratio",
        "gauge",
        "",
        "The configured objective: share of turns that are to be within their target, 0 to 1.",
    ),
    _row(
        "voice_probe_floor_seconds",
        "gauge",
        "",
        "What the method itself adds: measured less true delay against an echo through the same "
        "server, median of the last calibration. Never subtracted. Absent until measured.",
    ),
)
