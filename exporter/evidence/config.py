"""Settings of the evidence: which calls are kept to be seen and heard."""

from typing import Literal

from pydantic import Field

from exporter.config.values import Section
from exporter.outcome import Outcome, Verdict


class EvidenceConfig(Section):
    """Calls that are kept to be seen and heard: sound, timeline, log.

    Only the exporter's own synthetic calls, never those of people. Needs the store on disk.
    """

    keep: Literal["failures", "slow", "all", "none"] = Field(
        "slow",
        description="Which calls are kept: failures, those that failed; slow, those that failed or "
        "were slow; all; none.",
    )
    audio: bool = Field(True, description="Keep the sound of the call, both sides.")
    text: bool = Field(
        False, description="Keep what was said as words: transcripts and messages of the agent."
    )
    days: float = Field(7, gt=0, le=3650, description="Days after which a kept call is deleted.")
    max_mb: float = Field(
        500,
        gt=0,
        description="Maximum size of all kept calls in MB; the oldest are deleted first.",
    )

    def wants(self, outcome: Outcome) -> bool:
        """Tell whether a call is kept, now that its verdict is known."""
        if self.keep == "all":
            return True
        failed = outcome.reason is not None or outcome.verdict is Verdict.FAIL
        slow = self.keep == "slow" and outcome.verdict is Verdict.SLOW
        return self.keep != "none" and (failed or slow)
