"""The caller's side of a turn: an utterance, and the RPCs around it (push to talk)."""

import time
from dataclasses import dataclass

from exporter.errors import ProbeError
from exporter.limits import Limit
from exporter.outcome.timeline import CallerSpoke
from exporter.probes.latency.deadline import RPC_S
from exporter.probes.latency.listening import Listening
from exporter.rtc.clip import Clip
from exporter.rtc.line import Received
from exporter.rtc.onset import sound_threshold

RAN_DRY = "the prober: its audio queue ran empty"

LEAVING_S = 3.5
"""So long after it has gone at most do others hear that an agent has left."""


@dataclass(frozen=True, slots=True)
class Said:
    """One utterance on its way."""

    began: float
    """When the turn began; what the agent reports from then on belongs to it."""
    spoke: CallerSpoke
    threshold_db: float
    before: Received | None
    clip: Clip
    torn: bool
    """It had a gap: the agent may answer it twice, and late."""

    @property
    def end(self) -> float:
        """When the last sample of speech left the source."""
        return self.spoke.until


class RefusedError(Exception):
    """The agent did not take an RPC: it does not know that the caller's turn began or ended.

    Args:
        error: Why, and whose fault that is.
    """

    def __init__(self, error: ProbeError) -> None:
        super().__init__(error.detail)
        self.error = error


class Speaking:
    """Says utterances."""

    def __init__(self, line: Listening) -> None:
        self._line = line

    async def say(
        self, clip: Clip, at: float | None = None, threshold_db: float | None = None
    ) -> Said:
        """Say an utterance; return when its last sample has left.

        Args:
            clip: What is said.
            at: When its first sample is due, on the monotonic clock; as soon as possible if None.
            threshold_db: Level in dBFS of a sound; by what is heard now, if None, which has to be
                the noise of the line.
        """
        caller = self._line.caller
        if threshold_db is None:
            threshold_db = sound_threshold(self._line.noise())
        microphone = caller.microphone
        before = await caller.received()
        began, underruns = time.monotonic(), microphone.underruns
        start = microphone.play(clip.pcm, at)
        end = await microphone.time_of(start + clip.speech_end)
        first = await microphone.time_of(start + clip.speech_start)
        # All of the speech has been pushed: a gap after this one is a gap in silence.
        torn = microphone.underruns > underruns
        spoke = CallerSpoke(at=first, until=end)
        caller.events.timeline.add(spoke)
        return Said(began, spoke, threshold_db, before, clip, torn)

    async def perform(self, method: str, at: float = 0.0) -> None:
        """Perform an RPC at the agent, if one is named, not before the time `at`.

        Raises:
            RefusedError: The agent did not take it.
            DisturbedError: The line broke.
            ProbeError: The call has ended.
        """
        if not method:
            return
        await self._line.wait(at - time.monotonic())
        asked = time.monotonic()
        if why := await self._line.caller.perform(method, RPC_S):
            failed = Limit.RPC.ran_out(
                f"the agent did not take the RPC {method!r}: {why}", asked, RPC_S
            )
            await self._line.wait(LEAVING_S)  # others learn late that an agent has left
            raise RefusedError(failed)
