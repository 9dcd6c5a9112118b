"""When a run began, and what is known of one that nobody waits for any more."""

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from exporter.config.values import ProbeSection
from exporter.outcome import Outcome, Reason, Turn, failure
from exporter.run.process import partial_result


@dataclass(slots=True)
class Began:
    """When a run had its process and the consent of all gates; None until then."""

    at: datetime | None = None
    clock_s: float = 0.0
    """The same on the monotonic clock."""

    def now(self) -> None:
        """Note that it begins."""
        self.at, self.clock_s = datetime.now(UTC), time.monotonic()

    def given_up(
        self, probe: str, agent_name: str, config: ProbeSection, run_id: str, turns: list[Turn]
    ) -> Outcome:
        """Return the Outcome of a run that was cancelled by who asked for it.

        Args:
            probe: What was run.
            agent_name: Whom it called.
            config: Its configuration.
            run_id: Of the run.
            turns: Those that ended.
        """
        outcome = Outcome(
            probe=probe,
            agent_name=agent_name,
            started_at=self.at or datetime.now(UTC),
            duration_s=time.monotonic() - self.clock_s,
            reason=Reason.DEADLINE,
            detail="the requester of the run did not wait for its end",
            result=partial_result(config, turns),
            run_id=run_id,
        )
        return replace(outcome, findings=failure(outcome))
