"""The server's wall clock as seen from here, so that its timestamps become ages."""

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime

_TOLERATED_S = 60.0
"""LiveKit accepts a token that is so much from the future."""


class ServerClock:
    """Estimates the difference of two clocks from the header `Date` of answers.

    A server tells when something began on its own clock; subtracting that from ours would put
    the difference of the clocks into every age. `Date` is cut to whole seconds, so each answer
    allows a range of differences one second wide; of those that all answers allow, the one
    nearest 0 is taken. Clocks that agree within a second are therefore taken to be equal.
    """

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._least: float | None = None
        self._most: float | None = None

    def note(self, date: str | None) -> None:
        """Learn from the `Date` of an answer that has just arrived; anything else is ignored."""
        if not date:
            return
        try:
            told = parsedate_to_datetime(date).timestamp()
        except ValueError:
            return
        least = told - self._wall()
        # Without the time the answer took on its way, which is small against a second.
        self._least = least if self._least is None else max(least, self._least)
        self._most = least + 1 if self._most is None else min(least + 1, self._most)

    def now(self) -> float:
        """Return the server's time, in seconds since 1970."""
        return self._wall() + self.skew_s

    @property
    def skew_s(self) -> float:
        """Server clock minus local clock, in seconds; 0 while unknown."""
        if self._least is None or self._most is None:
            return 0.0
        return min(max(0.0, self._least), max(self._least, self._most))

    @property
    def is_known(self) -> bool:
        """Whether any answer told the server's time."""
        return self._least is not None

    def blame(self) -> str:
        """Return words on a difference for which a server may refuse every token, "" for none."""
        skew_s = self.skew_s
        if abs(skew_s) <= _TOLERATED_S:
            return ""
        way = "behind" if skew_s > 0 else "ahead of"
        return f"; this host's clock is {abs(skew_s):.0f} s {way} the server's"
