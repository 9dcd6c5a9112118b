"""The conversation: wait for the greeting to end, speak, hear the reply, wait for its end."""

import asyncio
import math
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import cycle

from exporter.errors import ProbeError
from exporter.outcome import (
    Expectation,
    Reason,
    ReplySound,
    SilentStage,
    Turn,
    TurnOutcome,
)
from exporter.outcome.timeline import AgentSounded, CallerSpoke
from exporter.probes.latency.expectations import Seen, expectations, may_come
from exporter.probes.latency.fillers import SILENCE_S, Fillers
from exporter.probes.latency.script import TOLD_S, Expect
from exporter.probes.latency.spec import REPLY_LIMIT_S, REPORT_TIMEOUT_S, RPC_S, LatencyConfig
from exporter.probes.latency.stages import silent_stage, stages
from exporter.probes.latency.understood import score
from exporter.rtc.clip import Clip
from exporter.rtc.hearing import Hearing
from exporter.rtc.levels import WINDOW, WINDOW_S, Pcm
from exporter.rtc.line import Line, Received
from exporter.rtc.onset import (
    MIN_SOUND_S,
    RECENT_WINDOWS,
    OnsetDetector,
    quiet_level,
    sound_threshold,
)
from exporter.rtc.sound import SoundOfReply, blocks

MAX_LAG_S = 0.020
"""An event loop later than this at one of the two ends of a turn voids it."""

AROUND_END_S = (-0.5, 0.1)
"""About the end of our speech: while it is handed over, and until it has left the queue."""

AROUND_REPLY_S = (-2.0, 0.5)
"""About the first sound of the reply: the frames by which the time of its first sample is known.
What happens between the two ends shifts neither: were it to void the turn, slow turns would be
dropped more often than quick ones."""

CATCH_UP_S = 1.0
"""After the time for a reply: what an event loop that was late has not yet read may come."""

QUIET_S = 0.5
"""Silence after which a greeting is over."""

REPLY_OVER_S = 1.0
"""Silence after which a reply is over; longer than a pause between two sentences."""

MIN_REPLY_S = 0.04
"""Sound that begins sooner after the caller's last cannot be a reply to it: Opus packets and the
jitter buffers alone take longer. The agent talks over the caller."""

TALK_OVER_S = 0.2
"""Silence after which an agent that talked over the caller's end, and says that it speaks no
more, is heard anew. One that tells no state is, after `REPLY_OVER_S`: it may be between sentences.
"""

SAID_ONLY_S = 12.0
"""Silence after a filler, in the state `listening`, after which no answer will follow. Shorter than
the 15 s after which livekit-agents holds a caller for gone."""

BUSY = ("speaking", "thinking")
"""States in which an agent has not finished its turn: after a tool call it speaks again."""

RAN_DRY = "the prober: its audio queue ran empty"
TORN = "the prober: an earlier utterance had a gap and may be answered late"

LEAVING_S = 3.5
"""So long after it has gone at most do others hear that an agent has left."""

STALL_S = 2.0
"""Without a packet for so long the agent's media is dead: even with DTX one comes each 0.4 s."""

LOOK_S = 0.1
"""Time between two looks at what the agent has reported, where something is expected of it."""

GONE_TIMEOUT_S = 25.0
"""How long the server may list a participant that has died."""


@dataclass(frozen=True, slots=True)
class _Said:
    """One utterance on its way."""

    began: float
    """When the turn began; what the agent reports from then on belongs to it."""
    spoke: CallerSpoke
    threshold_db: float
    before: Received | None
    clip: Clip

    @property
    def end(self) -> float:
        """When the last sample of speech left the source."""
        return self.spoke.until


class _DisturbedError(Exception):
    """The line broke: nothing that was heard since tells of the agent."""


class _RefusedError(Exception):
    """The agent did not take an RPC: it does not know that the caller's turn began or ended."""


