"""The conversation: who speaks when, from the greeting to the last turn."""

import math
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import cycle

from exporter.evidence.kept import TurnMark
from exporter.limits import SOUND_S, Limit
from exporter.outcome import Expectation, Reason, Turn, TurnOutcome
from exporter.outcome.timeline import CallerSpoke
from exporter.probes.latency.deadline import REPLY_LIMIT_S
from exporter.probes.latency.expectations import (
    NOTHING_SAID,
    Seen,
    expectations,
    unknown_if_missed,
)
from exporter.probes.latency.explained import awaited, explained
from exporter.probes.latency.listening import DisturbedError, Listening, first_sound
from exporter.probes.latency.reply import MIN_REPLY_S, Habits
from exporter.probes.latency.results import Results, void
from exporter.probes.latency.scenarios.kinds import scene_of
from exporter.probes.latency.scenarios.scene import Breaks, Scene, Stage
from exporter.probes.latency.script import TOLD_S, Expect
from exporter.probes.latency.speaking import RAN_DRY, RefusedError, Said, Speaking
from exporter.probes.latency.spec import LatencyConfig
from exporter.rtc.clip import Clip
from exporter.rtc.levels import WINDOW, WINDOW_S, Pcm
from exporter.rtc.line import Line

QUIET_S = 0.5
"""Silence after which a greeting is over."""

LATE_ANSWER_S = 3.0
"""Silence after which what was said before the line broke is not answered any more: longer than
LiveKit's agents wait for the end of a turn. An answer that came later would be taken for that to
the next turn."""

TORN = "the prober: an earlier utterance had a gap and may be answered late"


