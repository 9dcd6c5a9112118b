"""A sound into the agent's speech: when it is made, and what is heard of the agent around it."""

import time
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass

from exporter.errors import ProbeError
from exporter.outcome import Turn
from exporter.outcome.timeline import AgentSounded
from exporter.probes.latency.listening import DisturbedError
from exporter.probes.latency.reply import MAX_LAG_S
from exporter.probes.latency.results import AROUND_END_S, AROUND_REPLY_S
from exporter.probes.latency.scenarios.scene import Scene, Stage
from exporter.probes.latency.scenarios.silence import MUTE_S, Reply, Span
from exporter.probes.latency.speaking import RAN_DRY, Said
from exporter.rtc.levels import RATE

TALKS_ON_S = 2.0
"""An agent that still speaks so long after the caller's last sample has not yielded."""

_LEAD_S = 0.5
"""So long before it is due a sound is handed over: longer than what waits in the queue."""


@dataclass(frozen=True, slots=True)
class Inserted:
    """A sound of the caller on its way into a reply."""

    said: Said
    begun: float
    """When the reply began."""


class Insertion(Scene, ABC):
    """Makes one sound into each reply but the first, which is the control."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._control_s: float | None = None
        self._control_gap_s = 0.0
        self.inserted: Inserted | None = None
        """Into the reply of this turn."""
        self.spoiled = ""
        """Why nothing can be told of this turn; "" where it can."""
        self.too_late = False
        """The reply was over before the caller's sound was due."""

    async def into(self, said: Said, replied: float) -> bool:
        """Make the sound, and listen until it is known what the agent does.

        Returns:
            Whether the reply is over.
        """
        self.forget()
        if self._control_s is None:
            return False
        return await self._insert(replied, said.threshold_db)

    async def _insert(self, begun: float, threshold_db: float) -> bool:
        clip = self._stage.clip
        if clip is None:
            raise RuntimeError("the scenario has no clip")
        at = begun + self._stage.scenario.after
        try:
            await self._hear_until(at - _LEAD_S)
            stop = self.reply(begun, threshold_db).stop(begun)
            if stop is not None:
                self.too_late = True
                return False
            said = await self._stage.speaking.say(clip, at - clip.speech_start / RATE, threshold_db)
            self.inserted = Inserted(said, begun)
            self.spoiled = RAN_DRY if said.torn else ""
            return await self.decided(self.inserted)
        except (DisturbedError, ProbeError) as error:
            self.spoiled = str(error)  # a call that ended takes nothing from the reply before
            return False

    def forget(self) -> None:
        """Forget what concerned the last reply: a turn without one has nothing inserted."""
        self.inserted, self.spoiled, self.too_late = None, "", False

    @abstractmethod
    async def decided(self, inserted: Inserted) -> bool:
        """Listen until it is known what the agent does; return whether its reply is over."""

    async def after(self, _said: Said, turn: Turn) -> None:
        """Keep the first reply as the control."""
        if self._control_s is not None or not self._stage.scenario.needs_control:
            return
        sounded = self._stage.line.caller.events.timeline.of(AgentSounded)[-1:]
        if turn.reply is not None and sounded:
            self._control_s = sounded[0].until - sounded[0].at
            self._control_gap_s = turn.reply.longest_gap_s

    def reply(self, begun: float, threshold_db: float) -> Reply:
        """Return what has been heard of a reply that began then."""
        line = self._stage.line
        heard = line.ear.spans(line.ear.window_at(begun), threshold_db)
        until = line.ear.heard_until
        return Reply(line.caller.events.timeline, tuple(heard), until, self._control_s)

    def of_inserted(self, inserted: Inserted) -> Reply:
        """Return what has been heard of the reply into which that sound was made."""
        return self.reply(inserted.begun, inserted.said.threshold_db)

    async def stopped(self, inserted: Inserted, wait_s: float) -> Span | None:
        """Listen until the agent has stopped, or has spoken on; return its silence.

        Args:
            inserted: The caller's sound.
            wait_s: So long a silence is listened to, for the agent to go on.
        """
        spoke = inserted.said.spoke
        talked_on = spoke.until + TALKS_ON_S
        deadline = talked_on + MUTE_S + wait_s
        while True:
            reply = self.of_inserted(inserted)
            stop = reply.stop(spoke.at)
            if stop is not None and min(stop[1], reply.until) - stop[0] >= wait_s:
                return stop
            if stop is None and reply.sounds and reply.sounds[-1][1] >= talked_on:
                return None
            if stop is not None and stop[1] < reply.until:
                return stop
            if time.monotonic() >= deadline:
                return stop
            await self._stage.line.hear_more(deadline)

    def late(self, inserted: Inserted, stop: float | None) -> str:
        """Say whether our event loop was late when the sound was made or the agent stopped."""
        at, lag = inserted.said.spoke.at, self._stage.line.caller.lag
        spans = [(at + AROUND_END_S[0], at + AROUND_END_S[1])]
        if stop is not None:
            spans.append((stop + AROUND_REPLY_S[0], stop + AROUND_REPLY_S[1]))
        worst = max(lag.worst(begin, end) for begin, end in spans)
        if worst <= MAX_LAG_S:
            return ""
        return f"the prober: its event loop was {worst * 1e3:.0f} ms late"

    async def answer(self, inserted: Inserted) -> Turn | None:
        """Wait for the answer to what was said; None where the line broke or the call ended."""
        with suppress(DisturbedError, ProbeError):
            return await self._stage.results.of(inserted.said)
        return None

    async def _hear_until(self, at: float) -> None:
        while time.monotonic() < at:
            await self._stage.line.hear_more(at)
