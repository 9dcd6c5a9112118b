"""The listener that turns Outcomes into metrics.

It knows which targets there are, so that their series exist before the first call and go with
them. Rules that an SLO depends on: only measured turns (answered, not warm-up) are in histograms;
every planned turn is in `voice_turns_total`, whatever became of it.
"""

import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from time import time

from exporter import __version__
from exporter.metrics.probes import ServerCheck, create_probe, has_probe, set_streak, set_verdict
from exporter.metrics.registry import Metrics
from exporter.metrics.streak import Streak
from exporter.metrics.stuck import STUCK_STATES, StuckTracker
from exporter.metrics.table import TABLE
from exporter.outcome import (
    Calibration,
    CallResult,
    Components,
    Listing,
    Outcome,
    Reason,
    Turn,
    TurnOutcome,
    Verdict,
    worst,
)
from exporter.probes.latency.spec import LatencyConfig, TargetKey
from exporter.stats import Stats

AGENT_STATES = ("initializing", "idle", "listening", "thinking", "speaking", "unknown")
"""Values of the label `state`; what an agent says beyond them is `unknown`."""
KINDS = ("standard", "agent", "sip", "egress", "ingress", "connector")
"""Values of the label `kind` that are always there; rarer ones from when they were first seen."""
OWN_PROBES = ("agents", "calibrate")
"""Probes of the server, which have no agent."""
_OUR_FAULT = frozenset({Reason.VOID, Reason.PROBE_CRASHED})
"""Reasons that say nothing about the agent: turns that were not come to are void."""


@dataclass(slots=True)
class _Target:
    config: LatencyConfig
    verdict: Verdict = Verdict.UNKNOWN
    streak: Streak = field(default_factory=Streak)


