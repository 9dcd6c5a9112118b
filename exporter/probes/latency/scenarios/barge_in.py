"""Barge-in: the caller begins to speak into the agent's speech, and is to be let speak."""

import math
import time
from dataclasses import replace

from exporter.errors import ProbeError
from exporter.outcome import (
    AnswerOutcome,
    CallResult,
    Interruption,
    InterruptionOutcome,
    Turn,
    TurnOutcome,
)
from exporter.outcome.timeline import CallerSpoke
from exporter.probes.latency.listening import DisturbedError
from exporter.probes.latency.scenarios.insertion import TALKS_ON_S, Inserted, Insertion
from exporter.probes.latency.scenarios.scene import Stage
from exporter.probes.latency.scenarios.silence import ENDS_ANYWAY_S, Reply, Span
from exporter.probes.latency.speaking import Said
from exporter.rtc.levels import WINDOW
from exporter.rtc.onset import sound_threshold

TOO_LATE = "the reply was over before the caller's sound: a longer answer, or a smaller `after`"
UNTOLD = (
    "it cannot be told whether the agent would have ended anyway: it reports no messages, and "
    "there is no reply of this length that was left alone"
)


def interruption(reply: Reply, spoke: CallerSpoke) -> Interruption:
    """Return what an agent did when it was interrupted, without the answer.

    Args:
        reply: What was heard since the interrupted reply began.
        spoke: What the caller said into it.
    """
    stop = reply.stop(spoke.at)
    if stop is None or stop[0] > spoke.until + TALKS_ON_S:
        return Interruption(InterruptionOutcome.TALKED_ON)
    if reply.goes_on(stop, spoke.at):
        return Interruption(InterruptionOutcome.RESUMED)
    marked, left_s = reply.marked(stop, spoke.at), reply.left_s(stop)
    if marked is False or (left_s is not None and left_s < ENDS_ANYWAY_S):
        return Interruption(InterruptionOutcome.FINISHED_FIRST)
    if marked is None and left_s is None:
        return Interruption(InterruptionOutcome.VOID, detail=UNTOLD)
    # It may have stopped in a pause of its own, before our first sample.
    return Interruption(InterruptionOutcome.YIELDED, max(0.0, stop[0] - spoke.at))


class BargeIn(Insertion):
    """Interrupts each answer but the first, or the greeting, and waits for the answer to that."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self._found: list[Interruption] = []

    async def greeting(self, deadline: float) -> None:
        """Interrupt the greeting, if the scenario is about that."""
        line = self._stage.line
        if self._stage.scenario.into != "greeting":
            return
        try:
            while (first := line.first_sound()) is None:
                if line.listens() and line.quiet_for(GREETING_WAIT_S):
                    return
                if time.monotonic() >= deadline:
                    return  # the wait for the greeting says why
                await line.hear_more(deadline)
            threshold_db = sound_threshold(line.noise())
            begun = await line.ear.time_of(first * WINDOW)
        except (DisturbedError, ProbeError):
            return  # the wait for the greeting says why
        await self._insert(begun, threshold_db)
        await self._conclude()
        self.forget()

    async def decided(self, inserted: Inserted) -> bool:
        """Listen until the agent has stopped, or has talked on."""
        return await self.stopped(inserted, wait_s=0.0) is not None

    async def after(self, said: Said, turn: Turn) -> None:
        """Wait for the answer to what was said into the reply of this turn."""
        if self._control_s is not None:
            await self._conclude()
            self.forget()
        await super().after(said, turn)

    async def _conclude(self) -> None:
        inserted = self.inserted
        if inserted is None:
            if self.spoiled:
                self._found.append(_void(self.spoiled))
            elif self.too_late:
                ended = Interruption(InterruptionOutcome.FINISHED_FIRST, detail=TOO_LATE)
                self._found.append(ended)
            return
        answer = None if self.spoiled else await self.answer(inserted)
        self._found.append(self._judged(inserted, answer))

    def _judged(self, inserted: Inserted, answer: Turn | None) -> Interruption:
        if self.spoiled:
            return _void(self.spoiled)
        reply = self.of_inserted(inserted)
        found = interruption(reply, inserted.said.spoke)
        stop = reply.stop(inserted.said.spoke.at)
        if late := self.late(inserted, stop[0] if stop and found.yield_s is not None else None):
            return _void(late)
        if found.outcome is InterruptionOutcome.TALKED_ON:
            return _answered_later(found, stop, inserted.said.end)
        return _with_answer(found, answer)

    def noted(self, result: CallResult) -> CallResult:
        """Return the result with the interruptions so far."""
        return replace(result, interruptions=tuple(self._found))


GREETING_WAIT_S = 5.0
"""Silence after which no greeting is expected any more."""


def _with_answer(found: Interruption, answer: Turn | None) -> Interruption:
    if answer is None or answer.outcome is TurnOutcome.VOID:
        return found
    # What goes on with the old reply is no answer.
    resumed = found.outcome is InterruptionOutcome.RESUMED
    if resumed or answer.answered_s is None:
        return replace(found, answer=AnswerOutcome.UNANSWERED)
    return replace(found, answer=AnswerOutcome.ANSWERED, answer_s=answer.answered_s)


def _answered_later(found: Interruption, stop: Span | None, end: float) -> Interruption:
    """Return it with the answer of an agent that first talked to its end."""
    if stop is None or math.isinf(stop[1]):
        return replace(found, answer=AnswerOutcome.UNANSWERED)
    return replace(found, answer=AnswerOutcome.ANSWERED, answer_s=stop[1] - end)


def _void(detail: str) -> Interruption:
    return Interruption(InterruptionOutcome.VOID, detail=detail)
