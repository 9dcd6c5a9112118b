"""Backchannel and cough: a short sound into the agent's speech, which asks for nothing."""

from dataclasses import replace

from exporter.outcome import Backchannel, BackchannelOutcome, CallResult, Turn
from exporter.outcome.timeline import CallerSpoke
from exporter.probes.latency.scenarios.barge_in import TOO_LATE
from exporter.probes.latency.scenarios.insertion import TALKS_ON_S, Inserted, Insertion
from exporter.probes.latency.scenarios.scene import Stage
from exporter.probes.latency.scenarios.silence import ENDS_ANYWAY_S, RESUMES_S, Reply
from exporter.probes.latency.speaking import Said

MARGIN_S = 0.2
"""By so much a gap is longer than the longest of the reply that was left alone."""
ENDED_JUST_THEN = "the reply may have ended by itself just then"


def backchannel(reply: Reply, spoke: CallerSpoke, control_gap_s: float) -> Backchannel:
    """Return what an agent did at a short sound of the caller.

    Args:
        reply: What was heard since the reply began.
        spoke: The sound.
        control_gap_s: The longest silence inside a reply that was left alone.
    """
    until = spoke.until + TALKS_ON_S
    gap = reply.gap(spoke.at, until, control_gap_s + MARGIN_S)
    if gap is None:
        return Backchannel(BackchannelOutcome.IGNORED)
    if reply.goes_on(gap, spoke.at):
        return Backchannel(BackchannelOutcome.PAUSED, gap[1] - gap[0])
    marked, left_s = reply.marked(gap, spoke.at), reply.left_s(gap)
    if marked is False:
        return Backchannel(BackchannelOutcome.IGNORED)  # it had come to its end
    if marked is None and (left_s is None or left_s < ENDS_ANYWAY_S):
        return Backchannel(BackchannelOutcome.VOID, detail=ENDED_JUST_THEN)
    return Backchannel(BackchannelOutcome.STOPPED)


class ShortSound(Insertion):
    """Makes a short sound into each answer but the first."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._found: list[Backchannel] = []

    async def decided(self, inserted: Inserted) -> bool:
        """Listen until the agent has spoken on, or has had time to go on."""
        await self.stopped(inserted, wait_s=RESUMES_S)
        return False

    async def after(self, said: Said, turn: Turn) -> None:
        """Take note of what the agent did."""
        if self.spoiled or self.too_late:
            detail = self.spoiled or TOO_LATE
            self._found.append(Backchannel(BackchannelOutcome.VOID, detail=detail))
        elif (inserted := self.inserted) is not None:
            found = backchannel(
                self.of_inserted(inserted), inserted.said.spoke, self._control_gap_s
            )
            if late := self.late(inserted, None):
                found = Backchannel(BackchannelOutcome.VOID, detail=late)
            self._found.append(found)
        self.forget()
        await super().after(said, turn)

    def noted(self, result: CallResult) -> CallResult:
        """Return the result with the sounds so far."""
        return replace(result, backchannels=tuple(self._found))