class Recorder:
    """Records Outcomes. All methods belong to one thread."""

    def __init__(
        self,
        metrics: Metrics,
        *,
        stuck_after_s: float,
        clock: Callable[[], float] = time,
    ) -> None:
        """Create the series that exist whatever the targets are.

        Args:
            metrics: What is written to.
            stuck_after_s: Seconds in initializing or thinking after which an agent is stuck.
            clock: Unix time.
        """
        self._metrics = metrics
        self._clock = clock
        self._stuck = StuckTracker(stuck_after_s)
        self._targets: dict[TargetKey, _Target] = {}
        self._listed: set[str] = set()
        self._other_kinds: set[str] = set()
        metrics.set("voice_exporter_build_info", 1, __version__, platform.python_version())
        self._checks = {probe: ServerCheck(metrics, probe) for probe in OWN_PROBES}
        for check in self._checks.values():
            check.begin()

    def reconfigure(self, *, stuck_after_s: float) -> None:
        """Follow a new configuration.

        Args:
            stuck_after_s: As for a new recorder.
        """
        self._stuck.stuck_after_s = stuck_after_s

    def add_target(self, target: LatencyConfig) -> None:
        """Let the series of a target exist, at 0. A known target is replaced."""
        key = agent, call_type, _ = target.key
        self._targets.setdefault(key, _Target(target)).config = target
        create = self._metrics.create
        create("voice_e2e_latency_seconds", *key)
        create("voice_turns_within_target_total", *key)
        for outcome in TurnOutcome:
            create("voice_turns_total", *key, outcome)
        for component, _ in _components(Components()):
            create("voice_component_latency_seconds", agent, call_type, component, "probe")
        create("voice_reported_e2e_latency_seconds", agent, call_type)
        create("voice_time_to_agent_seconds", agent)
        create("voice_time_to_greeting_seconds", agent)
        create_probe(self._metrics, "latency", agent)
        self._create_agent(agent)
        self._set_target_latency(agent, call_type)
        self._set_call_verdict(agent)

    def remove_target(self, target: LatencyConfig) -> None:
        """Remove the series of a target, except those that other targets share with it.

        An agent that is in a room stays among the agents and rooms.
        """
        key = agent, call_type, scenario = target.key
        if self._targets.pop(key, None) is None:
            return
        gone = {"agent_name": agent, "call_type": call_type, "scenario": scenario}
        siblings = [other for other in self._targets if other[0] == agent]
        if any(other[1] == call_type for other in siblings):
            self._set_target_latency(agent, call_type)
        else:
            del gone["scenario"]
        if siblings:
            self._set_call_verdict(agent)
        else:
            del gone["call_type"]
        others = {"workers", "agents and rooms"} if agent in self._listed else {"workers"}
        for row in TABLE:
            if row.group not in others and set(gone) <= set(row.labels):
                own = {"probe": "latency", "check": "latency"}
                kind = {label: name for label, name in own.items() if label in row.labels}
                self._metrics.remove(row.name, **gone, **kind)

    def record(self, outcome: Outcome) -> None:
        """Record a finished run: the listener."""
        if not self._is_watched(outcome):
            return  # the target or the probe was removed while it ran
        labels = outcome.probe, outcome.agent_name
        now = self._clock()
        self._metrics.add("voice_probe_attempts_total", 1, *labels)
        if outcome.reason is not None:
            self._metrics.add("voice_probe_failures_total", 1, *labels, outcome.reason)
        else:
            self._metrics.set("voice_probe_last_success_timestamp_seconds", now, *labels)
        self._metrics.set("voice_probe_success", outcome.ok, *labels)
        self._metrics.set("voice_probe_duration_seconds", outcome.duration_s, *labels)
        self._metrics.set("voice_probe_last_run_timestamp_seconds", now, *labels)
        if isinstance(outcome.result, CallResult):
            self._record_call(outcome, outcome.result)
        else:
            self._record_server(outcome)

    def skip(self, probe: str, agent_name: str, reason: str) -> None:
        """Count a run that was due and did not start; one of what was removed does not count."""
        if not has_probe(self._metrics, probe, agent_name):
            return
        self._metrics.add("voice_probe_skipped_total", 1, probe, agent_name, reason)
        when = "voice_probe_last_skip_timestamp_seconds"
        self._metrics.set(when, self._clock(), probe, agent_name, reason)

    def configured(self, successful: bool) -> None:
        """Note that the configuration was read; if it was bad, the one before is still used."""
        self._metrics.set("voice_exporter_config_last_reload_successful", successful)
        if successful:
            name = "voice_exporter_config_last_reload_success_timestamp_seconds"
            self._metrics.set(name, self._clock())

    def loop_lag(self, seconds: float) -> None:
        """Note how late the exporter's own event loop was at most, lately."""
        self._metrics.set("voice_exporter_loop_lag_seconds", seconds)

    def _is_watched(self, outcome: Outcome) -> bool:
        if isinstance(outcome.result, CallResult):
            return _key(outcome.result) in self._targets
        return has_probe(self._metrics, outcome.probe, outcome.agent_name)

    def _record_call(self, outcome: Outcome, result: CallResult) -> None:
        key = _key(result)
        target = self._targets[key]
        for turn in result.turns:
            if not turn.warmup:
                self._metrics.add("voice_turns_total", 1, *key, turn.outcome)
                self._observe_turn(target.config, turn)
        average_s = Stats.of(result.turns).avg_s
        if average_s is not None:
            self._metrics.set("voice_last_call_latency_seconds", average_s, *key)
        missing = target.config.trials - sum(not turn.warmup for turn in result.turns)
        if outcome.reason is not None and missing > 0:
            ended = TurnOutcome.VOID if outcome.reason in _OUR_FAULT else TurnOutcome.FAILED
            self._metrics.add("voice_turns_total", missing, *key, ended)
        for name, value in (
            ("voice_time_to_agent_seconds", result.time_to_agent_s),
            ("voice_time_to_greeting_seconds", result.time_to_greeting_s),
        ):
            if value is not None:
                self._metrics.observe(name, value, result.agent_name)
        target.verdict = outcome.verdict
        target.streak = target.streak.after(target.verdict)
        self._set_call_verdict(result.agent_name)

    def _observe_turn(self, target: LatencyConfig, turn: Turn) -> None:
        """Put an answered turn into the histograms, and among the good ones if it is."""
        if turn.outcome is not TurnOutcome.REPLIED or turn.e2e_s is None:
            return
        key = agent, call_type, _ = target.key
        if turn.e2e_s * 1000 <= target.target_ms:
            self._metrics.add("voice_turns_within_target_total", 1, *key)
        observe = self._metrics.observe
        observe("voice_e2e_latency_seconds", turn.e2e_s, *key)
        if turn.reported_e2e_s is not None:
            observe("voice_reported_e2e_latency_seconds", turn.reported_e2e_s, agent, call_type)
        for component, value in _components(turn.components):
            if value is not None:
                # Two clocks meet in `transport`; below 0 the sum of the histogram would fall.
                labels = agent, call_type, component, "probe"
                observe("voice_component_latency_seconds", max(0.0, value), *labels)

    def _record_server(self, outcome: Outcome) -> None:
        if isinstance(outcome.result, Listing):
            self._record_listing(outcome.result)
        elif isinstance(outcome.result, Calibration):
            self._metrics.set("voice_probe_floor_seconds", outcome.result.floor_s)
        if outcome.probe in self._checks:
            self._checks[outcome.probe].judge(outcome.verdict)

    def _record_listing(self, listing: Listing) -> None:
        """Show what is there now; a listing that failed does not come here: the last one stays."""
        self._metrics.set("voice_rooms", listing.rooms)
        kinds = dict.fromkeys((*KINDS, *self._other_kinds), 0) | dict(listing.participants)
        self._other_kinds |= kinds.keys() - KINDS
        for kind, count in kinds.items():
            self._metrics.set("voice_participants", count, kind)
        named = [agent.agent_name for agent in listing.agents]
        named += [dispatch.agent_name for dispatch in listing.pending]
        self._forget_agents(self._listed - set(named))
        self._listed = set(named)
        stuck = self._stuck.update(listing)
        for name in self._listed | {key[0] for key in self._targets}:
            self._show_agent(name, listing, stuck)

    def _show_agent(self, name: str, listing: Listing, stuck: dict[tuple[str, str], int]) -> None:
        states = [agent.state for agent in listing.agents if agent.agent_name == name]
        known = [state if state in AGENT_STATES else "unknown" for state in states]
        for state in AGENT_STATES:
            self._metrics.set("voice_agents", known.count(state), name, state)
        for state in STUCK_STATES:
            self._metrics.set("voice_agent_stuck", stuck.get((name, state), 0), name, state)
        ages = [each.age_s for each in listing.pending if each.agent_name == name]
        self._metrics.set("voice_dispatches_pending", len(ages), name)
        self._metrics.set("voice_dispatch_oldest_pending_seconds", max(ages, default=0), name)

    def _forget_agents(self, names: set[str]) -> None:
        """Remove the series of agents that are neither in a room nor a target."""
        for name in names - {key[0] for key in self._targets}:
            for row in TABLE:
                if row.group == "agents and rooms" and "agent_name" in row.labels:
                    self._metrics.remove(row.name, agent_name=name)

    def _create_agent(self, agent: str) -> None:
        for state in AGENT_STATES:
            self._metrics.create("voice_agents", agent, state)
        for state in STUCK_STATES:
            self._metrics.create("voice_agent_stuck", agent, state)
        self._metrics.create("voice_dispatches_pending", agent)
        self._metrics.create("voice_dispatch_oldest_pending_seconds", agent)

    def _set_target_latency(self, agent: str, call_type: str) -> None:
        same = (target for key, target in self._targets.items() if key[:2] == (agent, call_type))
        strictest_ms = min(target.config.target_ms for target in same)
        self._metrics.set("voice_target_latency_seconds", strictest_ms / 1000, agent, call_type)

    def _set_call_verdict(self, agent: str) -> None:
        targets = [target for key, target in self._targets.items() if key[0] == agent]
        set_verdict(self._metrics, "latency", agent, worst(each.verdict for each in targets))
        set_streak(self._metrics, "latency", agent, [each.streak for each in targets])


def _key(result: CallResult) -> TargetKey:
    return result.agent_name, result.call_type, result.scenario


def _components(components: Components) -> Iterator[tuple[str, float | None]]:
    """Give the label `component` and the seconds of each component."""
    for part in fields(components):
        yield part.name.removesuffix("_s"), getattr(components, part.name)
