"""What is watched, with the last run of each: for the status page, the API and /probe."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ConfigDict, with_config

from exporter.outcome import Outcome, Reason, Verdict
from exporter.probes.latency.spec import LatencyConfig, as_target, joined
from exporter.run.scheduler import Work

FAILURES_KEPT = 5
"""Of each probe of each target: an outage of one must not hide the failures of others."""


@dataclass(slots=True)
class Watched:
    """Something that is watched."""

    work: Work
    last: Outcome | None = None
    failures: deque[Outcome] = field(default_factory=lambda: deque(maxlen=FAILURES_KEPT))
    """Its latest runs that failed, newest first; runs that succeed do not push them out."""

    @property
    def verdict(self) -> Verdict:
        """The judgement of the last run; UNKNOWN before it."""
        return Verdict.UNKNOWN if self.last is None else self.last.verdict


@dataclass(slots=True)
class WatchList:
    """What is watched and what came of it lately."""

    server: str
    lines: dict[str, Watched] = field(default_factory=dict)
    """By the id of the work."""

    def add(self, work: Work) -> None:
        """Watch something; what is watched already keeps its last run."""
        self.lines.setdefault(work.id, Watched(work)).work = work

    def remove(self, work_id: str) -> None:
        """Watch it no more."""
        self.lines.pop(work_id, None)

    @property
    def failures(self) -> list[Outcome]:
        """The latest failures of all that is watched, newest first."""
        found = [each for line in self.lines.values() for each in line.failures]
        return sorted(found, key=lambda outcome: outcome.started_at, reverse=True)

    @property
    def targets(self) -> tuple[LatencyConfig, ...]:
        """Every agent that is called, and how."""
        configs = (line.work.config for line in self.lines.values())
        targets = map(as_target, configs)
        return tuple(target for target in targets if target is not None)

    def record(self, outcome: Outcome) -> None:
        """Keep a finished run: the listener."""
        for line in self.lines.values():
            target = as_target(line.work.config)
            key = target.key if target is not None else ()
            if (line.work.probe, key) == (outcome.probe, outcome.target):
                line.last = outcome
                if outcome.reason is not None:
                    line.failures.appendleft(outcome)


@with_config(ConfigDict(use_attribute_docstrings=True))
@dataclass(frozen=True, slots=True)
class TargetStatus:
    """One agent that is called on a schedule."""

    id: str
    """As `target` of /probe: AGENT, or AGENT/CALL_TYPE/SCENARIO with %2F for a slash in a name."""
    agent_name: str
    call_type: str
    scenario: str
    interval_s: float
    trials: int
    """Measured turns of one call."""
    target_s: float
    """Above this average the agent is SLOW."""
    verdict: Verdict
    """Of the last run."""
    last_run_at: datetime | None
    """When the last run began."""
    next_run_at: datetime | None
    reason: Reason | None
    """Why the last run failed; null when it did not."""


def target_id(target: LatencyConfig) -> str:
    """Return what names a target beyond doubt."""
    return joined(target.key)


def target_name(target: LatencyConfig, targets: Sequence[LatencyConfig]) -> str:
    """Return the shortest name of a target: its agent's, where that means no other target."""
    name = target.agent_name
    meant = sum(name in (other.agent_name, target_id(other)) for other in targets)
    return name if meant == 1 and name else target_id(target)


def find_target(targets: Sequence[LatencyConfig], name: str) -> LatencyConfig | None:
    """Return the target of a name, or None."""
    for target in targets:
        if name in (target_id(target), target_name(target, targets)):
            return target
    return None


def target_statuses(
    watched: WatchList, next_run: Callable[[str], datetime | None]
) -> tuple[TargetStatus, ...]:
    """Describe everything that is called.

    Args:
        watched: What is watched and what came of it.
        next_run: When each work is due next, by its id.
    """
    found = []
    targets = watched.targets
    for line in watched.lines.values():
        config, last = as_target(line.work.config), line.last
        if config is not None:
            status = TargetStatus(
                id=target_name(config, targets),
                agent_name=config.agent_name,
                call_type=config.call_type,
                scenario=config.scenario,
                interval_s=config.interval,
                trials=config.measured,
                target_s=config.target_ms / 1000,
                verdict=line.verdict,
                last_run_at=last.started_at if last else None,
                next_run_at=next_run(line.work.id),
                reason=last.reason if last else None,
            )
            found.append(status)
    return tuple(found)