class Conversation:
    """The turns of one call, once the agent can be heard.

    Args:
        caller: In the room, with an ear on the agent's track; a `Caller` outside of tests.
        config: Of the target: greeting and time-outs.
        clips: The utterances, one for each turn, again from the first one after the last.
    """

    def __init__(self, caller: Line, config: LatencyConfig, clips: Iterable[Clip]) -> None:
        self._caller = caller
        self._config = config
        self._clips = cycle(clips)
        self._clip: Clip | None = None
        """Of this turn; of the next one as well, where nobody was there who could answer it."""
        self._spoiled = ""
        """Why this turn proves nothing about what the agent does; a late loop spoils times only."""
        self._had_gap = False
        """An utterance of ours had a gap: the agent may answer it twice, and late."""
        self._says_answers = False
        """It reports no latency of its answers, and nothing follows them: they are no fillers."""
        self._answers_follow = False
        """An answer has followed a filler in this call."""
        self._greeted = False
        """The first words of the agent have been heard, or would have been by now."""
        self._last: _Said | None = None
        self.heard: Pcm | None = None
        """The last reply that was timed, from its first sound to a while after its last."""

    async def greeting(self) -> float | None:
        """Wait until the agent listens and is silent, after its greeting if it greets.

        Returns:
            When its first sound was heard, on the monotonic clock; None if it did not greet.

        Raises:
            ProbeError: greeting_timeout, encrypted, or why the call ended.
        """
        config = self._config
        deadline = time.monotonic() + config.greeting_timeout
        while time.monotonic() < deadline:
            if self._listens() and self._quiet_for(QUIET_S):
                greeted = self._first_sound()
                if greeted is not None:
                    self._greeted = True
                    return await self._ear.time_of(greeted * WINDOW)
                if config.greeting == "none":
                    return None
                if config.greeting == "auto" and self._quiet_for(config.greeting_wait):
                    return None
            try:
                await self._hear_more(deadline)
            except _DisturbedError:
                await self._mend()
        await self._caller.check_key()
        what = f"the agent did not start to listen (state {self._caller.state or 'unknown'!r})"
        if config.greeting == "expected" and self._first_sound() is None:
            what = "no greeting"
        detail = f"{what} within {config.greeting_timeout:g} s"
        raise ProbeError(Reason.GREETING_TIMEOUT, detail)

    async def late_greeting(self) -> float | None:
        """Wait until a greeting is over that began during the utterance just spoken.

        An agent may report that it listens before its first word, and drop what it hears during
        that word: the missing reply is no failure of it.

        Returns:
            When its first sound was heard, on the monotonic clock; None if there was none, or if
            the agent had greeted before.
        """
        said, ear = self._last, self._caller.ear
        if said is None or ear is None or self._greeted:
            return None
        self._greeted = True
        first, last = ear.window_at(said.began), ear.window_at(said.end + MIN_REPLY_S)
        found = _first_sound(ear.levels(first, last), said.threshold_db, first)
        if found is None:
            return None
        self._clip = said.clip
        deadline = time.monotonic() + REPLY_LIMIT_S
        with suppress(_DisturbedError):  # the next turn sees to it
            while not (self._listens() and self._quiet_for(QUIET_S)):
                if time.monotonic() >= deadline:
                    break
                await self._hear_more(deadline)
        return await ear.time_of(found * WINDOW)

    def hand_over(self) -> None:
        """Forget what is known of the agent: another one goes on."""
        self._says_answers = self._answers_follow = self._greeted = False
        self._last = None

    async def turn(self) -> Turn:
        """Speak once and time the reply.

        After an utterance that had a gap nothing is said any more, and the turn is void: a late
        answer to that one would be taken for the reply to this one.

        Raises:
            ProbeError: Why the call ended, if it did before the outcome was known.
        """
        self._greeted = self._greeted or self._last is not None
        self._last = None
        self._spoiled = TORN if self._had_gap else ""
        if self._had_gap:
            return _void(TORN)
        clip = self._clip = self._clip or next(self._clips)
        self._caller.check()  # nothing is said to a room that the agent has left
        if self._caller.disturbance():  # at the end of the turn before, where it cost nothing
            await self._mend()
        self._caller.turn_begins()
        turn = await self._say_and_hear(clip)
        self._clip = None
        return turn

    async def _say_and_hear(self, clip: Clip) -> Turn:
        try:
            await self._perform(self._config.turn.start_rpc)
            said = self._last = await self._speak(clip)
            await self._perform(self._config.turn.end_rpc, said.end)
            onset = await self._onset(said)
            return await (self._failed(said) if onset is None else self._replied(said, onset))
        except _DisturbedError as disturbed:
            self._spoiled = str(disturbed)
            await self._mend()
            return _void(str(disturbed))
        except _RefusedError as refused:
            return Turn.without_reply(Reason.AGENT_ERROR, str(refused))

    def explained(self, turn: Turn) -> Turn:
        """Return the turn just taken with how far the agent came in it, and what it understood."""
        silent = turn.reason is Reason.NO_REPLY
        if self._last is None or not (silent or turn.outcome is TurnOutcome.REPLIED):
            return turn
        call, spoke = self._caller.events.timeline, self._last.spoke
        finals, words = call.finals(spoke.at), self._last.clip.words
        heard = score(words, [each.text for each in finals]) if finals and words else None
        turn = replace(turn, stages=stages(call, spoke), transcription=heard)
        if not silent:
            return turn
        where = silent_stage(call, spoke)
        known = where is not SilentStage.UNKNOWN
        detail = f"{turn.detail}: {where.words}" if known else turn.detail
        return replace(turn, silent_stage=where, detail=detail)

    async def expected(self, step: int, expect: Expect, turn: Turn) -> tuple[Expectation, ...]:
        """Wait until what is expected in a step has happened, and return what became of it.

        A call that ends meanwhile ends the wait: the next turn tells why.

        Args:
            step: Its place in the script, from 1.
            expect: Of the step.
            turn: The turn of the step, just taken.
        """
        until = time.monotonic() + TOLD_S
        if expect.within is not None and self._last is not None:
            until = self._last.end + expect.within
        replied = turn.outcome is not TurnOutcome.FAILED
        with suppress(ProbeError):
            while may_come(self.met(step, expect, until, replied=replied)):
                if (left := until - time.monotonic()) <= 0:
                    break
                await self._caller.sleep_until_change(min(left, LOOK_S))
        return self.met(step, expect, until, replied=replied)

    def met(
        self,
        step: int,
        expect: Expect,
        until: float = math.inf,
        *,
        replied: bool = False,
        spoiled: str = "",
    ) -> tuple[Expectation, ...]:
        """Return what has become so far of what is expected in a step; see `Seen`."""
        since = math.inf if self._last is None else self._last.spoke.at
        spoiled = spoiled or self._spoiled
        call = self._caller.events.timeline
        seen = Seen(call=call, since=since, until=until, replied=replied, spoiled=spoiled)
        return expectations(step, expect, seen)

    @property
    def _ear(self) -> Hearing:
        if self._caller.ear is None:
            raise RuntimeError("the caller receives no audio of the agent")
        return self._caller.ear

    async def _speak(self, clip: Clip) -> _Said:
        noise = self._noise()
        microphone = self._caller.microphone
        before = await self._caller.received()
        began, underruns = time.monotonic(), microphone.underruns
        start = microphone.play(clip.pcm)
        end = await microphone.time_of(start + clip.speech_end)
        first = await microphone.time_of(start + clip.speech_start)
        # All of the speech has been pushed: a gap after this one is a gap in silence.
        self._had_gap = microphone.underruns > underruns
        self._spoiled = RAN_DRY if self._had_gap else ""
        spoke = CallerSpoke(at=first, until=end)
        self._caller.events.timeline.add(spoke)
        return _Said(began, spoke, sound_threshold(noise), before, clip)

    async def _perform(self, method: str, at: float = 0.0) -> None:
        """Perform an RPC at the agent, if one is named, not before the time `at`."""
        if not method:
            return
        await self._wait(at - time.monotonic())
        if why := await self._caller.perform(method, RPC_S):
            await self._wait(LEAVING_S)  # others learn late that an agent has left
            raise _RefusedError(f"the agent did not take the RPC {method!r}: {why}")

    async def _onset(self, said: _Said) -> int | None:
        """Return the window in which the reply begins, or None if there is none in time."""
        ear = self._ear
        # What is heard while an RPC takes its time waits in the ear.
        deadline = max(said.end + self._config.reply_timeout, time.monotonic()) + CATCH_UP_S
        at = ear.window_at(said.end + MIN_REPLY_S)
        last = ear.window_at(said.end + self._config.reply_timeout)
        while ear.windows < at and time.monotonic() < deadline:
            await self._hear_more(deadline)
        before = ear.levels(at - round(MIN_REPLY_S / WINDOW_S), at)
        talking = any(level >= said.threshold_db for level in before)
        detector = None if talking else OnsetDetector(said.threshold_db, at)
        quiet = 0
        while at < last and not self._too_late(deadline):
            for level in ear.levels(at, last):
                at += 1
                if detector is None:
                    quiet = quiet + 1 if level < said.threshold_db else 0
                    if self._stopped_talking(quiet * WINDOW_S):
                        detector = OnsetDetector(said.threshold_db, at)
                elif (found := detector.push(level)) is not None:
                    return found
            await self._hear_more(max(deadline, time.monotonic() + WINDOW_S))
        return None

    def _too_late(self, deadline: float) -> bool:
        """Tell whether no more frames are due: none wait that a late loop has not yet read."""
        now = time.monotonic()
        return now >= deadline and self._caller.lag.worst(now - CATCH_UP_S, now) <= MAX_LAG_S

    def _stopped_talking(self, quiet_s: float) -> bool:
        """Tell whether an agent that talked over the caller has come to its end."""
        if self._caller.state:
            return self._caller.state != "speaking" and quiet_s >= TALK_OVER_S
        return quiet_s >= REPLY_OVER_S

    async def _replied(self, said: _Said, onset: int) -> Turn:
        ear = self._ear
        replied = await ear.time_of(ear.first_loud_sample(onset, said.threshold_db))
        fillers = await self._reply_over(said)
        self._sounded(replied, onset, said.threshold_db)
        after = await self._caller.received()
        answer = 0.0 if fillers.answer is None else await ear.time_of(fillers.answer)
        heard = self.heard = ear.audio(onset)
        report = await self._caller.events.report_since(
            said.began, answer or replied, REPORT_TIMEOUT_S, answer
        )
        if not self._says_answers and self._caller.events.only_said_since(said.began):
            if (silent := self._unanswered(said)) is not None:
                return silent
            answer = 0.0  # all of it was said; so that was the answer
        self._answers_follow = self._answers_follow or answer > 0
        late = self._lag_at_ends(said.end, replied, answer or replied)
        if self._had_gap:
            return _void(RAN_DRY, late)
        if late > MAX_LAG_S:
            return _void(f"the prober: its event loop was {late * 1e3:.0f} ms late", late)
        # The time of the work behind a filler is none of the parts, nor transport.
        parts, wrong = report.split((answer or replied) - said.end, whole=not answer)
        return Turn(
            TurnOutcome.REPLIED,
            e2e_s=replied - said.end,
            time_to_answer_s=answer - said.end if answer else None,
            components=parts,
            implausible=wrong,
            reported_e2e_s=report.e2e_s,
            loop_lag_s=late,
            jitter_buffer_s=after.depth_since(said.before) if after and said.before else None,
            reply=await _sound_of(heard),
        )

    def _sounded(self, at: float, onset: int, threshold_db: float) -> None:
        """Note that the agent was heard from `at` on, to its last sound."""
        levels = self._ear.levels(onset)
        loud = [number for number, level in enumerate(levels) if level >= threshold_db]
        until = self._ear.time_by_now((onset + max(loud, default=0) + 1) * WINDOW)
        self._caller.events.timeline.add(AgentSounded(at=at, until=until))

    def _unanswered(self, said: _Said) -> Turn | None:
        """Return the turn in which an agent said a filler only; None if that was its answer.

        Raises:
            ProbeError: The call ended while the agent worked.
        """
        if error := self._caller.events.error_since(said.began):
            return Turn.without_reply(Reason.AGENT_ERROR, f"the agent reported: {error}")
        state = self._caller.state
        if state != "thinking" and not self._answers_follow:
            # In a first turn these words may be a greeting that came late.
            self._says_answers = self._greeted
            return None
        self._caller.check()
        self._check_line()
        if self._had_gap:
            return _void(RAN_DRY)
        waited = REPLY_LIMIT_S if state == "thinking" else SAID_ONLY_S
        detail = f"a filler, and no answer for {waited:g} s (agent state {state!r})"
        return Turn.without_reply(Reason.NO_REPLY, detail)

    async def _failed(self, said: _Said) -> Turn:
        """Say why no reply came: we were late, an error was told, the agent is dead, or silence."""
        if self._had_gap:
            return _void(RAN_DRY)
        await self._caller.check_key()
        error = self._caller.events.error_since(said.began)
        if error:
            return Turn.without_reply(Reason.AGENT_ERROR, f"the agent reported: {error}")
        state = self._caller.state or "unknown"
        if await self._media_stalled():
            await self._wait(GONE_TIMEOUT_S)
            # It will not answer the next utterance either: this ends the call.
            detail = f"the agent's media stopped, but it is still in the room (state {state!r})"
            raise ProbeError(Reason.NO_REPLY, detail)
        waited = self._config.reply_timeout
        detail = f"silence for {waited:g} s (agent state {state!r})"
        return Turn.without_reply(Reason.NO_REPLY, detail)

    def _lag_at_ends(self, end: float, *replies: float) -> float:
        """Return the largest lateness of our event loop about both ends of a turn."""
        spans = ((end, AROUND_END_S), *((each, AROUND_REPLY_S) for each in replies))
        return max(self._caller.lag.worst(at + begin, at + until) for at, (begin, until) in spans)

    async def _media_stalled(self) -> bool:
        before = await self._caller.received()
        await self._wait(STALL_S)
        after = await self._caller.received()
        return before is not None and after is not None and after.packets == before.packets

    async def _wait(self, seconds: float) -> None:
        """Wait, unless the call ends or the line breaks meanwhile."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            await self._caller.sleep_until_change(left)
            self._check_line()

    async def _reply_over(self, said: _Said) -> Fillers:
        """Wait until the agent has finished: also what it says after it has worked again.

        A call that ends meanwhile takes nothing from a reply that was heard: the next turn tells.
        """
        fillers = Fillers(self._ear, said.threshold_db)
        deadline = time.monotonic() + REPLY_LIMIT_S
        with suppress(ProbeError, _DisturbedError):
            while time.monotonic() < deadline:
                works, busy = self._works(said), self._caller.state in BUSY
                fillers.look(works=works and self._quiet_for(SILENCE_S))
                if not busy and self._quiet_for(SAID_ONLY_S if works else REPLY_OVER_S):
                    break
                await self._hear_more(deadline)
        return fillers

    def _works(self, said: _Said) -> bool:
        """Tell whether all that the agent has said is a filler, as far as its reports tell."""
        speaks = self._caller.state == "speaking"
        fillers = self._caller.events.only_said_since(said.began)
        return fillers and not speaks and not self._says_answers

    async def _hear_more(self, deadline: float) -> None:
        """Wait for more audio, or for anything in the room."""
        self._caller.check()
        await self._ear.hear_more(deadline)
        self._caller.check()
        self._check_line()
        if self._caller.follow_sound():
            raise _DisturbedError("the agent began to speak by another of its tracks")

    def _check_line(self) -> None:
        if disturbance := self._caller.disturbance():
            raise _DisturbedError(disturbance)

    async def _mend(self) -> None:
        """Hear the agent again after the line broke.

        Raises:
            ProbeError: The call has ended, or the agent cannot be heard any more.
        """
        if self._caller.disturbance():
            await self._caller.listen(self._config.track_timeout)
        self._caller.turn_begins()

    def _first_sound(self) -> int | None:
        """Return the first window of sound since the track began, by what is noise now."""
        return _first_sound(self._ear.levels(0), sound_threshold(self._noise()), 0)

    def _listens(self) -> bool:
        return self._caller.state in ("listening", "")

    def _quiet_for(self, seconds: float) -> bool:
        count = int(seconds / WINDOW_S)
        ear = self._ear
        threshold = sound_threshold(self._noise())
        recent = ear.levels(ear.windows - count)
        # A click does not break silence.
        loud_s = sum(level >= threshold for level in recent) * WINDOW_S
        return ear.windows >= count and loud_s < MIN_SOUND_S

    def _noise(self) -> float:
        return quiet_level(self._ear.levels(self._ear.windows - RECENT_WINDOWS))


def _first_sound(levels: Sequence[float], threshold_db: float, first: int) -> int | None:
    """Return the first window of sound among those from `first` on."""
    detector = OnsetDetector(threshold_db, first)
    found = (detector.push(level) for level in levels)
    return next((window for window in found if window is not None), None)


async def _sound_of(heard: Pcm) -> ReplySound | None:
    """Return how a reply sounded, a block at a time: the microphone and the ear go on meanwhile.

    Both ends of its turn are over and no other turn has begun: nothing is timed.
    """
    sound = SoundOfReply()
    for block in blocks(heard):
        sound.take(block)
        await asyncio.sleep(0)
    return sound.result()


def _void(detail: str, late_s: float | None = None) -> Turn:
    return Turn.without_reply(Reason.VOID, detail, late_s)


def worst_turn(turns: Sequence[Turn]) -> tuple[Reason | None, str]:
    """Return why the call failed: its first failed turn, or that every turn is void."""
    for turn in turns:
        if turn.outcome is TurnOutcome.FAILED:
            return turn.reason, turn.detail
    if not any(turn.outcome is TurnOutcome.REPLIED and not turn.warmup for turn in turns):
        return Reason.VOID, next((t.detail for t in turns if t.detail), "no turn was measured")
    return None, ""
