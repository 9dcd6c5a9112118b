"""When the agent stopped, and whether it went on: pure functions of what was heard and reported."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from exporter.outcome import Timeline
from exporter.outcome.timeline import AgentState, FalseInterruption, Message

Span = tuple[float, float]
"""Begin and end, in seconds on the monotonic clock."""

SILENT_S = 0.3
"""Silence of an agent that says that it does something else than speaking: it has stopped."""
QUIET_S = 1.0
"""The same where it tells no state: a pause between two sentences is shorter."""
MUTE_S = 2.0
"""The same of one that says that it speaks."""
ENDS_ANYWAY_S = 1.0
"""A reply of which less was left would have ended anyway."""
RESUMES_S = 4.0
"""So long after it stopped an agent may go on: LiveKit's resume after 2 s without a transcript."""

_SAME_S, _SAME_SHARE = 0.4, 0.05
"""Two parts that are together as long as the control, within this, are one reply."""
_LATE_S = 1.0
"""So long after the sound a report of it may arrive."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What was heard of an agent since a reply of it began."""

    call: Timeline
    sounds: tuple[Span, ...]
    """When it sounded; pauses below 0.2 s are part of it."""
    until: float
    """What has been heard so far."""
    control_s: float | None = None
    """Length of a reply that was left alone; None where there is none to compare with."""

    def silences(self) -> Iterator[Span]:
        """Yield the silences after each sound; the last one has no end yet."""
        for (_, end), (begin, _) in zip(self.sounds, self.sounds[1:], strict=False):
            yield end, begin
        if self.sounds:
            yield self.sounds[-1][1], math.inf

    def stop(self, since: float) -> Span | None:
        """Return the first silence after that time in which the agent has stopped."""
        found = (each for each in self.silences() if each[1] > since and self._stopped(each))
        return next(found, None)

    def gap(self, since: float, until: float, longer_than_s: float) -> Span | None:
        """Return the first silence that begins within a time and is longer than that.

        Of an agent that tells its state it is one in which the agent has stopped.
        """
        for begin, end in self.silences():
            long = min(end, self.until) - begin > longer_than_s
            if since <= begin < until and long and self._tells_stop((begin, end)):
                return begin, end
        return None

    def goes_on(self, stop: Span, since: float) -> bool:
        """Tell whether what follows a silence is the same reply.

        Args:
            stop: The silence.
            since: When the caller's sound began.
        """
        end = stop[1]
        if math.isinf(end):
            return False
        if any(each.resumed for each in self.call.of(FalseInterruption, since, end + _LATE_S)):
            return True
        said = self.call.of(Message, since, end)
        thinks = any(each.state == "thinking" for each in self.call.of(AgentState, since, end))
        if thinks or any(not each.by_agent or each.interrupted for each in said):
            return False
        if self.call.reports or any(each.state == "thinking" for each in self._states()):
            return True
        return self._is_rest(stop)

    def marked(self, stop: Span, since: float) -> bool | None:
        """Return whether the agent reports the reply as interrupted; None where it does not."""
        said = [each for each in self.call.of(Message, since, stop[1]) if each.by_agent]
        return said[0].interrupted if said else None

    def left_s(self, stop: Span) -> float | None:
        """Return how much was left of the reply, if it was as long as the control.

        None where there is no control, or where the reply had gone on for longer: that of other
        words may have another length, and tells nothing then.
        """
        if self.control_s is None:
            return None
        left_s = self.control_s - (stop[0] - self.sounds[0][0])
        return left_s if left_s >= -self._tolerance_s(self.control_s) else None

    def _is_rest(self, stop: Span) -> bool:
        """Tell whether both parts together are as long as the control."""
        if self.control_s is None:
            return False
        more = self.stop(stop[1])
        ended = more[0] if more else self.sounds[-1][1]
        length_s = stop[0] - self.sounds[0][0] + ended - stop[1]
        return abs(length_s - self.control_s) <= self._tolerance_s(self.control_s)

    @staticmethod
    def _tolerance_s(control_s: float) -> float:
        return max(_SAME_S, _SAME_SHARE * control_s)

    def _stopped(self, silence: Span) -> bool:
        length_s = min(silence[1], self.until) - silence[0]
        if length_s >= MUTE_S:
            return True
        if not self._states():
            return length_s >= QUIET_S
        return length_s >= SILENT_S and self._tells_stop(silence)

    def _tells_stop(self, silence: Span) -> bool:
        """Tell whether the agent says in a silence that it does not speak; or tells no state."""
        states = self._states()
        if not states:
            return True
        begin, end = silence[0], min(silence[1], self.until)
        before = [each for each in states if each.at <= begin][-1:]
        within = [each for each in states if begin < each.at < end]
        return any(each.state != "speaking" for each in (*before, *within))

    def _states(self) -> list[AgentState]:
        return self.call.of(AgentState)
