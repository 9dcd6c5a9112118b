"""What came of a turn: the times of a reply and its parts, or why none came."""

import time
from collections.abc import Awaitable, Callable

from exporter.limits import SOUND_S, Limit
from exporter.outcome import Reason, Turn, TurnOutcome
from exporter.outcome.timeline import AgentSounded
from exporter.probes.latency.deadline import REPLY_LIMIT_S, REPORT_TIMEOUT_S
from exporter.probes.latency.listening import Listening
from exporter.probes.latency.reply import MAX_LAG_S, SAID_ONLY_S, AwaitedReply, Habits
from exporter.probes.latency.speaking import RAN_DRY, Said
from exporter.rtc.levels import WINDOW, Pcm
from exporter.rtc.sound import reply_sound

AROUND_END_S = (-0.5, 0.1)
"""About the end of our speech: while it is handed over, and until it has left the queue."""

AROUND_REPLY_S = (-2.0, 0.5)
"""About the first sound of the reply: the frames by which the time of its first sample is known.
What happens between the two ends shifts neither: were it to void the turn, slow turns would be
dropped more often than quick ones."""

STALL_S = 2.0
"""Without a packet for so long the agent's media is dead: even with DTX one comes each 0.4 s."""

GONE_TIMEOUT_S = 25.0
"""How long the server may list a participant that has died."""


IntoReply = Callable[[Said, float], Awaitable[bool]]
"""Does something while the agent replies to that, from that time on; returns whether the reply is
over."""


async def nothing(_said: Said, _replied: float) -> bool:
    """Let the agent speak to its end."""
    return False


class Results:
    """Makes the result of each turn once its utterance was said.

    Args:
        line: On which the reply comes.
        habits: Of the agent; what a turn shows of them is kept there.
        reply_timeout: Seconds in which a reply has to begin.
    """

    def __init__(self, line: Listening, habits: Habits, reply_timeout: float) -> None:
        self._line = line
        self._habits = habits
        self._reply_timeout = reply_timeout
        self._awaited = AwaitedReply(line, habits, reply_timeout)
        self.heard: Pcm | None = None
        """The last reply that was timed, from its first sound to a while after its last."""

    async def of(self, said: Said, into: IntoReply = nothing) -> Turn:
        """Wait for the reply to an utterance, and return what came of it.

        Args:
            said: The utterance.
            into: What is done while the agent replies.

        Raises:
            DisturbedError: The line broke before the outcome was known.
            ProbeError: The call ended before.
        """
        onset = await self._awaited.onset(said)
        return await (self._failed(said) if onset is None else self._replied(said, onset, into))

    async def _replied(self, said: Said, onset: int, into: IntoReply) -> Turn:
        ear = self._line.ear
        replied = await ear.time_of(ear.first_loud_sample(onset, said.threshold_db))
        cut = await into(said, replied)
        later = None if cut else (await self._awaited.over(said)).answer
        self._sounded(replied, onset, said.threshold_db)
        after = await self._line.caller.received()
        answer = 0.0 if later is None else await ear.time_of(later)
        heard = self.heard = ear.audio(onset)
        report = await self._line.caller.events.report_since(
            said.began, answer or replied, REPORT_TIMEOUT_S, answer
        )
        only_said = not cut and self._line.caller.events.only_said_since(said.began)
        if only_said and not self._habits.says_answers:
            if (silent := self._unanswered(said)) is not None:
                return silent
            answer = 0.0  # all of it was said; so that was the answer
        self._habits.answers_follow = self._habits.answers_follow or answer > 0
        late = self._lag_at_ends(said.end, replied, answer or replied)
        if said.torn:
            return void(RAN_DRY, late)
        if late > MAX_LAG_S:
            return void(f"the prober: its event loop was {late * 1e3:.0f} ms late", late)
        # The time of the work behind a filler is none of the parts, nor transport.
        heard_s = (answer or replied) - said.end
        parts, wrong = report.split(heard_s, whole=not answer)
        return Turn(
            TurnOutcome.REPLIED,
            e2e_s=replied - said.end,
            time_to_answer_s=answer - said.end if answer else None,
            components=parts,
            implausible=wrong,
            reported_e2e_s=report.plausible_e2e_s(heard_s),
            loop_lag_s=late,
            jitter_buffer_s=after.depth_since(said.before) if after and said.before else None,
            reply=await reply_sound(heard),
        )

    def _sounded(self, at: float, onset: int, threshold_db: float) -> None:
        """Note that the agent was heard from `at` on, to its last sound."""
        levels = self._line.ear.levels(onset)
        loud = [number for number, level in enumerate(levels) if level >= threshold_db]
        until = self._line.ear.time_by_now((onset + max(loud, default=0) + 1) * WINDOW)
        self._line.caller.events.timeline.add(AgentSounded(at=at, until=until))

    def _unanswered(self, said: Said) -> Turn | None:
        """Return the turn in which an agent said a filler only; None if that was its answer.

        Raises:
            ProbeError: The call ended while the agent worked.
        """
        if error := self._line.caller.events.error_since(said.began):
            return Turn.without_reply(Reason.AGENT_ERROR, f"the agent reported: {error}")
        state = self._line.caller.state
        if state != "thinking" and not self._habits.answers_follow:
            # In a first turn these words may be a greeting that came late.
            self._habits.says_answers = self._habits.greeted
            return None
        self._line.caller.check()
        self._line.check_line()
        if said.torn:
            return void(RAN_DRY)
        waited = REPLY_LIMIT_S if state == "thinking" else SAID_ONLY_S
        detail = f"a filler, and no answer for {waited:g} s (agent state {state!r})"
        failed = Limit.ANSWER.ran_out(detail, time.monotonic() - waited, waited)
        return Turn.without_reply(failed.reason, failed.detail)

    async def _failed(self, said: Said) -> Turn:
        """Say why no reply came: we were late, an error was told, the agent is dead, or silence."""
        if said.torn:
            return void(RAN_DRY)
        await self._line.caller.check_key()
        error = self._line.caller.events.error_since(said.began)
        if error:
            return Turn.without_reply(Reason.AGENT_ERROR, f"the agent reported: {error}")
        state, since = self._line.caller.state or "unknown", time.monotonic()
        if await self._media_stalled():
            # It will not answer the next utterance either: this ends the call.
            detail = f"the agent's media stopped, but it is still in the room (state {state!r})"
            dead = Limit.PACKETS.ran_out(detail, since, STALL_S)
            if not dead.reason.is_own_fault:
                await self._line.wait(GONE_TIMEOUT_S)
            raise dead
        waited = self._reply_timeout
        detail = f"silence for {waited:g} s (agent state {state!r})"
        if self._awaited.missing_s(said) <= SOUND_S:
            return Turn.without_reply(Reason.NO_REPLY, detail)
        failed = Limit.REPLY.ran_out(detail, said.end, waited)
        return Turn.without_reply(failed.reason, failed.detail)

    def _lag_at_ends(self, end: float, *replies: float) -> float:
        """Return the largest lateness of our event loop about both ends of a turn."""
        spans = ((end, AROUND_END_S), *((each, AROUND_REPLY_S) for each in replies))
        return max(
            self._line.caller.lag.worst(at + begin, at + until) for at, (begin, until) in spans
        )

    async def _media_stalled(self) -> bool:
        before = await self._line.caller.received()
        await self._line.wait(STALL_S)
        after = await self._line.caller.received()
        return before is not None and after is not None and after.packets == before.packets


def void(detail: str, late_s: float | None = None) -> Turn:
    """Return a turn that proves nothing, with why."""
    return Turn.without_reply(Reason.VOID, detail, late_s)
