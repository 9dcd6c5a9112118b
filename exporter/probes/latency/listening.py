"""The caller's end of the line: what is heard on it now, and whether it still holds."""

import time
from collections.abc import Sequence

from exporter.rtc.hearing import Hearing
from exporter.rtc.levels import WINDOW_S
from exporter.rtc.line import Line
from exporter.rtc.onset import (
    MIN_SOUND_S,
    RECENT_WINDOWS,
    OnsetDetector,
    quiet_level,
    sound_threshold,
)


class DisturbedError(Exception):
    """The line broke: nothing that was heard since tells of the agent."""


class Listening:
    """Hears the agent on a line that may break.

    Args:
        caller: Who holds the line.
        track_timeout: Seconds to wait for the agent's track after the line broke.
    """

    def __init__(self, caller: Line, track_timeout: float) -> None:
        self.caller = caller
        self._track_timeout = track_timeout

    @property
    def ear(self) -> Hearing:
        """What hears the agent."""
        if self.caller.ear is None:
            raise RuntimeError("the caller receives no audio of the agent")
        return self.caller.ear

    async def hear_more(self, deadline: float) -> None:
        """Wait for more audio, or for anything in the room.

        Raises:
            DisturbedError: The line broke.
            ProbeError: The call has ended.
        """
        self.caller.check()
        await self.ear.hear_more(deadline)
        self.caller.check()
        self.check_line()
        if self.caller.follow_sound():
            raise DisturbedError("the agent began to speak by another of its tracks")

    async def wait(self, seconds: float) -> None:
        """Wait, unless the call ends or the line breaks meanwhile.

        Raises:
            DisturbedError: The line broke.
            ProbeError: The call has ended.
        """
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            await self.caller.sleep_until_change(left)
            self.check_line()

    def check_line(self) -> None:
        """Raise DisturbedError if the line broke since the turn began."""
        if disturbance := self.caller.disturbance():
            raise DisturbedError(disturbance)

    async def mend(self) -> None:
        """Hear the agent again after the line broke.

        Raises:
            ProbeError: The call has ended, or the agent cannot be heard any more.
        """
        if self.caller.disturbance():
            await self.caller.listen(self._track_timeout)
        self.caller.turn_begins()

    async def settle(self, quiet_s: float, deadline: float) -> None:
        """Wait until the line holds and the agent listens and has been silent for so long.

        Args:
            quiet_s: In seconds, all of it since the line was mended.
            deadline: On the monotonic clock, after which nobody waits any more.

        Raises:
            ProbeError: As of `mend`.
        """
        while time.monotonic() < deadline:
            try:
                self.check_line()
                if self.listens() and self.quiet_for(quiet_s):
                    return
                await self.hear_more(deadline)
            except DisturbedError:
                await self.mend()

    def listens(self) -> bool:
        """Tell whether the agent listens, or tells no state."""
        return self.caller.state in ("listening", "")

    def quiet_for(self, seconds: float) -> bool:
        """Tell whether the agent has been silent for so long."""
        count = int(seconds / WINDOW_S)
        ear = self.ear
        threshold = sound_threshold(self.noise())
        recent = ear.levels(ear.windows - count)
        # A click does not break silence.
        loud_s = sum(level >= threshold for level in recent) * WINDOW_S
        return ear.windows >= count and loud_s < MIN_SOUND_S

    def first_sound(self) -> int | None:
        """Return the first window of sound since the track began, by what is noise now."""
        return first_sound(self.ear.levels(0), sound_threshold(self.noise()), 0)

    def noise(self) -> float:
        """Return the level in dBFS of the line's own noise."""
        return quiet_level(self.ear.levels(self.ear.windows - RECENT_WINDOWS))


def first_sound(levels: Sequence[float], threshold_db: float, first: int) -> int | None:
    """Return the first window of sound among those from `first` on."""
    detector = OnsetDetector(threshold_db, first)
    found = (detector.push(level) for level in levels)
    return next((window for window in found if window is not None), None)
