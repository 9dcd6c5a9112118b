"""The listener that logs runs: what changed, not what goes on as before."""

import logging
from collections.abc import Hashable
from dataclasses import dataclass

from exporter.outcome import CallResult, Outcome, Reason
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.scheduler import Work

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Streak:
    """Failures of one probe of one target in a row."""

    reason: Reason
    runs: int


class RunLog:
    """Writes a line for a finished run, and no flood while something is broken for long.

    A failure is a warning when it is the first or has another reason than the run before; the same
    again is of the level debug, and counted in the line of the first run that succeeds.
    """

    def __init__(self) -> None:
        self._streaks: dict[Hashable, _Streak] = {}

    def record(self, outcome: Outcome) -> None:
        """Log a finished run, and its own lines when someone debugs: the listener."""
        run: dict[str, object] = {
            "run": outcome.run_id,
            "probe": outcome.probe,
            "agent_name": outcome.agent_name or None,
        }
        for line in outcome.log:
            log.debug(line, extra=run)
        run["duration_s"] = outcome.duration_s
        if outcome.reason is None:
            self._succeeded(outcome, run)
        else:
            self._failed(outcome, outcome.reason, run)

    def forget(self, work: Work) -> None:
        """Forget what is run no more."""
        key = work.config.key if isinstance(work.config, LatencyConfig) else (work.agent_name,)
        self._streaks.pop((work.probe, *key), None)

    def _failed(self, outcome: Outcome, reason: Reason, run: dict[str, object]) -> None:
        streak = self._streaks.get(_subject(outcome))
        level = logging.WARNING
        if streak is not None and streak.reason is reason:
            streak.runs += 1
            level = logging.DEBUG
        else:
            runs = streak.runs if streak is not None else 0
            self._streaks[_subject(outcome)] = _Streak(reason, runs + 1)
        log.log(level, "run failed", extra=run | {"reason": reason, "detail": outcome.detail})

    def _succeeded(self, outcome: Outcome, run: dict[str, object]) -> None:
        streak = self._streaks.pop(_subject(outcome), None)
        if streak is not None:
            log.info("run ended", extra=run | {"failed_before": streak.runs})
        elif outcome.probe == "latency":
            log.info("run ended", extra=run)
        else:  # several a minute
            log.debug("run ended", extra=run)


def _subject(outcome: Outcome) -> Hashable:
    """Return the key of the runs of one target and probe."""
    if isinstance(outcome.result, CallResult):
        return outcome.probe, outcome.agent_name, outcome.result.call_type, outcome.result.scenario
    return outcome.probe, outcome.agent_name
