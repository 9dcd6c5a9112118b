"""Targets by name, for people and for /probe; and what the API tells of them."""

from collections.abc import Callable, Sequence
from datetime import datetime

from exporter.probes.latency.spec import LatencyConfig
from exporter.web.board import Board
from exporter.web.views import TargetView


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


def target_views(
    board: Board, next_run: Callable[[str], datetime | None]
) -> tuple[TargetView, ...]:
    """Describe everything that is called.

    Args:
        board: What is watched and what came of it.
        next_run: When each work is due next, by its id.
    """
    views = []
    targets = board.targets
    for line in board.lines.values():
        config, last = line.work.config, line.last
        if isinstance(config, LatencyConfig):
            view = TargetView(
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
            views.append(view)
    return tuple(views)
