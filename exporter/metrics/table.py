"""Every metric in one table; the registry is built from it.

To add one: a row here, a line in the recorder that writes it, then `make docs` for the docs and
`python -m tests.golden_metrics` for the golden page. Names are never changed: dashboards, alerts
and other people's queries use them.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]
Group = Literal["calls", "probes", "agents and rooms", "sfu", "ramp", "workers", "exporter"]

_TURN_BUCKETS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 5, 7.5, 10)
_PART_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 5, 10)
_NETWORK_BUCKETS = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.04, 0.05, 0.075, 0.1),
    *(0.15, 0.2, 0.3, 0.5, 0.75, 1, 2),
)
_GAP_BUCKETS = (0.03, 0.06, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 20, 30, 60)
_CONNECT_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10)
_WAIT_BUCKETS = (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20, 30)


@dataclass(frozen=True, slots=True)
class Row:
    """One metric. Every one also has the label `server`."""

    name: str
    kind: Kind
    group: Group
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()
    """Upper bounds in seconds; of histograms only."""
    has_thresholds: bool = False
    """The buckets hold every latency threshold of the configuration, too."""

    @property
    def per_worker(self) -> bool:
        """Whether every worker has a series: these are written by `WorkerSeries`."""
        return "worker_id" in self.labels


def _row(
    name: str,
    kind: Kind,
    group: Group,
    labels: str,
    text: str,
    *,
    buckets: tuple[float, ...] = (),
    has_thresholds: bool = False,
) -> Row:
    return Row(name, kind, group, tuple(labels.split()), text, buckets, has_thresholds)


TABLE = (
    _row(
        "voice_e2e_latency_seconds",
        "histogram",
        "calls",
        "agent_name call_type scenario",
        "What the caller hears: end of the caller's speech to the first sound of the reply. "
        "Measured turns only: no warm-up turns, no failed ones, no void ones.",
        buckets=_TURN_BUCKETS,
        has_thresholds=True,
    ),
    _row(
        "voice_last_call_latency_seconds",
        "gauge",
        "calls",
        "agent_name call_type scenario",
        "Mean end-to-end latency of the last call that had a measured turn: what its verdict "
        "compares with the target. Absent until there was one.",
    ),
    _row(
        "voice_component_latency_seconds",
        "histogram",
        "calls",
        "agent_name call_type component source",
        "Where the time of measured turns went: transcription, end_of_turn, llm and tts as the "
        "agent reports them, transport is the rest of the end-to-end latency. Source: probe.",
        buckets=_PART_BUCKETS,
    ),
    _row(
        "voice_reported_e2e_latency_seconds",
        "histogram",
        "calls",
        "agent_name call_type",
        "The end-to-end latency that the agent itself reports for the same measured turns.",
        buckets=_TURN_BUCKETS,
        has_thresholds=True,
    ),
    _row(
        "voice_time_to_agent_seconds",
        "histogram",
        "calls",
        "agent_name",
        "Dispatch requested to agent in the room.",
        buckets=_WAIT_BUCKETS,
    ),
    _row(
        "voice_time_to_greeting_seconds",
        "histogram",
        "calls",
        "agent_name",
        "Caller in the room to the first sound of the greeting, for agents that greet.",
        buckets=_WAIT_BUCKETS,
    ),
    _row(
        "voice_turns_total",
        "counter",
        "calls",
        "agent_name call_type scenario outcome",
        "Planned turns of calls by how they ended: replied, failed, or void when the prober itself "
        "was at fault. Without warm-up turns. A call that ends early counts each turn that it did "
        "not come to as failed, so a dead agent fails as many turns as a live one answers.",
    ),
    _row(
        "voice_turns_within_target_total",
        "counter",
        "calls",
        "agent_name call_type scenario",
        "Measured turns whose end-to-end latency was within the target's own target_ms: the good "
        "ones of voice_turns_total, of which those that are not void are all.",
    ),
    _row(
        "voice_target_latency_seconds",
        "gauge",
        "calls",
        "agent_name call_type",
        "The configured target of the end-to-end latency; the strictest of several scenarios.",
    ),
    _row(
        "voice_slo_objective_ratio",
        "gauge",
        "calls",
        "",
        "The configured objective: share of turns that are to be within their target, 0 to 1.",
    ),
    _row(
        "voice_probe_floor_seconds",
        "gauge",
        "calls",
        "",
        "What the method itself adds: measured less true delay against an echo through the same "
        "server, median of the last calibration. Never subtracted. Absent until measured.",
    ),
    _row(
        "voice_probe_attempts_total",
        "counter",
        "probes",
        "probe agent_name",
        "Runs of a probe that came to an end, however they ended.",
    ),
    _row(
        "voice_probe_failures_total",
        "counter",
        "probes",
        "probe agent_name reason",
        "Runs that did not measure all that they set out to measure, by the first reason.",
    ),
    _row(
        "voice_probe_skipped_total",
        "counter",
        "probes",
        "probe agent_name reason",
        "Runs that were due and did not start: overlap, the one before still ran; missed, the "
        "exporter was too late; window, it was outside of the target's windows; budget, less was "
        "left than the run may cost.",
    ),
    _row(
        "voice_probe_last_skip_timestamp_seconds",
        "gauge",
        "probes",
        "probe agent_name reason",
        "When a run that was due last did not start, by the reasons of voice_probe_skipped_total, "
        "Unix time. Absent until that happened.",
    ),
    _row(
        "voice_probe_interval_seconds",
        "gauge",
        "probes",
        "probe agent_name",
        "The configured time between two runs; the shortest of an agent's targets.",
    ),
    _row(
        "voice_budget_remaining_turns",
        "gauge",
        "probes",
        "agent_name",
        "Turns that calls to the agent may still have today; its targets are summed. Only of "
        "agents with budget.turns_per_day.",
    ),
    _row(
        "voice_budget_remaining_call_seconds",
        "gauge",
        "probes",
        "agent_name",
        "Seconds that calls to the agent may still take today; its targets are summed. Only of "
        "agents with budget.call_seconds_per_day.",
    ),
    _row(
        "voice_budget_spent_total",
        "counter",
        "probes",
        "agent_name",
        "Turns that calls had, warm-up turns as well; runs that were killed count in full.",
    ),
    _row(
        "voice_budget_spent_call_seconds_total",
        "counter",
        "probes",
        "agent_name",
        "How long calls took; runs that were killed count in full.",
    ),
    _row(
        "voice_budget_cost_total",
        "counter",
        "probes",
        "agent_name",
        "What calls cost by budget.price_per_minute, in its currency. Only where it is set.",
    ),
    _row(
        "voice_probe_success",
        "gauge",
        "probes",
        "probe agent_name",
        "1 if the last run measured all that it set out to measure; 0 if not, or if none ended.",
    ),
    _row(
        "voice_probe_duration_seconds",
        "gauge",
        "probes",
        "probe agent_name",
        "How long the last run took. Absent until one ended.",
    ),
    _row(
        "voice_probe_last_run_timestamp_seconds",
        "gauge",
        "probes",
        "probe agent_name",
        "When the last run ended, Unix time; 0 if none has.",
    ),
    _row(
        "voice_probe_last_success_timestamp_seconds",
        "gauge",
        "probes",
        "probe agent_name",
        "When a run last ended in success, Unix time; 0 if none has.",
    ),
    _row(
        "voice_verdict",
        "gauge",
        "probes",
        "check agent_name verdict",
        "1 for the verdict that holds (PASS SLOW FAIL UNKNOWN), 0 for the others. Check: latency, "
        "the worst of the agent's targets; agents, the listing; calibrate; sfu; "
        "reach; reconnect; ramp; workers, their pages.",
    ),
    _row(
        "voice_verdict_streak",
        "gauge",
        "probes",
        "check agent_name verdict",
        "How many of the latest runs in a row had this verdict or a worse one, for SLOW and FAIL; "
        "UNKNOWN neither counts nor breaks a row. Latency: the longest of the agent's targets.",
    ),
    _row(
        "voice_agents",
        "gauge",
        "agents and rooms",
        "agent_name state",
        "Agents in rooms by what they say they do, as of the last listing that succeeded.",
    ),
    _row(
        "voice_agent_stuck",
        "gauge",
        "agents and rooms",
        "agent_name state",
        "Agents that stay in initializing or thinking for longer than agents.stuck_after.",
    ),
    _row(
        "voice_dispatches_pending",
        "gauge",
        "agents and rooms",
        "agent_name",
        "Dispatches by name for which no agent came.",
    ),
    _row(
        "voice_dispatch_oldest_pending_seconds",
        "gauge",
        "agents and rooms",
        "agent_name",
        "Age of the oldest dispatch for which no agent came; 0 if there is none.",
    ),
    _row(
        "voice_rooms",
        "gauge",
        "agents and rooms",
        "",
        "Rooms on the server, those of our own calls included. Absent until listed.",
    ),
    _row(
        "voice_participants",
        "gauge",
        "agents and rooms",
        "kind",
        "Participants on the server, those of our own calls included. Absent until listed.",
    ),
    _row(
        "voice_rooms_unclosed",
        "gauge",
        "agents and rooms",
        "",
        "Rooms without a human for longer than agents.unclosed_after. Absent until listed.",
    ),
    _row(
        "voice_room_oldest_unclosed_seconds",
        "gauge",
        "agents and rooms",
        "",
        "Age of the oldest of these rooms; 0 if there is none. Absent until listed.",
    ),
    _row(
        "voice_workers",
        "gauge",
        "workers",
        "agent_name status",
        "Workers that are known, by what they do: idle busy full draining offline.",
    ),
    _row(
        "voice_workers_lost",
        "gauge",
        "workers",
        "agent_name",
        "Offline workers that did not say that they leave: crashed, hung, or cut off. A heartbeat "
        "says so; of a worker without any, silence is all there is.",
    ),
    _row(
        "voice_workers_not_taking_jobs",
        "gauge",
        "workers",
        "agent_name",
        "Idle workers while a dispatch of their agent has waited longer than agents.no_job_after.",
    ),
    _row(
        "voice_worker_pages",
        "gauge",
        "workers",
        "result",
        "Workers' pages that are configured, by result of the last read: answered or failed. "
        "Absent until read.",
    ),
    _row(
        "voice_worker_reports_refused_total",
        "counter",
        "workers",
        "",
        "Reports of workers beyond workers.max_workers, which were refused.",
    ),
    _row(
        "voice_worker_status",
        "gauge",
        "workers",
        "agent_name worker_id status",
        "1 for what the worker does now, 0 for the other statuses.",
    ),
    _row(
        "voice_worker_load_ratio",
        "gauge",
        "workers",
        "agent_name worker_id",
        "Load by which LiveKit balances; 1 is all of the machine. As the next ones absent where "
        "it is not known, and while the worker is offline.",
    ),
    _row(
        "voice_worker_active_jobs",
        "gauge",
        "workers",
        "agent_name worker_id",
        "Jobs that the worker has now.",
    ),
    _row(
        "voice_worker_memory_bytes",
        "gauge",
        "workers",
        "agent_name worker_id",
        "Resident memory of the worker and its job processes, as it reports.",
    ),
    _row(
        "voice_worker_cpu_ratio",
        "gauge",
        "workers",
        "agent_name worker_id",
        "Cores that the worker and its job processes use, as it reports.",
    ),
    _row(
        "voice_worker_last_heartbeat_timestamp_seconds",
        "gauge",
        "workers",
        "agent_name worker_id",
        "When its last heartbeat came, Unix time; absent for a worker that sends none.",
    ),
    _row(
        "voice_sfu_rtt_ms",
        "gauge",
        "sfu",
        "vantage",
        "Median round trip to the SFU of the last baseline, in milliseconds: a data message from "
        "one participant of ours to another on this host. Absent when the last baseline failed.",
    ),
    _row(
        "voice_sfu_rtt_seconds",
        "histogram",
        "sfu",
        "vantage method",
        "Round trips to the SFU. Method: data, messages between two participants of ours; ice, the "
        "connection's own checks, in whole milliseconds.",
        buckets=_NETWORK_BUCKETS,
    ),
    _row(
        "voice_sfu_target_rtt_ms",
        "gauge",
        "sfu",
        "vantage",
        "The configured target of the median round trip.",
    ),
    _row(
        "voice_sfu_target_packet_loss_ratio",
        "gauge",
        "sfu",
        "vantage",
        "The configured target of the packet loss, 0 to 1.",
    ),
    _row(
        "voice_sfu_target_jitter_seconds",
        "gauge",
        "sfu",
        "vantage",
        "The configured target of the jitter.",
    ),
    _row(
        "voice_sfu_floor_seconds",
        "gauge",
        "sfu",
        "vantage",
        "What of a message's time is the exporter's own: event loop and SDK, without the network. "
        "Taken off the round trips.",
    ),
    _row(
        "voice_sfu_pings_total",
        "counter",
        "sfu",
        "vantage outcome",
        "Data messages sent by what became of them: answered, lost, or void when the prober itself "
        "was late.",
    ),
    _row(
        "voice_sfu_jitter_seconds",
        "gauge",
        "sfu",
        "vantage direction",
        "Interarrival jitter of RTP: up as the SFU reports it, down as the receiver measures it, "
        "in whole milliseconds.",
    ),
    _row(
        "voice_sfu_packet_loss_ratio",
        "gauge",
        "sfu",
        "vantage direction",
        "Share of RTP packets lost in the last baseline, 0 to 1: up as the SFU reports it, down "
        "what the receiver misses beyond that.",
    ),
    _row(
        "voice_sfu_packets_total",
        "counter",
        "sfu",
        "vantage direction",
        "RTP packets sent to the SFU (up) and by it (down) over which loss is counted.",
    ),
    _row(
        "voice_sfu_packets_lost_total",
        "counter",
        "sfu",
        "vantage direction",
        "Those of voice_sfu_packets_total that were lost; the quotient of the two rates is the "
        "loss over any span of time.",
    ),
    _row(
        "voice_sfu_concealed_ratio",
        "gauge",
        "sfu",
        "vantage",
        "Share of the received audio that was made up in the last baseline, 0 to 1: the loss that "
        "can be heard, after redundancy has repaired what it could.",
    ),
    _row(
        "voice_sfu_connect_seconds",
        "histogram",
        "sfu",
        "vantage phase",
        "Phases of a connection: signal, to the server's answer to a join; ice, until media can "
        "flow; media, publishing to the first sound at another participant.",
        buckets=_CONNECT_BUCKETS,
    ),
    _row(
        "voice_sfu_transport_used",
        "gauge",
        "sfu",
        "vantage transport",
        "1 for the way that the media of the last baseline took: udp, tcp or turn.",
    ),
    _row(
        "voice_sfu_transport_up",
        "gauge",
        "sfu",
        "vantage transport",
        "1 for each way to the SFU that works from here when it is tried on purpose, 0 for one "
        "that does not (udp tcp turn). Absent when the last round failed.",
    ),
    _row(
        "voice_sfu_certificate_expiry_timestamp_seconds",
        "gauge",
        "sfu",
        "vantage",
        "When the first of the TLS certificates of the server and its TURN servers ends, Unix "
        "time. Absent without TLS.",
    ),
    _row(
        "voice_sfu_clock_skew_seconds",
        "gauge",
        "sfu",
        "vantage",
        "What the server's clock is ahead of this host's; 0 when they agree within a second.",
    ),
    _row(
        "voice_reconnect_seconds",
        "histogram",
        "sfu",
        "vantage kind",
        "From the break of a connection of ours to the SDK's word that it is connected again, for "
        "those that came back. Kind, on purpose: signal, the WebSocket is lost; full, everything "
        "is built anew; migration, the server gives the participant up. Unprovoked: lost during a "
        "baseline, from the last packet of media before the silence.",
        buckets=_GAP_BUCKETS,
    ),
    _row(
        "voice_media_gap_seconds",
        "histogram",
        "sfu",
        "vantage kind",
        "The longest time without a packet of media at the receiver, from the break until media "
        "flows again; a packet is 20 ms. Kind: signal full migration unprovoked.",
        buckets=_GAP_BUCKETS,
    ),
    _row(
        "voice_reconnect_failures_total",
        "counter",
        "sfu",
        "vantage kind reason",
        "Connections of ours that were lost, on purpose or unprovoked, and did not come back: "
        "connect_failed, not connected again; no_audio_track, connected, but silent; room_closed, "
        "the SDK gave up; api_failed, could not be broken.",
    ),
    _row(
        "voice_sfu_connection_quality",
        "gauge",
        "sfu",
        "vantage client quality",
        "1 for what LiveKit itself says of each client's connection: excellent good poor lost.",
    ),
    _row(
        "voice_knee_clients",
        "gauge",
        "ramp",
        "vantage",
        "Clients at which the targets still held while the next tier of the last ramp broke one. "
        "Absent until a ramp found a knee, and when the last one found none: see "
        "voice_ramp_clients_max and voice_ramp_limited for why.",
    ),
    _row(
        "voice_ramp_clients_max",
        "gauge",
        "ramp",
        "vantage",
        "Clients of the largest tier in the last ramp at which every target held and the prober "
        "was not the limit; 0 if there was none.",
    ),
    _row(
        "voice_ramp_rtt_ms",
        "gauge",
        "ramp",
        "vantage clients",
        "Round trips in each tier of the last ramp, in milliseconds: the 95th percentile, or the "
        "largest below 20. A message that was lost counts as 2000.",
    ),
    _row(
        "voice_ramp_packet_loss_ratio",
        "gauge",
        "ramp",
        "vantage clients",
        "Share of audio packets lost from client to client in each tier of the last ramp, 0 to 1.",
    ),
    _row(
        "voice_ramp_limited",
        "gauge",
        "ramp",
        "vantage",
        "1 when the prober, not the SFU, was the limit of the last ramp: its knee is not known.",
    ),
    _row(
        "voice_exporter_build_info",
        "gauge",
        "exporter",
        "version python_version",
        "1, with the versions as labels.",
    ),
    _row(
        "voice_exporter_config_last_reload_successful",
        "gauge",
        "exporter",
        "",
        "1 if the configuration was good when it was last read, 0 if the one before is still used.",
    ),
    _row(
        "voice_exporter_config_last_reload_success_timestamp_seconds",
        "gauge",
        "exporter",
        "",
        "When a good configuration was last read, Unix time.",
    ),
    _row(
        "voice_exporter_http_requests_refused_total",
        "counter",
        "exporter",
        "reason",
        "Requests and connections that the exporter's own web server turned away: path token "
        "password not_loopback origin host too_large too_slow connections certificate rate.",
    ),
    _row(
        "voice_alert_threshold",
        "gauge",
        "exporter",
        "alert",
        "What the alert of that name compares with, as configured under alerts: seconds, a ratio "
        "of 0 to 1, or a number of turns.",
    ),
    _row(
        "voice_store_up",
        "gauge",
        "exporter",
        "",
        "1 if the ledger on disk works; 0 while it is kept in memory. Absent if store.enabled is "
        "false.",
    ),
    _row(
        "voice_store_errors_total",
        "counter",
        "exporter",
        "operation",
        "Operations on the ledger that failed, and writes dropped after a long outage: open begin "
        "end cancel calibration workers prune read.",
    ),
    _row(
        "voice_exporter_loop_lag_seconds",
        "gauge",
        "exporter",
        "",
        "Largest lateness of the exporter's own event loop in the last 15 seconds.",
    ),
)
"""Every metric of the exporter, in the order of the page, beside process_* and python_*."""

ROWS = {row.name: row for row in TABLE}
"""The same by name."""