class Conversation:
    """The turns of one call, once the agent can be heard.

    Args:
        caller: In the room, with an ear on the agent's track; a `Caller` outside of tests.
        config: Of the target: greeting and time-outs.
        clips: The utterances, one for each turn, again from the first one after the last.
        sound: What is said into the agent's speech, in a scenario in which anything is.
        breaks: Breaks the connection, in a scenario in which it breaks.
    """

    def __init__(
        self,
        caller: Line,
        config: LatencyConfig,
        clips: Iterable[Clip],
        sound: Clip | None = None,
        breaks: Breaks | None = None,
    ) -> None:
        self._caller = caller
        self._config = config
        self._clips = cycle(clips)
        self._clip: Clip | None = None
        """Of this turn; of the next one as well, where nobody was there who could answer it."""
        self._spoiled = ""
        """Why this turn proves nothing about what the agent does; a late loop spoils times only."""
        self._had_gap = False
        """An utterance of ours had a gap: the agent may answer it twice, and late."""
        self._last: Said | None = None
        self._spoke: CallerSpoke | None = None
        """What was said of this step's words, for the first time where it was said again."""
        self._answered_until: float | None = None
        """When at the latest the words of a turn in which the line broke have had their answer."""
        self.heard: Pcm | None = None
        """The last reply to a turn that was timed, from its first sound to a while after its last;
        not the answer to what a scenario says into it."""
        self._habits = Habits()
        self._line = Listening(caller, config.track_timeout)
        self._speaking = Speaking(self._line)
        self._results = Results(self._line, self._habits, config.reply_timeout)
        self.scene = Scene()
        """What the scenario does in this call."""
        if config.does is not None:
            stage = Stage(self._line, self._speaking, self._results, config.does, sound, breaks)
            self.scene = scene_of(stage)

    async def greeting(self) -> float | None:
        """Wait until the agent listens and is silent, after its greeting if it greets.

        Returns:
            When its first sound was heard, on the monotonic clock; None if it did not greet.

        Raises:
            ProbeError: greeting_timeout, encrypted, or why the call ended.
        """
        config, began = self._config, time.monotonic()
        listened, heard = began, self._line.ear.windows
        deadline = began + config.greeting_timeout
        await self.scene.greeting(deadline)
        deadline = max(deadline, time.monotonic() + QUIET_S + config.greeting_wait)
        while time.monotonic() < deadline:
            if self._line.listens() and self._line.quiet_for(QUIET_S):
                greeted = self._line.first_sound()
                if greeted is not None:
                    self._habits.greeted = True
                    return await self._line.ear.time_of(greeted * WINDOW)
                if config.greeting == "none":
                    return None
                if config.greeting == "auto" and self._line.quiet_for(config.greeting_wait):
                    return None
            try:
                await self._line.hear_more(deadline)
            except DisturbedError:
                await self._line.mend()
                listened, heard = time.monotonic(), self._line.ear.windows
        await self._caller.check_key()
        heard_s = (self._line.ear.windows - heard) * WINDOW_S
        what = f"the agent did not start to listen (state {self._caller.state or 'unknown'!r})"
        if config.greeting == "expected" and self._line.first_sound() is None:
            what = "no greeting"
        detail = f"{what} within {config.greeting_timeout:g} s"
        if what == "no greeting" and time.monotonic() - listened - heard_s > SOUND_S:
            spoiled = Limit.GREETED.spoiled(detail, began, config.greeting_timeout)
            if spoiled is not None:
                raise spoiled
        raise Limit.GREETING.ran_out(detail, began, config.greeting_timeout)

    async def late_greeting(self) -> float | None:
        """Wait until a greeting is over that began during the utterance just spoken.

        An agent may report that it listens before its first word, and drop what it hears during
        that word: the missing reply is no failure of it.

        Returns:
            When its first sound was heard, on the monotonic clock; None if there was none, or if
            the agent had greeted before.
        """
        said, ear = self._last, self._caller.ear
        if said is None or ear is None or self._habits.greeted:
            return None
        self._habits.greeted = True
        first, last = ear.window_at(said.began), ear.window_at(said.end + MIN_REPLY_S)
        found = first_sound(ear.levels(first, last), said.threshold_db, first)
        if found is None:
            return None
        self._clip, self._spoke = said.clip, None
        deadline = time.monotonic() + REPLY_LIMIT_S
        with suppress(DisturbedError):  # the next turn sees to it
            while not (self._line.listens() and self._line.quiet_for(QUIET_S)):
                if time.monotonic() >= deadline:
                    break
                await self._line.hear_more(deadline)
        return await ear.time_of(found * WINDOW)

    def hand_over(self) -> None:
        """Forget what is known of the agent: another one goes on."""
        self._habits.forget()
        self._last = None

    async def turn(self) -> Turn:
        """Speak once and time the reply.

        After an utterance that had a gap nothing is said any more, and the turn is void: a late
        answer to that one would be taken for the reply to this one.

        Raises:
            ProbeError: Why the call ended, if it did before the outcome was known.
        """
        self._habits.greeted = self._habits.greeted or self._last is not None
        self._last = None
        self._spoke = None if self._clip is None else self._spoke
        self._spoiled = TORN if self._had_gap else ""
        if self._had_gap:
            return void(TORN)
        clip = self._clip = self._clip or next(self._clips)
        self._caller.check()  # nothing is said to a room that the agent has left
        if self._caller.disturbance():  # at the end of the turn before, where it cost nothing
            await self._line.mend()
        if (until := self._answered_until) is not None:  # not after the last turn: nobody speaks
            self._answered_until = None
            await self._line.settle(LATE_ANSWER_S, until)
        self._caller.turn_begins()
        turn = await self._say_and_hear(clip)
        self._clip = None
        return turn

    async def _say_and_hear(self, clip: Clip) -> Turn:
        try:
            await self._speaking.perform(self._config.turn.start_rpc)
            spoke = self._spoke
            self._spoke = spoke or CallerSpoke(at=time.monotonic(), until=math.inf)
            said = self._last = await self._speaking.say(clip)
            self._spoke = spoke or said.spoke
            self._had_gap = said.torn
            self._spoiled = RAN_DRY if said.torn else ""
            await self._speaking.perform(self._config.turn.end_rpc, said.end)
            turn = await self._results.of(said, self.scene.into)
            self.heard = self._results.heard
            await self.scene.after(said, turn)
        except DisturbedError as disturbed:
            self._spoiled = str(disturbed)
            await self._line.mend()
            since = time.monotonic() if self._last is None else self._last.end
            self._answered_until = since + self._config.reply_timeout
            return void(str(disturbed))
        except RefusedError as refused:
            return Turn.without_reply(refused.error.reason, refused.error.detail)
        return turn

    def explained(self, turn: Turn) -> Turn:
        """Return the turn just taken with how far the agent came in it, and what it understood."""
        if self._last is None:
            return turn
        return explained(turn, self._last, self._caller.events.timeline, self._config.reply_timeout)

    async def expected(self, step: int, expect: Expect) -> tuple[Expectation, ...]:
        """Wait until what is expected in a step has happened, and return what became of it.

        A call that ends meanwhile ends the wait: the next turn tells why. Nothing is expected of
        an agent that was gone before the words of the step were said.

        Args:
            step: Its place in the script, from 1.
            expect: Of the step whose turn was just taken.
        """
        if self._spoke is None and not self._spoiled:
            return ()
        since, left_s = time.monotonic(), TOLD_S
        if expect.within is not None and self._last is not None:
            since, left_s = self._last.end, expect.within
        seen = self._seen(since + left_s, self._spoiled)
        found = await awaited(self._caller, step, expect, seen)
        # What it did is known when we hear of it, which may have been too late for `within`.
        late = Limit.STEP.spoiled(f"what step {step} expects", since, left_s)
        return found if late is None else unknown_if_missed(found, late.detail)

    def met(self, step: int, expect: Expect, spoiled: str) -> tuple[Expectation, ...]:
        """Return what has become so far of what is expected in a step; see `Seen`."""
        return expectations(step, expect, self._seen(math.inf, self._spoiled or spoiled))

    def mark(self, turn: Turn) -> TurnMark:
        """Return where the turn just taken lies, on the monotonic clock.

        Where it broke off before all was said, at the moment in which that was noticed.
        """
        now = time.monotonic()
        if self._last is None:
            return TurnMark(self._spoke.at if self._spoke else now, now)
        end = self._last.end
        return TurnMark(
            self._last.spoke.at,
            end,
            None if turn.e2e_s is None else end + turn.e2e_s,
            None if turn.time_to_answer_s is None else end + turn.time_to_answer_s,
        )

    @property
    def said(self) -> bool:
        """Whether the caller has begun to say the words of this step."""
        return self._spoke is not None

    def _seen(self, until: float, spoiled: str) -> Seen:
        spoke = self._spoke or NOTHING_SAID
        return Seen(call=self._caller.events.timeline, spoke=spoke, until=until, spoiled=spoiled)


def worst_turn(turns: Sequence[Turn]) -> tuple[Reason | None, str]:
    """Return why the call failed: its first failed turn, or that every turn is void."""
    for turn in turns:
        if turn.outcome is TurnOutcome.FAILED:
            return turn.reason, turn.detail
    if not any(turn.is_measured for turn in turns):
        return Reason.VOID, next((t.detail for t in turns if t.detail), "no turn was measured")
    return None, ""
