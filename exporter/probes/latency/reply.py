"""The wait for the reply: its first sound, also after a talk-over, and its end.

An agent may say fillers first and answer later: how this one speaks is learnt from turn to turn.
"""

import time
from contextlib import suppress
from dataclasses import dataclass

from exporter.errors import ProbeError
from exporter.probes.latency.deadline import REPLY_LIMIT_S
from exporter.probes.latency.listening import DisturbedError, Listening
from exporter.probes.latency.speaking import Said
from exporter.rtc.hearing import Hearing
from exporter.rtc.levels import WINDOW_S
from exporter.rtc.onset import OnsetDetector

MAX_LAG_S = 0.020
"""An event loop later than this at one of the two ends of a turn voids it."""

CATCH_UP_S = 1.0
"""After the time for a reply: what an event loop that was late has not yet read may come."""

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

FILLER_OVER_S = 0.5
"""Silence of an agent that works; shorter than this is a pause between two sentences."""

BUSY = ("speaking", "thinking")
"""States in which an agent has not finished its turn: after a tool call it speaks again."""


@dataclass(slots=True)
class Habits:
    """How this agent speaks, as far as the call has shown."""

    greeted: bool = False
    """Its first words have been heard, or would have been by now."""
    says_answers: bool = False
    """It reports no latency of its answers, and nothing follows them: they are no fillers."""
    answers_follow: bool = False
    """An answer has followed a filler in this call."""

    def forget(self) -> None:
        """Begin anew: another agent goes on."""
        self.greeted = self.says_answers = self.answers_follow = False


class Fillers:
    """Finds where the answer begins in a reply whose first sound has been heard.

    Args:
        ear: What hears the agent.
        threshold_db: Level in dBFS of a sound.
    """

    def __init__(self, ear: Hearing, threshold_db: float) -> None:
        self._ear = ear
        self._threshold_db = threshold_db
        self._at = 0
        self._awaited: OnsetDetector | None = None
        self.answer: int | None = None
        """The first sample of the last sound that followed a filler; None if there was none."""

    def look(self, *, works: bool) -> None:
        """Take what was heard since the last look.

        Args:
            works: The agent works and has been silent for `FILLER_OVER_S`.
        """
        if self._awaited is None:
            if not works:
                return
            self._at = max(0, self._ear.windows - round(FILLER_OVER_S / 2 / WINDOW_S))
            self._awaited = OnsetDetector(self._threshold_db, self._at)
        for level in self._ear.levels(self._at):
            self._at += 1
            if (found := self._awaited.push(level)) is not None:
                self.answer = self._ear.first_loud_sample(found, self._threshold_db)
                self._awaited = None
                return


class AwaitedReply:
    """Waits for the reply to an utterance.

    Args:
        line: On which it comes.
        habits: Of the agent.
        reply_timeout: Seconds in which it has to begin.
    """

    def __init__(self, line: Listening, habits: Habits, reply_timeout: float) -> None:
        self._line = line
        self._habits = habits
        self._reply_timeout = reply_timeout
        self._at = self._last = 0

    async def onset(self, said: Said) -> int | None:
        """Return the window in which the reply begins, or None if there is none in time.

        Raises:
            DisturbedError: The line broke.
            ProbeError: The call has ended.
        """
        ear = self._line.ear
        # What is heard while an RPC takes its time waits in the ear.
        deadline = max(said.end + self._reply_timeout, time.monotonic()) + CATCH_UP_S
        at = ear.window_at(said.end + MIN_REPLY_S)
        last = ear.window_at(said.end + self._reply_timeout)
        while ear.windows < at and time.monotonic() < deadline:
            await self._line.hear_more(deadline)
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
            await self._line.hear_more(max(deadline, time.monotonic() + WINDOW_S))
        self._at, self._last = at, last
        return None

    def missing_s(self, said: Said) -> float:
        """Return how much sound is missing of the time in which no reply came, in seconds.

        A loop that was late has read all of it, be it later. Of a process that was stopped it is
        lost: there was less of it in that time, and what came later was taken for it.
        """
        shifted = self._last - self._line.ear.window_at(said.end + self._reply_timeout)
        return max(0, shifted, self._last - self._at) * WINDOW_S

    async def over(self, said: Said) -> Fillers:
        """Wait until the agent has finished: also what it says after it has worked again.

        A call that ends meanwhile takes nothing from a reply that was heard: the next turn tells.
        """
        fillers = Fillers(self._line.ear, said.threshold_db)
        deadline = time.monotonic() + REPLY_LIMIT_S
        with suppress(ProbeError, DisturbedError):
            while time.monotonic() < deadline:
                works, busy = self._works(said), self._line.caller.state in BUSY
                fillers.look(works=works and self._line.quiet_for(FILLER_OVER_S))
                if not busy and self._line.quiet_for(SAID_ONLY_S if works else REPLY_OVER_S):
                    break
                await self._line.hear_more(deadline)
        return fillers

    def _too_late(self, deadline: float) -> bool:
        """Tell whether no more frames are due: none wait that a late loop has not yet read."""
        now = time.monotonic()
        return now >= deadline and self._line.caller.lag.worst(now - CATCH_UP_S, now) <= MAX_LAG_S

    def _stopped_talking(self, quiet_s: float) -> bool:
        """Tell whether an agent that talked over the caller has come to its end."""
        if self._line.caller.state:
            return self._line.caller.state != "speaking" and quiet_s >= TALK_OVER_S
        return quiet_s >= REPLY_OVER_S

    def _works(self, said: Said) -> bool:
        """Tell whether all that the agent has said is a filler, as far as its reports tell."""
        speaks = self._line.caller.state == "speaking"
        fillers = self._line.caller.events.only_said_since(said.began)
        return fillers and not speaks and not self._habits.says_answers
