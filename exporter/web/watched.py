"""What is watched, with the last run of each: for the status page, the API and /probe."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from pydantic import ConfigDict, with_config

from exporter.outcome import CallResult, Outcome, Reason, Verdict
from exporter.probes.latency.key import TargetKey, joined
from exporter.probes.latency.spec import LatencyConfig, as_target
from exporter.run.scheduler import Work
from exporter.store.records import RunRecord
from exporter.web.past import Past

_Key = tuple[str, TargetKey | None]
"""A probe, and its target where it has one."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that someone asked for on the status page."""

    at: datetime
    run: RunRecord | None = None
    """What came of it."""
    refusal: str = ""
    """Why none was made. Neither of both: it is under way."""

    @property
    def is_under_way(self) -> bool:
        """Whether it has not ended."""
        return self.run is None and not self.refusal


@dataclass(slots=True)
class Watched:
    """Something that is watched."""

    work: Work
    last: Outcome | None = None
    """Of the schedule, since the start of the exporter."""
    past: Past = field(default_factory=Past)
    """All that is known, also from before the start."""
    asked: Asked | None = None
    """The last call that someone asked for."""

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
    _restored: dict[_Key, Past] = field(default_factory=dict)
    """Of what is not watched yet."""

    def add(self, work: Work) -> None:
        """Watch something; what is watched already keeps its last run."""
        if work.id in self.lines:
            self.lines[work.id].work = work
        else:
            self.lines[work.id] = Watched(work, past=self._restored.pop(_key(work), Past()))

    def remove(self, work_id: str) -> None:
        """Watch it no more."""
        self.lines.pop(work_id, None)

    def park(self, work_id: str) -> None:
        """Forget the last run of what another exporter runs now: it says nothing any more."""
        if (line := self.lines.get(work_id)) is not None:
            line.last = None

    def restore(self, runs: Iterable[RunRecord]) -> None:
        """Take what an exporter before this one knew, before anything is watched.

        Args:
            runs: From the ledger, the oldest first.
        """
        for run in runs:
            key = (run.agent_name, run.call_type, run.scenario) if run.call_type else None
            self._restored.setdefault((run.probe, key), Past()).add(run)

    def copy(self) -> "WatchList":
        """Return what is watched as it is now, to be read in any thread."""
        lines = {key: replace(each, past=each.past.copy()) for key, each in self.lines.items()}
        return WatchList(self.server, lines)

    @property
    def targets(self) -> tuple[LatencyConfig, ...]:
        """Every agent that is called, and how."""
        configs = (line.work.config for line in self.lines.values())
        targets = map(as_target, configs)
        return tuple(target for target in targets if target is not None)

    def record(self, outcome: Outcome) -> None:
        """Keep a finished run: the listener."""
        found = outcome.result
        key = found.key if isinstance(found, CallResult) else None
        for line in self.lines.values():
            if _key(line.work) == (outcome.probe, key):
                line.last = outcome
                line.past.add(RunRecord.of(outcome))

    def record_asked(self, work_id: str, outcome: Outcome) -> None:
        """Keep a finished call that someone asked for: it is shown, and no verdict follows."""
        line = self.lines.get(work_id)
        if line is not None:
            run = RunRecord.of(outcome)
            line.past.add(run, scheduled=False)
            if line.asked is not None and line.asked.is_under_way:
                line.asked = Asked(line.asked.at, run)


def _key(work: Work) -> _Key:
    target = as_target(work.config)
    return work.probe, None if target is None else target.key


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
