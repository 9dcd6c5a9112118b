"""Targets by name, for people and for /probe; and what the API tells of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pydantic import ConfigDict, with_config

from exporter.outcome import Reason, Verdict
from exporter.probes.latency.spec import LatencyConfig
from exporter.web.board import Board


@with_config(ConfigDict(use_attribute_docstrings=True))
@dataclass(frozen=True, slots=True)
class TargetStatus:
    """One agent that is called on a schedule."""

    id: str
    """As `target` of /probe: AGENT, or AGENT/CALL_TYPE/SCENARIO."""
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
    return "/".join(target.key)


def target_name(target: LatencyConfig, targets: Sequence[LatencyConfig]) -> str:
    """Return the shortest name of a target: its agent's, where no other target has the same."""
    same = sum(other.agent_name == target.agent_name for other in targets)
    return target.agent_name if same == 1 and target.agent_name else target_id(target)


def find_target(targets: Sequence[LatencyConfig], name: str) -> LatencyConfig | None:
    """Return the target of a name; None where there is none, or more than one."""
    for target in targets:
        if name in (target_id(target), target_name(target, targets)):
            return target
    return None


def target_statuses(
    board: Board, next_run: Callable[[str], datetime | None]
) -> tuple[TargetStatus, ...]:
    """Describe everything that is called.

    Args:
        board: What is watched and what came of it.
        next_run: When each work is due next, by its id.
    """
    found = []
    targets = board.targets
    for line in board.lines.values():
        config, last = line.work.config, line.last
        if isinstance(config, LatencyConfig):
            status = TargetStatus(
                id=target_name(config, targets),
                agent_name=config.agent_name,
                call_type=config.call_type,
                scenario=config.scenario,
                interval_s=config.interval,
                trials=config.trials,
                target_s=config.target_ms / 1000,
                verdict=line.verdict,
                last_run_at=last.started_at if last else None,
                next_run_at=next_run(line.work.id),
                reason=last.reason if last else None,
            )
            found.append(status)
    return tuple(found)
